"""Events and errors common to all training loops."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from cl_core.errors import UserError

State = tuple[dict[str, Tensor], dict[str, str]]  # tensors, and metadata for the header of their file


class DivergedError(UserError):
    """The loss is not finite, now or when the run was interrupted."""


@dataclasses.dataclass(frozen=True)
class StepDone:
    """An optimizer step is complete; the state may be saved."""

    step: int
