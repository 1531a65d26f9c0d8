"""Encoders: images in, features h out."""
