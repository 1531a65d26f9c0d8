"""What the search takes from the page, which could send anything."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from cl_core.errors import UserError
from cl_core.explore.model_store import ModelStore
from cl_core.ui.tabs import search

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
