"""The tour: its links are valid, and it names controls as they are named."""

from __future__ import annotations

import re

import pytest

from cl_core.explore.model_store import ModelStore
from cl_core.text import LANGUAGES, texts, using_language
from cl_core.ui.navigation import TABS
from cl_core.ui.tour import PARTS, STEPS, steps

NAMES = re.compile(r"(?<!\*)\*([^*]+)\*(?!\*)")


def test_ten_steps_lead_to_tabs_that_exist() -> None:
    assert len(STEPS) == 10
    assert [link["tab"] for _, link in STEPS if link["tab"] not in TABS] == []
    names = ModelStore().names()
    assert all(link.get("model", names[0]) in names for _, link in STEPS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_to_be_done_is_named_as_on_the_page(language: str) -> None:
    with using_language(language):
        shown = {each for prefix in PREFIXES for each in texts(prefix).values()} | set(ModelStore().names())
        for step in steps():
            assert set(step) == {"link", *PARTS}
            for name in NAMES.findall(step["do"]):
                assert name in shown, name


PREFIXES = (
    "views",
    "loss",
    "losses",
    "temperature",
    "loss_microscope",
    "temperature_lab",
    "ablations",
    "words",
    "search",
    "tabs",
)
