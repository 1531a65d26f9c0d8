"""The data sets that come with the project, by name."""

from __future__ import annotations

from functools import cache

from cl_core.data.bundled import DATASETS, TABLES
from cl_core.data.dataset import Dataset
from cl_core.errors import UserError


def dataset_names() -> list[str]:
    """Sets of images that can be used now: those that come with the project, then those brought onto this machine."""
    from cl_core.data.imported import collection_names

    return [*DATASETS, *(name for name in collection_names() if name not in DATASETS)]


@cache
def load_dataset(name: str) -> Dataset:
    """The images called `name`, read once a process.

    Raises:
        UserError: no such data set, it is not on this machine yet, or it is a table.
    """
    from cl_core.data.downloads import DOWNLOADS
    from cl_core.data.imported import collection_names, read_collection

    if name in DATASETS:
        return DATASETS[name]()
    if name in collection_names():
        return read_collection(name)
    if name in DOWNLOADS:
        raise UserError(DOWNLOADS[name].missing())
    choices = ", ".join(dataset_names())
    if name in TABLES:
        raise UserError(f"{name} is a table, and this needs images: choose one of {choices}.")
    raise UserError(f"There is no data set {name!r}: choose one of {choices}, or bring your own with `data add {name} FOLDER`.")
