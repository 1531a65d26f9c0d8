"""The command line: one module a command, each with its help, its options and its function."""
