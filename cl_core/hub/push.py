"""Publish a finished run on the Hub, with a model card."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from cl_core.errors import UserError
from cl_core.hub.card import CURVES_FILE, model_card
from cl_core.hub.chart import curves_of, draw_curves
from cl_core.hub.client import api, hub_errors, require_token
from cl_core.hub.pull import RUN
from cl_core.runs.folder import RunFolder
from cl_core.runs.hub_names import NEWEST, hub_name
from cl_core.runs.store import open_run


def push(folder: RunFolder, text: str, private: bool = False) -> str:
    """Publish a run as OWNER/NAME; returns the address of the commit.

    Files of an earlier run that this one lacks are deleted; other files of the repository are left unchanged. The token is
    read by `client.api`.

    Args:
        private: create the repository as private; without effect if it exists.

    Raises:
        UserError: the run is unfinished, damaged or was trained elsewhere, there is no token, or the Hub refuses.
    """
    name = hub_name(text)
    if name.revision != NEWEST:
        raise UserError("hub.push_revision", repository=name.repository, revision=name.revision)
    record = folder.read_record()
    if record.state != "finished":
        raise UserError("hub.unfinished", path=str(folder.path), state=record.state)
    source = record.metrics.get("source")
    if source:
        raise UserError("hub.trained_elsewhere", name=folder.name, repository=source["repository"])
    open_run(folder)
    require_token(name.repository)
    with tempfile.TemporaryDirectory() as temporary:
        content = Path(temporary)
        write_repository(folder, name.repository, content)
        with hub_errors(name.repository):
            client = api()
            client.create_repo(name.repository, private=private, exist_ok=True)
            commit = client.upload_folder(
                repo_id=name.repository,
                folder_path=content,
                commit_message=f"{folder.name}: {record.config.method}",
                delete_patterns=[each for each in (*RUN.files, CURVES_FILE) if not (content / each).is_file()],
            )
    return str(commit.commit_url)


def write_repository(folder: RunFolder, repository: str, target: Path) -> None:
    """Write the published files to `target`: the run without what only resuming needs, its curves and its model card."""
    for name in RUN.files:
        if (folder.path / name).is_file():
            shutil.copyfile(folder.path / name, target / name)
    record = folder.read_record()
    curves = curves_of(folder.read_metrics(), record.metrics)
    if curves:
        (target / CURVES_FILE).write_bytes(draw_curves(curves))
    (target / "README.md").write_text(model_card(record, repository, bool(curves)), encoding="utf-8")
