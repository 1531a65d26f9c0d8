"""Device, host, paths and files: knows nothing of learning."""
