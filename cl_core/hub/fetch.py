"""Files of a repository: listed, checked, fetched, and held against the hashes the Hub gives."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path, PurePosixPath

from huggingface_hub import RepoFile, snapshot_download

from cl_core.errors import UserError
from cl_core.hub.client import api, in_words, token
from cl_core.runs.hub_cache import pulled_dir
from cl_core.runs.hub_names import HubName

PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".h5"}
LARGEST = 2_000_000_000  # bytes


@dataclasses.dataclass(frozen=True)
class Content:
    """What a repository of some kind holds.

    files: what is fetched of it. needed: those without which it is none of that kind. what: its kind, "a run".
    read: what is read of it here, and advice: which repositories are of the kind, for people.
    """

    files: tuple[str, ...]
    needed: tuple[str, ...]
    what: str
    read: str
    advice: str


def fetch(name: HubName, content: Content, largest: int = LARGEST) -> Path:
    """Bring `content` of the repository to this machine, at most `largest` bytes; gives the folder of the commit.

    What is here already is not fetched again.

    Raises:
        UserError: there is no such repository or revision, it is of another kind, or a file of it is damaged.
    """
    with in_words(str(name)):
        commit = api().model_info(name.repository, revision=name.revision).sha
        listed = api().list_repo_tree(name.repository, recursive=True, revision=commit)
        files = {each.path: each for each in listed if isinstance(each, RepoFile)}
    _check_listing(name, files, content, largest)
    with in_words(str(name)):
        # By the name that was asked for, so that the client notes which commit it meant.
        wanted = list(content.files)
        path = Path(
            snapshot_download(
                name.repository, revision=name.revision, cache_dir=pulled_dir(), allow_patterns=wanted, token=token()
            )
        )
    try:
        if path.name != commit:
            raise UserError(f"{name} changed while it was pulled: pull it again.")
        for each in content.files:
            if each in files:
                _check_file(name, path / each, files[each])
    except UserError:
        forget(path)
        raise
    return path


def arrived(name: HubName) -> int:
    """Bytes of the repository that are on this machine so far."""
    blobs = pulled_dir() / f"models--{name.repository.replace('/', '--')}" / "blobs"
    return sum(file.stat().st_size for file in blobs.glob("*") if file.is_file())


def _check_listing(name: HubName, files: dict[str, RepoFile], content: Content, largest: int) -> None:
    missing = sorted(set(content.needed) - files.keys())
    if missing:
        pickles = sorted(path for path in files if PurePosixPath(path).suffix in PICKLES)
        if pickles:
            raise UserError(
                f"{name} holds {pickles[0]}, which can run code when it is opened, and no {missing[0]}: {content.read}."
            )
        raise UserError(f"{name} is not {content.what}: it has no {missing[0]}; {content.advice}.")
    size = sum(each.size for path, each in files.items() if path in content.files)
    if size > largest:
        raise UserError(f"{name} is {size / 1e6:,.0f} MB; at most {largest / 1e6:,.0f} MB are fetched here.")


def _check_file(name: HubName, path: Path, listed: RepoFile) -> None:
    with path.open("rb") as file:
        if listed.lfs is not None:
            same = hashlib.file_digest(file, "sha256").hexdigest() == listed.lfs.sha256
        else:  # as git does
            prefix = b"blob %d\0" % path.stat().st_size
            same = hashlib.file_digest(file, lambda: hashlib.sha1(prefix)).hexdigest() == listed.blob_id
    if not same:
        raise UserError(f"{path.name} of {name} is not what the Hub lists (its hash differs), so it was dropped: pull it again.")


def forget(snapshot: Path) -> None:
    """Remove a commit's files and what they point to, so that they are fetched again."""
    for path in snapshot.iterdir():
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    snapshot.rmdir()
