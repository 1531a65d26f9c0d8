"""Encoders, heads and methods: images in, features and losses out."""
