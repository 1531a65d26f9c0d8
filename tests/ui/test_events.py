"""The page's events, fired by number by somebody who never opened it: no file is disclosed, nothing that costs is done."""

from __future__ import annotations

import base64
import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from cl_core.runs.folder import OWNER, RunFolder
from cl_core.ui.access import Access, Options
from tests.hub.conftest import files_of
from tests.hub.server import WRITER, Hub, serving
from tests.ui.raw import ask, event, served, visit

pytestmark = pytest.mark.slow

SECRET = (200, 30, 60)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def app() -> Iterator[tuple[str, Any]]:
    with served() as opened:
        yield opened


@pytest.fixture(scope="module")
def open_app() -> Iterator[tuple[str, Any]]:
    """As strangers reach it."""
    with served(host="0.0.0.0") as opened:
        yield opened


def usual(fn: Any) -> list[Any]:
    """What an untouched page sends with an event."""
    return [each.value if not isinstance(each, gr.State) else None for each in fn.inputs]


def event_of(blocks: Any, *names: str) -> Any:
    """The event of a component with one of these ids, that calls a function here."""
    ids = {each._id for each in blocks.blocks.values() if getattr(each, "elem_id", None) in names}
    return next(fn for fn in blocks.fns.values() if fn.fn and any(target in ids for target, _ in fn.targets))


def taking_files(blocks: Any) -> list[Any]:
    return [fn for fn in blocks.fns.values() if fn.fn and any(isinstance(each, gr.Image) for each in fn.inputs)]


def colors(answer: str) -> set[tuple[int, ...]]:
    """Of the middle of every image in an answer."""
    found = set()
    for part in re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", answer):
        image = Image.open(io.BytesIO(base64.b64decode(part))).convert("RGB")
        found.add(image.getpixel((image.width // 2, image.height // 2)))
    return found


def test_no_event_reads_a_file_that_was_not_sent_to_it(app: tuple[str, Any], tmp_path: Path) -> None:
    url, blocks = app
    Image.new("RGB", (64, 64), SECRET).save(tmp_path / "secret.png")
    (tmp_path / "text.png").write_text("not an image")
    events = taking_files(blocks)
    assert len(events) == 8, "two languages: two of the views', two of the search's"
    for fn in events:
        for extra in ({}, {"url": "x"}, {"meta": {"_type": "gradio.FileData"}}):
            answers = set()
            for path in (tmp_path / "secret.png", tmp_path / "text.png", tmp_path / "missing.png", Path("/etc/passwd")):
                data = usual(fn)
                data[next(i for i, each in enumerate(fn.inputs) if isinstance(each, gr.Image))] = {"path": str(path), **extra}
                said = event(url, fn._id, data, queued=bool(fn.queue)).replace(str(path), "")
                assert SECRET not in colors(said)
                answers.add(
                    re.sub(r'"(event_id|duration|average_duration|time_limit)":[^,}]+', "", said.split("process_completed")[-1])
                )
            assert len(answers) == 1, "whether a file is there is not told"
            assert "meta" in extra or re.search("choose it again|重新选择", answers.pop())


def test_no_notice_takes_the_check_off_an_upload(app: tuple[str, Any]) -> None:
    """Gradio builds an output anew whose event ends in `gr.skip`, without `image_upload`'s own `preprocess`."""
    uploads = [block for block in app[1].blocks.values() if isinstance(block, gr.Image)]
    changed = [fn for fn in app[1].fns.values() if any(each in uploads for each in fn.outputs)]
    assert len(uploads) >= 2 and len(changed) >= 3
    assert [fn.name for fn in changed if fn.fn and fn.fn.__name__ != "<lambda>"] == [], "what can show a notice"


def test_a_file_that_was_sent_is_read(app: tuple[str, Any]) -> None:
    url, blocks = app
    file = io.BytesIO()
    Image.new("RGB", (64, 64), SECRET).save(file, "PNG")
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="own.png"\r\nContent-Type: image/png\r\n\r\n'
    body = head + file.getvalue() + b"\r\n--b--\r\n"
    path = json.loads(ask(url, "/gradio_api/upload", body, Content_Type="multipart/form-data; boundary=b").text)[0]
    fn = next(each for each in taking_files(blocks) if each.queue and "views-view" in [o.elem_id for o in each.outputs])
    data = usual(fn)
    data[next(i for i, each in enumerate(fn.inputs) if isinstance(each, gr.Image))] = {"path": path}
    assert SECRET in colors(event(url, fn._id, data))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> Iterator[Hub]:
    """The Hub on loopback, and this machine's token for it."""
    with serving() as server:
        server.add("someone/run", files_of(ROOT / "checkpoints" / "fashion-simclr"))
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.setenv("HF_TOKEN", WRITER)
        yield server


COSTLY = ("train-start", "train-stop", "train-resume", "models-publish", "models-pull", "models-import")


def test_who_opened_no_page_trains_pulls_and_publishes_nothing(
    app: tuple[str, Any], tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, blocks = app
    monkeypatch.setenv("CL_RUNS_DIR", str(tmp_path / "runs"))
    before = len(hub.requests)
    for name in COSTLY:
        fn = event_of(blocks, name)
        for cookie in ("", "contrastive-explorer-visitor=0123.4567"):
            data = [
                "someone/stolen" if isinstance(each, gr.Textbox) else value
                for each, value in zip(fn.inputs, usual(fn), strict=True)
            ]
            said = event(url, fn._id, data, cookie)
            assert "Only a page of this app may do that" in said, name
    assert len(hub.requests) == before, "the token went nowhere"
    assert not (tmp_path / "runs").exists()


# Events that only look. Any other one has to refuse who opened no page: a new event is on one of the two sides.
LOOKING = {
    "Api",
    "Page.draws.<locals>.once",
    "Page.draws.<locals>.steps",
    "api",
    "build.<locals>.<lambda>",
    "functools.partial",
    *("_clicked", "answer", "ask_again", "ask_for_answer", "asked", "batch_controls", "choices", "clicked", "leave_out"),
    *("measure", "neighbors", "no_neighbors", "offered_parts", "picked", "planned", "search_for", "setting_changed", "show"),
    "show_answer",
    "str",
    *("show_map", "show_verdict", "stopped", "temperature_counts", "training_text", "use_as_batch"),
    *(f"_encoder_form.<locals>.{name}" for name in ("here",)),
    *(f"_save_form.<locals>.{name}" for name in ("hidden",)),
    *(f"_lay_out.<locals>.{name}" for name in ("opened",)),
    *(f"handle.<locals>.{name}" for name in ("followed", "following")),
    *(f"build.<locals>.{name}" for name in ("ask", "estimate_plan", "fill_recipe", "filled", "find_duplicates", "fit_epochs")),
    *(f"build.<locals>.{name}" for name in ("fit_methods", "follow", "list_datasets", "list_runs", "open_image")),
    *(f"build.<locals>.{name}" for name in ("show_dataset", "show_run", "still_missing", "to_compare", "update_run", "use_run")),
}


def test_every_event_looks_or_asks_who_fires_it(app: tuple[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url, blocks = app
    monkeypatch.setenv("CL_RUNS_DIR", str(tmp_path / "runs"))
    acting = []
    for fn in blocks.fns.values():
        handler = getattr(fn.fn, "__wrapped__", fn.fn)
        name = getattr(getattr(handler, "func", handler), "__qualname__", "functools.partial")
        if not fn.fn or name in LOOKING or name.partition(".")[0] in LOOKING:
            continue
        acting.append(name)
        body = {"data": usual(fn), "fn_index": fn._id, "session_hash": "nobody", "event_data": {}}
        headers = {"Content_Type": "application/json"}
        assert ask(url, "/gradio_api/queue/join", json.dumps(body), **headers).status == 200, name
        said = ask(url, "/gradio_api/queue/data?session_hash=nobody", **headers).text
        assert "Only a page of this app may do that" in said or "只有本应用的页面" in said, (name, said[-300:])
    assert {"build.<locals>.start_comparison", "handle.<locals>.uploaded", "build.<locals>.remove_run"} <= set(acting)
    assert len(acting) > 40
    assert not (tmp_path / "runs").exists()


def test_where_others_come_the_hub_is_off(open_app: tuple[str, Any], app: tuple[str, Any]) -> None:
    _, blocks = open_app
    ids = {getattr(each, "elem_id", None) for each in blocks.blocks.values()}
    assert not ids & {"models-publish", "models-pull", "models-import"}
    assert {"models-publish", "models-pull", "models-import"} <= {
        getattr(each, "elem_id", None) for each in app[1].blocks.values()
    }
    with served(host="0.0.0.0", shared=True) as (_, shared):
        assert "models-publish" in {getattr(each, "elem_id", None) for each in shared.blocks.values()}
    with served(read_only=True) as (_, looking):
        assert not {getattr(each, "elem_id", None) for each in looking.blocks.values()} & {*COSTLY}


def test_a_run_is_its_visitors(open_app: tuple[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url, blocks = open_app
    monkeypatch.setenv("CL_RUNS_DIR", str(tmp_path))
    own, other = visit(url), visit(url)
    begin, stop, resume = (event_of(blocks, name) for name in ("train-start", "train-stop", "train-resume"))
    data = [None, None, "digits", "simclr", "mlp", 500, 64, 0.2, 0.002, "--image-size 16 --snapshots 0"]
    assert "digits-simclr-1" in event(url, begin._id, data, own)
    run = tmp_path / "digits-simclr-1"
    assert (run / OWNER).read_text() == own.partition("=")[2].partition(".")[0]
    for fn in (stop, resume):
        assert "belongs to another visitor" in event(url, fn._id, ["digits-simclr-1", ""], other)
    deadline = time.monotonic() + 60
    while not (run / "metrics.jsonl").exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    began = time.monotonic()
    assert "success" in event(url, stop._id, ["digits-simclr-1", ""], own)
    while RunFolder(run).is_claimed():  # where a step takes long it is aborted, and the record stays as it was
        assert time.monotonic() - began < 90  # tests/training/test_jobs.py holds how quickly
        time.sleep(0.1)


def test_visitors_have_so_many_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cl_core.errors import UserError
    from cl_core.ui import visitors

    monkeypatch.setenv("CL_RUNS_DIR", str(tmp_path))
    monkeypatch.setattr(visitors, "MAX_RUNS", 2)
    strangers, trusted = Access(Options(host="0.0.0.0")), Access(Options(host="0.0.0.0", shared=True))
    for number in range(2):
        visitors.check_runs(strangers, "me")
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / OWNER).write_text("me")
    with pytest.raises(UserError, match="the limit for one visitor"):
        visitors.check_runs(strangers, "me")
    visitors.check_runs(strangers, "you")
    visitors.check_runs(trusted, "me")
