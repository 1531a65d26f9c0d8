"""What every training says as it goes, whatever it learns."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from cl_core.errors import UserError

State = tuple[dict[str, Tensor], dict[str, str]]  # tensors, and text for the header of their file


class DivergedError(UserError):
    """The loss is no longer a number, or was none when the run stopped before."""


@dataclasses.dataclass(frozen=True)
class StepDone:
    """One optimizer step was made; the state may be saved here."""

    step: int
