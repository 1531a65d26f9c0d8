"""Methods: the networks around a loss, by name."""

from __future__ import annotations

from cl_core.methods.base import Method, MethodOutput
from cl_core.methods.simclr import SimCLR

METHODS: dict[str, type[Method]] = {"simclr": SimCLR}

__all__ = ["METHODS", "Method", "MethodOutput"]
