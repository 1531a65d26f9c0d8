"""Training runs on disk: settings, files, lookup by name, feature cache."""
