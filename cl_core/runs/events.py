"""Events and errors common to all training loops."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from cl_core.errors import UserError

State = tuple[dict[str, Tensor], dict[str, str]]  # tensors, and metadata for the header of their file


class DivergedError(UserError):
    """Training gave a loss or features that are not finite, now or before the run was interrupted: it cannot be continued."""


@dataclasses.dataclass(frozen=True)
class StepDone:
    """An optimizer step is complete; the state may be saved."""

    step: int
