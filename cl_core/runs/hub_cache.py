"""Runs pulled from the Hub, stored in the cache layout of the Hub client, each at the revision it was pulled at."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from cl_core.errors import UserError
from cl_core.runs.folder import RunFolder
from cl_core.runs.hub_names import HubName, hub_name, is_hub_name
from cl_core.system.files import read_bytes, write_bytes
from cl_core.system.paths import cache_dir

SHORT = re.compile(r"[0-9a-f]{7,40}")  # a commit hash or a prefix of one
COMMIT = re.compile(rb"\s*([0-9a-f]{40})\s*")  # content of a reference
MAX_REFERENCE = 200  # bytes


class PulledFolder(RunFolder):
    """A run pulled from the Hub."""

    def __init__(self, path: Path, name: HubName) -> None:
        super().__init__(path)
        self.hub_name = name

    @property
    def name(self) -> str:
        return str(self.hub_name)

    @property
    def commit(self) -> str:
        """The commit it is pinned to, 40 hexadecimal digits."""
        return self.path.name


def pulled_dir() -> Path:
    """Cache folder of pulled repositories."""
    return cache_dir() / "hub"


def snapshot_folders(name: HubName) -> list[Path]:
    """Folders of the pulled commits that `name` refers to; several if its revision is a prefix of several commits."""
    repository = repository_folder(name)
    commit = _commit_in(repository / "refs" / name.revision)
    if commit:
        return [repository / "snapshots" / commit]
    return list(repository.glob(f"snapshots/{name.revision}*")) if SHORT.fullmatch(name.revision) else []


def set_reference(name: HubName, commit: str) -> None:
    """Store that the revision of `name`, a branch, tag or short hash, stands for `commit`."""
    reference = repository_folder(name) / "refs" / name.revision
    if name.revision != commit:
        with contextlib.suppress(OSError, UserError):  # the run has been pulled, and its commit is a name, too
            reference.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(reference, commit.encode())


def repository_folder(name: HubName) -> Path:
    """Where the Hub client keeps what it downloads of a repository: its blobs, snapshots and references."""
    return pulled_dir() / f"models--{name.repository.replace('/', '--')}"


def _commit_in(reference: Path) -> str | None:
    """The commit that a reference holds; None if there is no such file, or it holds something else."""
    try:
        match = COMMIT.fullmatch(read_bytes(reference, MAX_REFERENCE))
    except (FileNotFoundError, UserError):
        return None
    return match[1].decode() if match else None


def find_pulled(text: str) -> PulledFolder | None:
    """The run pulled as OWNER/NAME[@REVISION], without a request to the Hub; None if there is none.

    Raises:
        UserError: `text` has another format.
    """
    name = hub_name(text)
    folders = [PulledFolder(path, name) for path in snapshot_folders(name)]
    complete = [folder for folder in folders if folder.exists() and folder.model_file.is_file()]
    return complete[0] if len(complete) == 1 else None


def pulled_runs() -> list[PulledFolder]:
    """All pulled runs sorted by name, one for each branch, tag or commit pulled."""
    runs = []
    for repository in sorted(pulled_dir().glob("models--*--*")):
        owner_and_name = repository.name.removeprefix("models--").replace("--", "/", 1)
        commits = {file: commit for file in sorted(repository.glob("refs/**/*")) if (commit := _commit_in(file))}
        referenced = set(commits.values())
        revisions = [file.relative_to(repository / "refs").as_posix() for file in commits]
        revisions += [folder.name for folder in sorted(repository.glob("snapshots/*")) if folder.name not in referenced]
        for revision in revisions:
            text = f"{owner_and_name}@{revision}"
            folder = find_pulled(text) if is_hub_name(text) else None
            if folder:
                runs.append(folder)
    return runs
