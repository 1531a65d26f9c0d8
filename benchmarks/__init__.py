"""What measures quality and speed; never part of the timed tests."""
