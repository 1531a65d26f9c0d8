"""ZeroGPU: hardware of Spaces that attaches a GPU for the duration of a function call.

Outside such calls no GPU may be used, although `torch.cuda.is_available()` is true. Import this module before torch.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

ON_ZERO_GPU = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
CALL_S = 60  # maximum duration of a GPU call in seconds; charged to the visitor's quota
_inside: ContextVar[bool] = ContextVar("inside", default=False)

if ON_ZERO_GPU:
    import spaces  # preinstalled on ZeroGPU; must be imported before torch


def gpu_available() -> bool:
    """Whether a GPU that torch reports may be used now: not on ZeroGPU outside of `on_zero_gpu` calls."""
    return not ON_ZERO_GPU or _inside.get()


def on_zero_gpu(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator that attaches a GPU to `function` on ZeroGPU; elsewhere `function` is returned unchanged.

    On ZeroGPU the function runs in another process: arguments and results are pickled, and a call must end within `CALL_S`.
    """
    if not ON_ZERO_GPU:
        return function

    @functools.wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        token = _inside.set(True)
        try:
            return function(*args, **kwargs)
        finally:
            _inside.reset(token)

    decorated: Callable[P, R] = spaces.GPU(duration=CALL_S)(inside)
    return decorated
