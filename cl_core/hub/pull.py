"""A run from the Hub: checked, pinned to its revision, and there without the Hub from then on."""

from __future__ import annotations

from cl_core.errors import UserError
from cl_core.hub.client import Unreachable
from cl_core.hub.fetch import LARGEST, Content, fetch, forget
from cl_core.runs.hub_cache import PulledFolder, find_pulled
from cl_core.runs.hub_names import hub_name
from cl_core.runs.store import open_run

RUN = Content(
    files=("run.json", "metrics.jsonl", "model.safetensors", "snapshots.safetensors"),
    needed=("run.json", "model.safetensors"),
    what="a run",
    read="only run.json and safetensors are read here, as `push` writes them",
    advice="give a repository that `push` made",
)


def pull(text: str, largest: int = LARGEST) -> PulledFolder:
    """Bring the run OWNER/NAME[@REVISION] here and open it once; what is here already is not fetched again.

    Only run.json, metrics.jsonl and safetensors are fetched, at most `largest` bytes, and each file is held against the
    hash the Hub gives. A run that does not open is not kept. Where the Hub cannot be reached, what was pulled before
    under this name is the answer.

    Raises:
        UserError: there is no such repository or revision, it holds no run, or a file of it is damaged.
    """
    name = hub_name(text)
    try:
        folder = PulledFolder(fetch(name, RUN, largest), name)
    except Unreachable:
        before = find_pulled(text)
        if before is None:
            raise
        return before
    try:
        open_run(folder)
    except UserError:
        forget(folder.path)
        raise
    return folder
