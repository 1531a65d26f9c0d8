"""Device, host, caches, paths and files; independent of learning."""
