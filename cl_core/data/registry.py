"""Look up data sets by name: bundled and imported ones."""

from __future__ import annotations

import dataclasses
from functools import cache, lru_cache

from cl_core.data.bundled import DATASETS, TABLES
from cl_core.data.dataset import Dataset
from cl_core.errors import UserError, quoted

MAX_OPEN = 64  # imported data sets; their images are memory-mapped


def dataset_names(viewer: str | None = None) -> list[str]:
    """Names of the image data sets on this machine: bundled ones, then imported ones.

    Args:
        viewer: a visitor of the app, who sees only their own of the data sets that have an owner; None sees all.
    """
    from cl_core.data.imported import imported_names

    return [*DATASETS, *(name for name in imported_names(viewer) if name not in DATASETS)]


def load_dataset(name: str) -> Dataset:
    """Load an image data set; the result is cached for the life of the process, or until the data set is replaced.

    Raises:
        UserError: there is no such data set, it is not downloaded yet, or it is a table.
    """
    if name in DATASETS:
        return _bundled(name)
    from cl_core.data.downloads import DOWNLOADS
    from cl_core.data.imported import imported_version

    version = imported_version(name)
    if version:
        return _imported(name, version)
    if name in DOWNLOADS:
        raise DOWNLOADS[name].missing_error()
    choices = ", ".join(dataset_names(""))
    if name in TABLES:
        raise UserError("data.table", name=name, choices=choices)
    raise UserError("data.no_such_dataset", name=quoted(name), choices=choices)


@cache
def _bundled(name: str) -> Dataset:
    return DATASETS[name]()


@lru_cache(maxsize=MAX_OPEN)
def _imported(name: str, version: int) -> Dataset:
    from cl_core.data.imported import read_imported

    return dataclasses.replace(read_imported(name), version=version)
