"""ZeroGPU, the Spaces' hardware that lends a GPU for single calls.

Between the calls there is none, though torch says there is: nothing may touch it. Imported before torch.
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
CALL_S = 60  # seconds that a call may keep the GPU: what a visitor's quota is asked for
_inside: ContextVar[bool] = ContextVar("inside", default=False)

if ON_ZERO_GPU:
    import spaces  # comes with that hardware; it has to see torch being loaded


def gpu_is_ours() -> bool:
    """Whether a GPU, if torch names one, may be used now."""
    return not ON_ZERO_GPU or _inside.get()


def on_zero_gpu(function: Callable[P, R]) -> Callable[P, R]:
    """Let `function` have the GPU while it runs, where GPUs are lent; elsewhere it is as it was.

    It then runs in another process: what it takes and gives must be small and plain, and a call must end within `CALL_S`.
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

    lent: Callable[P, R] = spaces.GPU(duration=CALL_S)(inside)
    return lent
