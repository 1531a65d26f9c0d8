"""Download a run from the Hub."""

from __future__ import annotations

from cl_core.errors import UserError
from cl_core.hub.client import Unreachable
from cl_core.hub.fetch import MAX_DOWNLOAD, Layout, delete_snapshot, fetch
from cl_core.runs.hub_cache import PulledFolder, find_pulled, set_reference
from cl_core.runs.hub_names import hub_name
from cl_core.runs.store import open_run

RUN = Layout(
    kind="run",
    files=("run.json", "metrics.jsonl", "model.safetensors", "snapshots.safetensors", "layout.safetensors"),
    required=("run.json", "model.safetensors"),
)


def pull(text: str, largest: int = MAX_DOWNLOAD) -> PulledFolder:
    """Download the run OWNER/NAME[@REVISION] and check that it opens.

    Only run.json, metrics.jsonl and safetensors files are downloaded, and each is verified against the hash that the Hub
    lists. A run that does not open is deleted. If the Hub cannot be reached, the run last pulled under this name is returned.

    Args:
        largest: bytes to download at most.

    Returns:
        The run's folder, at its commit; it needs no network.

    Raises:
        UserError: there is no such repository or revision, it holds no run, or a file is damaged.
    """
    name = hub_name(text)
    try:
        folder = PulledFolder(fetch(name, RUN, largest), name)
    except Unreachable:
        earlier = find_pulled(text)
        if earlier is None:
            raise
        return earlier
    try:
        open_run(folder)
    except UserError:
        delete_snapshot(folder.path)
        raise
    set_reference(name, folder.commit)
    return folder
