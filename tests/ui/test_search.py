"""What the search takes from the page, which could send anything."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cl_core.errors import UserError
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
    assert search.ask_for_answer(MODEL, event(id=row)) == ("cat face", None)
    for sent in (None, -1, 10**9, "1", True, 1.5):
        assert search.ask_for_answer(MODEL, event(id=sent)) == {"__type__": "update"}, "nothing changes"


def test_an_earlier_query_must_be_of_the_menu() -> None:
    assert search.ask_again(MODEL, event(name="cat face")) == ("cat face", None)
    for sent in (None, "../../etc/passwd", 7, ["cat face"]):
        with pytest.raises(UserError, match="is not among the images"):
            search.ask_again(MODEL, event(name=sent))


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


def test_answers_come_space_by_space_while_features_are_computed(own_cache: Path) -> None:
    model = ModelStore().get("emoji-simclr-small")
    *early, last = search.show_steps(model, None, "dog face", search.SIMILAR, [], "")
    first = early[0]["rows"]
    assert [len(row["items"]) for row in first] == [1, 1, 1] or len(first[2]["items"]) > 1, "the pixels are ready first"
    assert re.fullmatch(r"The network looks at all 3,786 images, once: \d+ %", first[0]["hint"])
    seen = [int(re.findall(r"(\d+) %", step["rows"][0]["hint"])[0]) for step in early if len(step["rows"][0]["items"]) == 1]
    assert seen == sorted(seen) and len(set(seen)) > 2
    assert last == search.show(model, None, "dog face")
    assert list(search.show_steps(model, None, "dog face", search.SIMILAR, [], "")) == [last], "now nobody waits"
    assert list(search.show_steps(model, str(own_cache), None, search.SIMILAR, [], ""))[-1]["rows"] == []


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
    assert update["value"] == ["family-2"] and update["visible"]
    assert update["choices"][0] == ("smileys & emotion, all classes (169)", "family-0")


@pytest.mark.parametrize("kind", review.KINDS)
def test_images_worth_a_second_look(kind: str) -> None:
    (row,) = search.show(MODEL, None, None, kind)["rows"]
    assert len(row["items"]) == review.MOST
    assert all(("pair" in item) == (kind == review.DUPLICATES) for item in row["items"])
    (row,) = search.show(MODEL, None, None, kind, ["family-9"])["rows"]
    assert {int(MODEL.dataset.families[item["id"]]) for item in row["items"]} == {9}


def test_images_without_labels_have_no_doubtful_ones() -> None:
    bare = SimpleNamespace(dataset=dataclasses.replace(MODEL.dataset, classes=[]))
    assert review.show(bare, review.LABELS, None) == {"rows": [], "empty": "These images have no labels that could be doubted."}
