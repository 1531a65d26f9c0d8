"""Runs pulled from the Hub, stored in the cache layout of the Hub client, each at the revision it was pulled at."""

from __future__ import annotations

import re
from pathlib import Path

from cl_core.runs.folder import RunFolder
from cl_core.runs.hub_names import HubName, hub_name
from cl_core.system.paths import cache_dir

SHORT = re.compile(r"[0-9a-f]{7,40}")  # a commit hash or a prefix of one


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
    repository = pulled_dir() / f"models--{name.repository.replace('/', '--')}"
    reference = repository / "refs" / name.revision
    if reference.is_file():
        return [repository / "snapshots" / reference.read_text(encoding="utf-8").strip()]
    return list(repository.glob(f"snapshots/{name.revision}*")) if SHORT.fullmatch(name.revision) else []


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
        references = [file for file in sorted(repository.glob("refs/**/*")) if file.is_file()]
        referenced = {file.read_text(encoding="utf-8").strip() for file in references}
        revisions = [file.relative_to(repository / "refs").as_posix() for file in references]
        revisions += [folder.name for folder in sorted(repository.glob("snapshots/*")) if folder.name not in referenced]
        for revision in revisions:
            folder = find_pulled(f"{owner_and_name}@{revision}")
            if folder:
                runs.append(folder)
    return runs
