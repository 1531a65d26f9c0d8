"""The state of a page's controls in its address: written by the browser, read when the page opens.

A link is untrusted: every value passes the reader of its control; a notice names those that do not, and they keep their
defaults.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.blocks import Block

from cl_core.errors import UserError
from cl_core.explore.batch import picked_rows
from cl_core.explore.model_store import ModelStore
from cl_core.text import text
from cl_core.ui.components.figure_view import plotly_script
from cl_core.ui.modules import FRONTEND, later_modules, modules_folder
from cl_core.ui.urls import file_url

MAX_VALUE = 200  # characters of a value; no control needs more
# Links of earlier versions keep opening: old names and values -> present ones.
RENAMED = {
    "picture": "image",
    "pictures": "images",
    "colour": "color",
    "grey": "gray",
    "centre": "center",
    "moment": "snapshot",
    "looks-at": "encoder-dataset",
    "contest-methods": "comparison-methods",
    "contest-minutes": "comparison-minutes",
}
RENAMED_VALUES = {
    "tab": {"pairs": "views", "matrix": "loss", "broken": "ablations"},
    "points": {"pictures": "images"},
}

# (text from the link, values of the controls before it) -> value; raises ValueError.
Reader = Callable[[str, Mapping[str, Any]], Any]


@dataclasses.dataclass(frozen=True)
class LinkedControl:
    """A control whose state is in the link.

    name: in the link. component: None for state of the browser, which is only validated here. event: of the control, when its
    value changes. read: parses a value; by default any value that the control offers. choices: of a menu when the page opens, if
    they can differ from those at the layout; called with `Access.viewer`.
    """

    name: str
    component: Any = None
    event: str = "change"
    read: Reader | None = None
    choices: Callable[[str | None], list[str]] | None = None

    def value(self, raw: str, before: Mapping[str, Any], viewer: str | None = None) -> Any:
        """The value of the text `raw`.

        Raises:
            ValueError: it is not valid.
        """
        if len(raw) > MAX_VALUE:
            raise ValueError
        if self.read:
            return self.read(raw, before)
        return _offered(self.component, raw, self.choices(viewer) if self.choices else None)

    def wire(self) -> None:
        """Let the browser write the link when the control changes."""
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
    """A link with present names and values."""
    named = {RENAMED.get(name, name): value for name, value in query.items()}
    return {name: RENAMED_VALUES.get(name, {}).get(value, value) for name, value in named.items()}


def restore(controls: Sequence[LinkedControl], query: Mapping[str, str], viewer: str | None = None) -> list[Any]:
    """Updates of the controls, one each, for the link `query`; unknown names are ignored."""
    values: dict[str, Any] = {each.name: getattr(each.component, "value", None) for each in controls}
    updates, refused = [], []
    query = renamed(query)
    for each in controls:
        update = gr.update(choices=each.choices(viewer)) if each.choices else gr.skip()
        if each.name in query:
            try:
                values[each.name] = each.value(query[each.name], values, viewer)
                update = update | gr.update(value=values[each.name])
            except (ValueError, UserError):
                refused.append(each.name)
        if each.component is not None:
            updates.append(update)
    if refused:
        gr.Warning(text("links.refused", names=", ".join(refused)))
    return updates


def script() -> str:
    """Script of the page's head: it runs before Gradio starts."""
    tables = f"const RENAMED = {json.dumps(RENAMED)}, RENAMED_VALUES = {json.dumps(RENAMED_VALUES)};\n"
    loader = file_url(modules_folder() / "render" / "plotly.js")
    plotly = f"const PLOTLY = {json.dumps(file_url(plotly_script()))}, PLOTLY_LOADER = {json.dumps(loader)};\n"
    preloaded = f"const MODULES = {json.dumps(later_modules())};\n"
    files = (FRONTEND / name for name in ("links.js", "tooltips.js", "numbers.js", "preload.js"))
    return tables + plotly + preloaded + "".join(file.read_text(encoding="utf-8") for file in files)
