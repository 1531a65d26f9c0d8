"""The list of questions: each link sets controls that exist, and what answers it stands where the link leads."""

from __future__ import annotations

import json
import math
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from cl_core.explore.model_store import ModelStore
from cl_core.text import LANGUAGES, text, texts, using_language
from cl_core.ui.navigation import TABS
from cl_core.ui.questions import QUESTIONS, questions
from cl_core.ui.tabs import curves
from cl_core.ui.tabs import map as map_tab
from cl_core.ui.tour import STEPS
from tests.conftest import ROOT
from tests.ui.raw import ask, served

STORE = ModelStore()


@pytest.fixture(scope="module")
def app() -> Iterator[tuple[str, Any]]:
    with served() as opened:
        yield opened


@pytest.mark.slow
def test_every_link_of_a_question_or_a_step_of_the_tour_is_accepted(app: tuple[str, Any]) -> None:
    url, blocks = app
    opened = next(fn for fn in blocks.fns.values() if getattr(fn.fn, "__name__", "") == "opened")
    refused = text("links.refused", names="").rstrip(" .:")
    sources = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "cl_core" / "ui").rglob("*.py"))
    linked = set(re.findall(r'\.link\(\s*"([\w-]+)"', sources)) | {
        *["loss", "count", "gray", "jitter", "projector", "layer", "color"]
    }  # of loops
    for name, link in (*QUESTIONS, *STEPS, ("wrong", {"tab": "loss", "stage": "nowhere"})):
        assert link["tab"] in TABS and set(link) <= linked, name
        query = urllib.parse.urlencode(link)
        body = json.dumps({"data": [], "fn_index": opened._id, "session_hash": "asks"})
        ask(url, f"/gradio_api/queue/join?{query}", body, Content_Type="application/json")
        said = ask(url, "/gradio_api/queue/data?session_hash=asks").text
        assert "process_completed" in said
        assert (refused[:20] in said) == (name == "wrong"), name


def test_the_guide_lists_the_same() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    for name, link in QUESTIONS:
        where = f"{text('tabs.' + link['tab'])} | `?{urllib.parse.urlencode(link)}`"
        assert f"| {text(f'questions.text.{name}')} | {where} |" in guide, name


@pytest.mark.parametrize("language", LANGUAGES)
def test_twenty_questions_are_listed(language: str) -> None:
    with using_language(language):
        markup = questions().value
        assert len(QUESTIONS) == len(re.findall(r'<a href="\?tab=', markup)) == len(texts("questions.text")) == 20


def test_the_chance_level_is_explained_where_the_curve_is() -> None:
    for name in STORE.shipped_names():
        found = re.search(r"Chance is ln ([\d,]+) = ([\d.]+)", curves.show(STORE.get(name))[1])
        assert found is None or float(found[2]) == pytest.approx(math.log(int(found[1].replace(",", ""))), abs=0.006), name
        assert found is None or int(found[1].replace(",", "")) < 100_000, name
    _, summary = curves.show(STORE.get("emoji-simclr"))
    record = STORE.get("emoji-simclr").record
    candidates = 2 * record.config.batch_size - 1
    assert f"Chance is ln {candidates:,} = " in summary and "ln 255 = 5.54" in summary
    assert "Chance is ln" not in curves.show(STORE.get("emoji-simsiam"))[1], "it has no candidates"
    moco = curves.show(STORE.get("emoji-moco"))[1]
    assert "Chance is ln" in moco and "ln 255" not in moco, "its keys come from a queue"


def test_encoder_and_head_are_compared_by_one_protocol() -> None:
    model = STORE.get("emoji-simclr")
    encoder, head = model.knn_accuracy("feature"), model.knn_accuracy("embedding")
    assert encoder and head and encoder > head
    assert encoder == pytest.approx(model.metrics["knn"]["accuracy"], abs=0.01), "that of the run's record"
    said = map_tab._encoder_text(model, "embedding")
    assert f"{100 * encoder:.1f} %" in said and f"{100 * head:.1f} %" in said
    assert map_tab._encoder_text(model, "feature") == ""
