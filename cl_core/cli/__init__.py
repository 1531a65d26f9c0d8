"""What each command of the command line does: arguments -> exit code."""
