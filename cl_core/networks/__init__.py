"""Encoders, projection heads and methods."""
