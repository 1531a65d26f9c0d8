"""Training: settings, the loop, and the folder a run is kept in."""
