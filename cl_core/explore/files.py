"""Formats in which a model can be saved, by the suffix of the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cl_core.errors import UserError, quoted
from cl_core.explore import tables
from cl_core.explore.map_page import write_map_page
from cl_core.explore.model import Model
from cl_core.runs import portable

# Kinds of files -> suffixes.
KINDS: dict[str, tuple[str, ...]] = {
    "features": tables.SUFFIXES,
    "neighbors": (".csv",),
    "review": (".csv",),
    "encoder": portable.SUFFIXES,
    "map": (".html",),
}
WRITERS: dict[str, Callable[[Model, Path], object]] = {
    "features": tables.write_features,
    "neighbors": tables.write_neighbors,
    "review": tables.write_review,
    "encoder": lambda model, path: portable.export_encoder(model.run, path),
    "map": write_map_page,
}


def save(model: Model, kind: str, path: Path) -> Path:
    """Write features, neighbors, the review, the encoder or the map of a model to `path`, atomically.

    Args:
        kind: a key of `KINDS`; the suffix of `path` must be one of its suffixes.

    Raises:
        UserError: another kind or suffix, the file exists, or it cannot be written.
    """
    if kind not in KINDS:
        raise UserError("model.no_kind", given=quoted(kind), choices=", ".join(KINDS))
    if path.suffix not in KINDS[kind]:
        raise UserError("model.ending", kind=kind, path=quoted(path), choices=", ".join(KINDS[kind]))
    if path.exists():
        raise UserError("runs.exists", path=path)
    WRITERS[kind](model, path)
    return path
