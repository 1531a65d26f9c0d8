"""Look up data sets by name: bundled and imported ones."""

from __future__ import annotations

from functools import cache

from cl_core.data.bundled import DATASETS, TABLES
from cl_core.data.dataset import Dataset
from cl_core.errors import UserError, quoted


def dataset_names() -> list[str]:
    """Names of the image data sets on this machine: bundled ones, then imported ones."""
    from cl_core.data.imported import imported_names

    return [*DATASETS, *(name for name in imported_names() if name not in DATASETS)]


@cache
def load_dataset(name: str) -> Dataset:
    """Load an image data set; the result is cached for the life of the process.

    Raises:
        UserError: there is no such data set, it is not downloaded yet, or it is a table.
    """
    from cl_core.data.downloads import DOWNLOADS
    from cl_core.data.imported import imported_names, read_imported

    if name in DATASETS:
        return DATASETS[name]()
    if name in imported_names():
        return read_imported(name)
    if name in DOWNLOADS:
        raise DOWNLOADS[name].missing_error()
    choices = ", ".join(dataset_names())
    if name in TABLES:
        raise UserError("data.table", name=name, choices=choices)
    raise UserError("data.no_such_dataset", name=quoted(name), choices=choices)
