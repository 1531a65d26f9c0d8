"""A finished run onto the Hub, with a page that says what it is."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from cl_core.errors import UserError
from cl_core.hub.card import CURVES_FILE, model_card
from cl_core.hub.chart import curves_of, draw_curves
from cl_core.hub.client import api, in_words, need_token
from cl_core.hub.pull import RUN
from cl_core.runs.folder import RunFolder
from cl_core.runs.hub_names import NEWEST, hub_name
from cl_core.runs.store import open_run


def push(folder: RunFolder, text: str, private: bool = False) -> str:
    """Publish the run in `folder` as OWNER/NAME; gives the address of the commit.

    The repository is made where there is none, and `private` counts then. What is there already and is no part of a run
    stays. The token is the client's own, see `client.api`.

    Raises:
        UserError: the run is not finished or not whole, or others trained it; there is no token, or the Hub refuses.
    """
    name = hub_name(text)
    if name.revision != NEWEST:
        raise UserError(f"A run is published as the newest of its repository: give {name.repository} without @{name.revision}.")
    record = folder.read_record()
    if record.state != "finished":
        raise UserError(f"The run in {folder.path} is {record.state}: let train finish it first, then push it.")
    source = record.metrics.get("source")
    if source:
        raise UserError(f"{folder.name} was trained elsewhere and is on the Hub already, as {source['repository']}.")
    open_run(folder)
    need_token(name.repository)
    with tempfile.TemporaryDirectory() as temporary:
        page = Path(temporary)
        fill(folder, name.repository, page)
        with in_words(name.repository):
            client = api()
            client.create_repo(name.repository, private=private, exist_ok=True)
            commit = client.upload_folder(
                repo_id=name.repository, folder_path=page, commit_message=f"{folder.name}: {record.config.method}"
            )
    return str(commit.commit_url)


def fill(folder: RunFolder, repository: str, page: Path) -> None:
    """Write to the folder `page` what is published: the run without what only resuming needs, its curves, its card."""
    for name in RUN.files:
        if (folder.path / name).is_file():
            shutil.copyfile(folder.path / name, page / name)
    curves = curves_of(folder.read_metrics(), folder.read_record().metrics)
    if curves:
        (page / CURVES_FILE).write_bytes(draw_curves(curves))
    (page / "README.md").write_text(model_card(folder.read_record(), repository, bool(curves)), encoding="utf-8")
