"""Download files of a repository and verify them against the hashes that the Hub lists."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path, PurePosixPath

from huggingface_hub import RepoFile, snapshot_download

from cl_core.errors import UserError
from cl_core.hub.client import api, hub_errors, token
from cl_core.runs.hub_cache import pulled_dir, repository_folder
from cl_core.runs.hub_names import HubName

PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".h5"}
MAX_DOWNLOAD = 2_000_000_000  # bytes


@dataclasses.dataclass(frozen=True)
class Layout:
    """The files of a kind of repository.

    Attributes:
        kind: "run" or "encoder"; the last part of the keys of its messages.
        files: names of the files to download.
        required: those without which a repository is not of this kind.
    """

    kind: str
    files: tuple[str, ...]
    required: tuple[str, ...]


def fetch(name: HubName, layout: Layout, largest: int = MAX_DOWNLOAD) -> Path:
    """Download the files of `layout`, at most `largest` bytes; returns the folder of the commit.

    Files that are on this machine already are not downloaded again. What `name` refers to here stays as it is, until the
    caller has checked the files and calls `set_reference`.

    Raises:
        UserError: there is no such repository or revision, it is of another kind, or a file is damaged.
    """
    with hub_errors(str(name)):
        commit = str(api().model_info(name.repository, revision=name.revision).sha)
        entries = api().list_repo_tree(name.repository, recursive=True, revision=commit)
        files = {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}
    _check_listing(name, files, layout, largest)
    path = repository_folder(name) / "snapshots" / commit
    is_new = not path.exists()
    try:
        with hub_errors(str(name)):
            snapshot_download(
                name.repository,
                revision=commit,
                cache_dir=pulled_dir(),
                allow_patterns=list(layout.files),
                token=token(),
            )
    except BaseException:
        if is_new:  # a part of a commit; what was downloaded stays among the blobs
            shutil.rmtree(path, ignore_errors=True)
        raise
    try:
        for file in layout.files:
            if file in files:
                check_hash(name, path / file, files[file])
    except UserError:
        delete_snapshot(path)
        raise
    return path


def downloaded_bytes(name: HubName) -> int:
    """Bytes of the repository that are on this machine, those of an unfinished download included."""
    return sum(file.stat().st_size for file in repository_folder(name).glob("blobs/*") if file.is_file())


def _check_listing(name: HubName, files: dict[str, RepoFile], layout: Layout, largest: int) -> None:
    missing = sorted(set(layout.required) - files.keys())
    if missing:
        pickles = sorted(path for path in files if PurePosixPath(path).suffix in PICKLES)
        if pickles:
            raise UserError(f"hub.unsafe_{layout.kind}", name=str(name), pickle=pickles[0], missing=missing[0])
        raise UserError(f"hub.not_a_{layout.kind}", name=str(name), missing=missing[0])
    size = sum(entry.size for path, entry in files.items() if path in layout.files)
    if size > largest:
        raise UserError("hub.too_large", name=str(name), mb=f"{size / 1e6:,.0f}", most=f"{largest / 1e6:,.0f}")


def check_hash(name: HubName, path: Path, entry: RepoFile) -> None:
    """Check that a file is the one that the Hub lists, and delete it if not.

    Raises:
        UserError: it is another one.
    """
    with path.open("rb") as file:
        if entry.lfs is not None:
            same = hashlib.file_digest(file, "sha256").hexdigest() == entry.lfs.sha256
        else:  # git's hash of a blob
            prefix = b"blob %d\0" % path.stat().st_size
            same = hashlib.file_digest(file, lambda: hashlib.sha1(prefix)).hexdigest() == entry.blob_id
    if not same:
        path.resolve().unlink(missing_ok=True)  # else the client would find it the next time
        raise UserError("hub.wrong_hash", file=path.name, name=str(name))


def delete_snapshot(snapshot: Path) -> None:
    """Delete the files of a commit and the blobs that no other commit links to, so that they are downloaded again."""
    shared = {path.resolve() for path in snapshot.parent.glob("*/*") if path.parent != snapshot}
    for path in snapshot.iterdir():
        if path.resolve() not in shared:
            path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    snapshot.rmdir()
