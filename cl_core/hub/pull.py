"""A run from the Hub: checked, pinned to its revision, and there without the Hub from then on."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath

from huggingface_hub import RepoFile, snapshot_download

from cl_core.errors import UserError
from cl_core.hub.client import Unreachable, api, in_words
from cl_core.hub.names import HubName, hub_name
from cl_core.hub.pulled import PulledFolder, find_pulled, pulled_dir
from cl_core.runs import open_run

RUN_FILES = ["run.json", "metrics.jsonl", "model.safetensors", "snapshots.safetensors"]
NEEDED = {"run.json", "model.safetensors"}
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".h5"}
LARGEST = 2_000_000_000  # bytes


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
        return _fetch(name, largest)
    except Unreachable:
        before = find_pulled(text)
        if before is None:
            raise
        return before


def _fetch(name: HubName, largest: int) -> PulledFolder:
    with in_words(str(name)):
        commit = api().model_info(name.repository, revision=name.revision).sha
        listed = api().list_repo_tree(name.repository, recursive=True, revision=commit)
        files = {each.path: each for each in listed if isinstance(each, RepoFile)}
    _check_listing(name, files, largest)
    with in_words(str(name)):
        # By the name that was asked for, so that the client notes which commit it meant.
        path = Path(snapshot_download(name.repository, revision=name.revision, cache_dir=pulled_dir(), allow_patterns=RUN_FILES))
    folder = PulledFolder(path, name)
    try:
        if path.name != commit:
            raise UserError(f"{name} changed while it was pulled: pull it again.")
        for each in RUN_FILES:
            if each in files:
                _check_file(name, path / each, files[each])
        open_run(folder)
    except UserError:
        _forget(path)
        raise
    return folder


def _check_listing(name: HubName, files: dict[str, RepoFile], largest: int) -> None:
    missing = sorted(NEEDED - files.keys())
    if missing:
        pickles = sorted(path for path in files if PurePosixPath(path).suffix in PICKLES)
        if pickles:
            raise UserError(
                f"{name} holds {pickles[0]}, which can run code when it is opened, and no {missing[0]}: "
                "only run.json and safetensors are read here, as `push` writes them."
            )
        raise UserError(f"{name} is not a run: it has no {missing[0]}; give a repository that `push` made.")
    size = sum(each.size for path, each in files.items() if path in RUN_FILES)
    if size > largest:
        raise UserError(f"{name} is {size / 1e6:,.0f} MB; at most {largest / 1e6:,.0f} MB are fetched here.")


def _check_file(name: HubName, path: Path, listed: RepoFile) -> None:
    content = path.read_bytes()
    if listed.lfs is not None:
        same = hashlib.sha256(content).hexdigest() == listed.lfs.sha256
    else:
        same = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == listed.blob_id  # as git does
    if not same:
        raise UserError(f"{path.name} of {name} is not what the Hub lists (its hash differs), so it was dropped: pull it again.")


def _forget(snapshot: Path) -> None:
    """Remove a snapshot's files and what they point to, so that the next pull fetches them again."""
    for path in snapshot.iterdir():
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    snapshot.rmdir()
