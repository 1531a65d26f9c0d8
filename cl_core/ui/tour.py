"""The tour: ten steps, each a link that sets the real controls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cl_core.text import text
from cl_core.ui.components import tour_panel
from cl_core.ui.links import one_of
from cl_core.ui.page import Page

# What the controls are set to at each step, as in a link.
STEPS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("million", {"tab": "words", "words": "words-cost"}),
    ("noise", {"tab": "words", "words": "words-step"}),
    ("candidates", {"tab": "loss", "loss": "nt-xent", "stage": "probability", "count": "8"}),
    ("views", {"tab": "views", "image": "dog face", "gray": "0"}),
    ("matrix", {"tab": "loss", "count": "32"}),
    ("temperature", {"tab": "temperature", "temperature": "0.5", "anchor": "2"}),
    ("collapse", {"tab": "ablations", "experiment": "no_stop_gradient"}),
    ("labels", {"tab": "loss", "loss": "out", "count": "32"}),
    ("keys", {"tab": "keys"}),
    ("search", {"tab": "search", "query": "dog face"}),
)
PARTS = ("title", "do", "notice", "question", "answer")


def steps() -> list[dict[str, Any]]:
    """The steps with their texts, in the language in effect, and their links."""
    return [{"link": dict(link), **{part: text(f"tour.{name}.{part}") for part in PARTS}} for name, link in STEPS]


def build(page: Page) -> None:
    """Lay out the panel beside the page; it is hidden unless the link names a step."""
    page.link("tour", read=lambda raw, _: one_of(raw, [str(i + 1) for i in range(len(STEPS))]))
    tour_panel(steps(), elem_id="tour", elem_classes="tour")
