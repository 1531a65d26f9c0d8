"""Contrastive losses: pure functions of tensors, one family a file."""

from cl_core.losses.nt_xent import chance_level, nt_xent

__all__ = ["chance_level", "nt_xent"]
