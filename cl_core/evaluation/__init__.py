"""How good features are, each figure with its protocol."""
