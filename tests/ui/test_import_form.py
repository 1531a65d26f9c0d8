"""Imports from the tab Images: their limits, their status, and files that are not there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from cl_core.errors import UserError
from cl_core.imports.jobs import ImportJob, ImportJobs
from cl_core.imports.process import ImportRequest
from cl_core.ui import visitors
from cl_core.ui.access import Access, Options
from cl_core.ui.tabs import import_form
from cl_core.ui.uploads import imports_dir, set_aside
from tests.ui.own_images import KEY, LOCAL, STRANGERS, ended, folder_of_images, request, store


@pytest.fixture(autouse=True)
def empty_cache(own_cache: Path) -> None:
    pass


@pytest.mark.slow
def test_limits_of_visitors(tmp_path: Path) -> None:
    visitor = STRANGERS.visitor(request(STRANGERS.new_cookie()))
    for i in range(3):
        store(f"anns-{i}", [0, 1], owner=visitor)
    with pytest.raises(UserError, match="You have 3 data sets here"):
        import_form.start_files(STRANGERS, ImportJobs(), tmp_path, "x", 64, visitor, temporary=False)
    with pytest.raises(UserError, match="Public data sets are not downloaded here"):
        import_form.start_download(STRANGERS, ImportJobs(), "pets")
    with pytest.raises(UserError, match="choose one of"):
        import_form.start_download(LOCAL, ImportJobs(), "imagenet")
    few = Access(Options(most_images=3), KEY)
    job = ended(import_form.start_files(few, ImportJobs(), folder_of_images(tmp_path), "x", 64, "", temporary=False))
    assert "holds more than 3 images" in import_form.status(job, 1.0)


@pytest.mark.slow
def test_an_upload_is_gone_after_its_import(tmp_path: Path) -> None:
    file = tmp_path / "upload"
    file.write_bytes(b"no archive")
    place = set_aside(file)
    assert place.parent == imports_dir() and not file.exists()
    job = ended(import_form.start_files(LOCAL, ImportJobs(), place, "", 64, "", temporary=True))
    assert not place.exists()
    assert (job.request.title, job.request.name) == ("My images", "my-images")
    said = import_form.status(job, 1.0)
    assert "My images" in said and str(imports_dir()) not in said


def test_the_status_of_an_import() -> None:
    job = ImportJob(ImportRequest(kind="files", name="x", source="", title="<b>"), None, lambda: None)
    assert "Waiting until another import" in import_form.status(job, 0)
    job.state, job.fraction = "running", 0.25
    assert "&lt;b&gt;: 25% of the files read" in import_form.status(job, 30) and "90 s" in import_form.status(job, 30)
    job.state, job.skipped_count = "done", 30
    job.skipped = [UserError("data.empty", name=f"<{i}>") for i in range(25)]
    said = import_form.status(job, 0)
    assert said.count("<li>") == 21 and "and 10 more" in said and "<0>" not in said


@pytest.mark.parametrize("given", ["", "  ", "/no/such", "a" * 5000, "~nobody-here/x", "\0"])
def test_paths_that_are_not_there(given: str) -> None:
    with pytest.raises(UserError, match="There is no folder or archive"):
        import_form.existing(given)


def test_so_many_imports_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Visitors cost nothing, and the file of each import lies on the disk."""
    waiting = SimpleNamespace(names=lambda: {str(i) for i in range(visitors.ALL_IMPORTS)}, of=lambda _: [])
    with pytest.raises(UserError, match="Many imports are waiting"):
        visitors.check_datasets(Access(Options(host="0.0.0.0")), "ann", waiting)  # type: ignore[arg-type]
    visitors.check_datasets(Access(Options()), "ann", waiting)  # type: ignore[arg-type]
