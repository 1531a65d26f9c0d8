"""Apps that are started, stopped and set up as their tests need."""
