"""Training runs on disk: settings, files, names, caches."""
