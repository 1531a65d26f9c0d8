"""The state of a page's controls in its address: written by the browser as they move, read when the page opens.

A link is untrusted: every value passes the reader of its control, and what does not pass is said and left at its default.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.blocks import Block

from cl_core.explore.batch import picked_rows
from cl_core.explore.model_store import ModelStore
from cl_core.text import text
from cl_core.ui.modules import FRONTEND

LONGEST = 200  # characters of a value; no control needs more
# Links made by earlier versions keep opening: names and values as they were -> as they are.
RENAMED = {"picture": "image", "pictures": "images", "colour": "color", "grey": "gray", "centre": "center", "moment": "snapshot"}
RENAMED_VALUES = {
    "tab": {"pairs": "views", "matrix": "loss", "broken": "ablations"},
    "points": {"pictures": "images"},
}

# (text from the link, values of the controls before it) -> value; raises ValueError.
Reader = Callable[[str, Mapping[str, Any]], Any]


@dataclasses.dataclass(frozen=True)
class Kept:
    """A control whose state the link keeps.

    name: in the link. component: none where the browser alone sets it, and what the link says is only checked here.
    event: of the control, when it moved. read: what the link may say; by default what the control itself offers.
    choices: what a menu offers when the page is opened, where that is more than when it was laid out.
    """

    name: str
    component: Any = None
    event: str = "change"
    read: Reader | None = None
    choices: Callable[[], list[str]] | None = None

    def value(self, raw: str, before: Mapping[str, Any]) -> Any:
        """The value that `raw` stands for.

        Raises:
            ValueError: it stands for none.
        """
        if len(raw) > LONGEST:
            raise ValueError
        if self.read:
            return self.read(raw, before)
        return _offered(self.component, raw, self.choices() if self.choices else None)

    def wire(self) -> None:
        """Let the browser write the link when the control moves."""
        if self.component is None:
            return
        default = json.dumps(self.component.value)
        script = f"(value) => {{ window.contrastiveLink.set({json.dumps(self.name)}, value, {default}); return []; }}"
        getattr(self.component, self.event)(None, self.component, None, js=script, api_visibility="private")


def _offered(component: Block, raw: str, choices: list[str] | None = None) -> Any:
    if isinstance(component, gr.Slider):
        return number(raw, component.minimum, component.maximum)
    if isinstance(component, gr.Number):
        return int(number(raw, 0, 2**31 - 1))
    if isinstance(component, gr.Checkbox):
        return bool(one_of(raw, ["false", "true"]) == "true")
    if isinstance(component, gr.CheckboxGroup) or (isinstance(component, gr.Dropdown) and component.multiselect):
        chosen = [one_of(each, choices or _values(component)) for each in raw.split(",")]
        most = getattr(component, "max_choices", None)
        if most is not None and len(chosen) > most:
            raise ValueError
        return chosen
    if isinstance(component, (gr.Radio, gr.Dropdown)):
        return one_of(raw, choices or _values(component))
    if isinstance(component, gr.Textbox):
        return raw
    raise TypeError(f"no reader for {component}")


def _values(component: Any) -> list[str]:
    return [value for _, value in component.choices]


def number(raw: str, low: float, high: float) -> float:
    """A number from `low` to `high`."""
    value = float(raw)
    if not math.isfinite(value) or not low <= value <= high:
        raise ValueError
    return value


def one_of(raw: str, values: Sequence[str]) -> str:
    """One of `values`."""
    if raw not in values:
        raise ValueError
    return raw


def image_reader(store: ModelStore) -> Reader:
    """Reads the name of an image of the model's data set."""
    return lambda raw, before: one_of(raw, list(store.get(before["model"]).choices))


def picked_reader(store: ModelStore) -> Reader:
    """Reads images of the model's data set, as `picked_rows` does."""

    def read(raw: str, before: Mapping[str, Any]) -> str:
        if not picked_rows(raw, store.get(before["model"]).dataset):
            raise ValueError
        return raw

    return read


def renamed(query: Mapping[str, str]) -> dict[str, str]:
    """What a link says, by the present names."""
    named = {RENAMED.get(name, name): value for name, value in query.items()}
    return {name: RENAMED_VALUES.get(name, {}).get(value, value) for name, value in named.items()}


def restore(kept: Sequence[Kept], query: Mapping[str, str]) -> list[Any]:
    """What to set the controls to, one each, for a link that says `query`; other names in it are passed over."""
    values: dict[str, Any] = {each.name: getattr(each.component, "value", None) for each in kept}
    updates, refused = [], []
    query = renamed(query)
    for each in kept:
        update = gr.update(choices=each.choices()) if each.choices else gr.skip()
        if each.name in query:
            try:
                values[each.name] = each.value(query[each.name], values)
                update = update | gr.update(value=values[each.name])
            except ValueError:
                refused.append(each.name)
        if each.component is not None:
            updates.append(update)
    if refused:
        gr.Warning(text("links.refused", names=", ".join(refused)))
    return updates


def script() -> str:
    """What the page's head runs before Gradio starts."""
    tables = f"const RENAMED = {json.dumps(RENAMED)}, RENAMED_VALUES = {json.dumps(RENAMED_VALUES)};\n"
    return tables + (FRONTEND / "links.js").read_text(encoding="utf-8")
