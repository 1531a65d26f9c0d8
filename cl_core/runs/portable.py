"""The encoder of a run for other programs: ONNX, or torch.export. Each file is checked before it is kept."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cl_core.errors import UserError, quoted
from cl_core.networks.encoders.base import Encoder
from cl_core.runs.store import Run
from cl_core.system.files import replace_file

SUFFIXES = (".onnx", ".pt2")
CHECKED = 5  # views of the check
TOLERANCE = 1e-4  # largest difference of a feature
MAX_BATCH = 65_536


class _Features(nn.Module):
    """views (N, 3, S, S) float32 in [0, 1] -> features (N, D) float32 of length 1."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, views: Tensor) -> Tensor:
        return F.normalize(self.encoder(views), dim=1)


def export_encoder(run: Run, path: Path) -> float:
    """Write the encoder of a run, for any number of views at a time.

    Its input `views` is (N, 3, S, S) float32 in [0, 1] with S the run's size, its output `features` (N, D) float32 of length 1.

    Args:
        path: ends in .onnx, or in .pt2 for torch.export.

    Returns:
        The largest difference of a feature between the file, loaded again, and the run.

    Raises:
        UserError: this encoder cannot be exported, or the file gives other features.
    """
    network = _Features(run.method.encoder).eval()
    views = torch.rand(CHECKED, 3, run.size, run.size, generator=torch.Generator().manual_seed(0))
    difference = [0.0]

    def write(temporary: Path) -> None:
        file = temporary.with_name(f"{temporary.name}{path.suffix}")  # the suffix tells torch the format
        try:
            with _as_user_error(run.name):
                _save(program, file)
                difference[0] = float((_load(file, views) - network(views)).abs().max())
            if not difference[0] <= TOLERANCE:
                raise UserError("runs.export_differs", name=run.name, difference=f"{difference[0]:.1e}")
            file.replace(temporary)
        finally:
            file.unlink(missing_ok=True)

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        with _as_user_error(run.name):
            batch = torch.export.Dim("batch", min=1, max=MAX_BATCH)
            program = torch.export.export(network, (views[:3],), dynamic_shapes=({0: batch},))
        replace_file(path, write)
    return difference[0]


@contextlib.contextmanager
def _as_user_error(name: str) -> Iterator[None]:
    """Convert errors of torch.export and ONNX, whose types are not documented; a full disk is left to the caller."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError("runs.not_exportable", name=name, reason=quoted(reason)) from None


def _save(program: torch.export.ExportedProgram, file: Path) -> None:
    if file.suffix == ".pt2":
        torch.export.save(program, file)
        return
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    torch.onnx.export(
        program, f=file, input_names=["views"], output_names=["features"], dynamo=True, external_data=False, verbose=False
    )


def _load(file: Path, views: Tensor) -> Tensor:
    """Features that the file gives."""
    if file.suffix == ".pt2":
        found: Tensor = torch.export.load(file).module()(views)
        return found
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"views": views.numpy()})[0])
