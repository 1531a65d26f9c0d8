"""What the search takes from the page, which could send anything."""

from __future__ import annotations

import dataclasses
import itertools
import re
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cl_core.errors import UserError
from cl_core.explore import preparation
from cl_core.explore.model import Model
from cl_core.explore.model_store import ModelStore
from cl_core.ui.tabs import review, search

MODEL = ModelStore().get("emoji-simclr-small")


def event(**data: Any) -> Any:
    return SimpleNamespace(_data=data)


def test_the_query_stands_before_its_answers() -> None:
    rows = search.show(MODEL, None, "dog face")["rows"]
    assert [len(row["items"]) for row in rows] == [9, 9, 9]
    assert all(row["items"][0]["caption"] == "dog face" and row["items"][0]["id"] is None for row in rows)
    assert all("dog face" not in [item["caption"] for item in row["items"][1:]] for row in rows)


def test_an_answer_becomes_the_query() -> None:
    row = MODEL.choices["cat face"]
    assert search.ask_for_answer(MODEL, 4, event(id=row)) == ("cat face", 5)
    for sent in (None, -1, 10**9, "1", True, 1.5):
        with pytest.raises(UserError, match="is not in this data set"):
            search.ask_for_answer(MODEL, 4, event(id=sent))


def test_an_earlier_query_must_be_of_the_menu() -> None:
    assert search.ask_again(MODEL, 0, event(name="cat face")) == ("cat face", 1)
    for sent in (None, "../../etc/passwd", 7, ["cat face"]):
        with pytest.raises(UserError, match="is not in this data set"):
            search.ask_again(MODEL, 0, event(name=sent))


def test_twelve_examples_are_offered_in_the_pages_language() -> None:
    found = search.show_examples(MODEL)["examples"]
    assert len(found) == 12
    assert all(each["src"].startswith("data:image/png;base64,") for each in found)


def test_an_answer_is_left_out_of_every_space() -> None:
    first = search.show(MODEL, None, "dog face")["rows"][0]["items"][1]
    excluded, button = search.leave_out(MODEL, "", event(id=first["id"]))
    assert button["visible"] and "(1)" in button["value"]
    rows = search.show(MODEL, None, "dog face", excluded=excluded)["rows"]
    assert all(first["id"] not in [item["id"] for item in row["items"]] and len(row["items"]) == 9 for row in rows)
    assert search.leave_out(MODEL, excluded, event(id=7))[0] == f"{first['id']} 7"


def test_what_the_page_sends_as_left_out_is_checked() -> None:
    for sent in (None, -1, 10**9, "1", True):
        assert search.leave_out(MODEL, "5", event(id=sent)) == ({"__type__": "update"},) * 2
    groups = MODEL.dataset.groups
    assert search.left_out(MODEL, "5 -1 x 99999999 ١ 12345678901234567890 6") == {int(groups[5]), int(groups[6])}
    assert len(search.left_out(MODEL, "1 " * 10**5)) == 1


@pytest.fixture
def impatient(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A model whose galleries are not there yet, on a page that reports progress often."""
    monkeypatch.setattr(preparation, "NO_WAIT_S", 0.0)
    monkeypatch.setattr(preparation, "STEP_S", 0.01)
    return ModelStore().get("emoji-simclr-small")


def test_answers_come_space_by_space_while_features_are_computed(impatient: Model) -> None:
    *early, last = search.show_steps(impatient, None, "dog face", search.SIMILAR, [], "")
    answered = [[len(row["items"]) > 1 for row in step["rows"]] for step in early]
    order = [list(each) for each, _ in itertools.groupby(answered)]
    assert order == [[False] * 3, [False, False, True], [True, False, True]], "pixels, trained, untrained"
    assert all(step["more"] for step in early) and not last["more"]
    assert "pixels" in early[0]["rows"][2]["hint"]
    waiting = [step["rows"][0]["hint"] for step, (trained, *_) in zip(early, answered, strict=True) if not trained]
    percents = [int(re.findall(r"Computing the features of all 3,786 images \(once\): (\d+) %", each)[0]) for each in waiting]
    assert percents == sorted(percents) and len(set(percents)) > 5
    assert last == search.show(impatient, None, "dog face")
    assert impatient.caches.preparing == {}


def test_a_review_waits_for_the_trained_gallery_alone(impatient: Model) -> None:
    *early, last = search.show_steps(impatient, None, None, review.DUPLICATES, [], "")
    assert early and all("features of all 3,786 images" in step["empty"] and step["more"] for step in early)
    assert last["rows"] and impatient.gallery_progress("trained") is None
    assert impatient.gallery_progress("untrained") == impatient.gallery_progress("pixels") == 0


def test_what_cannot_be_searched_is_said_at_once(impatient: Model, own_cache: Path) -> None:
    (only,) = search.show_steps(impatient, str(own_cache), None, search.SIMILAR, [], "")
    assert only["rows"] == [] and "There is no file" in only["empty"]


def test_errors_of_the_computation_reach_the_page(impatient: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise UserError("model.space", choices="a", given="b")

    monkeypatch.setattr("cl_core.explore.model.pixel_gallery", fail)
    with pytest.raises(UserError, match="b"):
        list(search.show_steps(impatient, None, "dog face", search.SIMILAR, [], ""))


def test_a_visitor_who_leaves_ends_the_computation_after_the_present_space(impatient: Model) -> None:
    steps = search.show_steps(impatient, None, "dog face", search.SIMILAR, [], "")
    next(steps)
    steps.close()
    for thread in threading.enumerate():
        if thread.name == f"galleries of {impatient.name}":
            thread.join()
    assert impatient.gallery_progress("pixels") is None
    assert impatient.gallery_progress("trained") == 0


def test_answers_are_limited_to_chosen_classes() -> None:
    animals = MODEL.dataset.family_names.index("Animals & Nature")
    for row in search.show(MODEL, None, "dog face", among=[f"family-{animals}"])["rows"]:
        assert {int(MODEL.dataset.families[item["id"]]) for item in row["items"][1:]} == {animals}


def test_parts_from_a_link() -> None:
    assert search.read_parts("family-2,class-17", {}) == ["family-2", "class-17"]
    for raw in ("", "family", "class-1;drop", "class-1234567", ",".join(["class-1"] * 21)):
        with pytest.raises(ValueError):
            search.read_parts(raw, {})


def test_parts_of_another_data_set_leave_the_menu() -> None:
    update = search.offered_parts(MODEL, ["family-2", "class-99999"])
    assert "value" not in search.offered_parts(MODEL, ["family-2"])
    assert update["value"] == ["family-2"] and update["visible"]
    assert update["choices"][0] == ("smileys & emotion, all classes (169)", "family-0")


@pytest.mark.parametrize("kind", review.KINDS)
def test_images_worth_a_second_look(kind: str) -> None:
    (row,) = search.show(MODEL, None, None, kind)["rows"]
    assert len(row["items"]) == review.MAX_SHOWN
    assert all(("pair" in item) == (kind == review.DUPLICATES) for item in row["items"])
    (row,) = search.show(MODEL, None, None, kind, ["family-9"])["rows"]
    assert {int(MODEL.dataset.families[item["id"]]) for item in row["items"]} == {9}


def test_images_without_labels_have_no_doubtful_ones() -> None:
    bare = SimpleNamespace(dataset=dataclasses.replace(MODEL.dataset, classes=[]))
    assert review.show(bare, review.LABELS, None) == {"rows": [], "empty": "These images have no labels that could be doubted."}
