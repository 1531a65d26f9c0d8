"""Encoders: images -> features h."""
