"""Contrastive learning to see, train and trust: the core behind Contrastive Explorer.

    >>> import cl_core
    >>> model = cl_core.load("emoji-simclr")
    >>> [answer.name for answer in model.search(model.dataset.images[0], top=1)]
    ['grinning face']

Everything loads at its first use: importing the package takes milliseconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cl_core.system.version import __version__

if TYPE_CHECKING:
    from cl_core import losses
    from cl_core.api import datasets, load, models, train
    from cl_core.errors import UserError
    from cl_core.explore.model import Model

__all__ = ["Model", "UserError", "__version__", "datasets", "load", "losses", "models", "train"]

_WHERE = {
    "Model": "cl_core.explore.model",
    "UserError": "cl_core.errors",
    "datasets": "cl_core.api",
    "load": "cl_core.api",
    "models": "cl_core.api",
    "train": "cl_core.api",
}


def __getattr__(name: str) -> Any:
    if name == "losses":
        return importlib.import_module("cl_core.losses")
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
