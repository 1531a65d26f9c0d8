"""Runs that were pulled: in the Hub client's own cache layout below ours, each at the revision it was pulled at."""

from __future__ import annotations

import re
from pathlib import Path

from cl_core.runs.folder import RunFolder
from cl_core.runs.hub_names import HubName, hub_name
from cl_core.system.paths import cache_dir

SHORT = re.compile(r"[0-9a-f]{7,40}")  # a commit, or the beginning of one


class PulledFolder(RunFolder):
    """A run of the Hub on this machine."""

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
    """Where pulled runs are kept."""
    return cache_dir() / "hub"


def snapshots(name: HubName) -> list[Path]:
    """Folders of commits that were fetched by this name; several where it is the beginning of several commits."""
    repository = pulled_dir() / f"models--{name.repository.replace('/', '--')}"
    reference = repository / "refs" / name.revision
    if reference.is_file():
        return [repository / "snapshots" / reference.read_text(encoding="utf-8").strip()]
    return list(repository.glob(f"snapshots/{name.revision}*")) if SHORT.fullmatch(name.revision) else []


def find_pulled(text: str) -> PulledFolder | None:
    """The run pulled as OWNER/NAME[@REVISION], without asking the Hub; None where there is none.

    Raises:
        UserError: `text` is no such name.
    """
    name = hub_name(text)
    folders = [PulledFolder(path, name) for path in snapshots(name)]
    whole = [folder for folder in folders if folder.exists() and folder.model_file.is_file()]
    return whole[0] if len(whole) == 1 else None


def pulled_runs() -> list[PulledFolder]:
    """All that were pulled, by name; each branch, tag or commit they were pulled by."""
    found = []
    for repository in sorted(pulled_dir().glob("models--*--*")):
        owner_and_name = repository.name.removeprefix("models--").replace("--", "/", 1)
        named = sorted(repository.glob("refs/**/*"))
        pointed_at = {file.read_text(encoding="utf-8").strip() for file in named if file.is_file()}
        revisions = [file.relative_to(repository / "refs").as_posix() for file in named if file.is_file()]
        revisions += [folder.name for folder in sorted(repository.glob("snapshots/*")) if folder.name not in pointed_at]
        for revision in revisions:
            folder = find_pulled(f"{owner_and_name}@{revision}")
            if folder:
                found.append(folder)
    return found
