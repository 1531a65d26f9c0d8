"""Contrastive learning to see, train and trust: the core behind Contrastive Explorer."""

__version__ = "0.1.0"
