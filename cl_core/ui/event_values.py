"""What an event of the page may send: anyone can fire it with any JSON, and Gradio prints what it cannot read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.blocks import BlockFunction

from cl_core.text import text

MAX_VALUES = 1_100_000  # of one call, as many as `loss_anatomy` takes: read from JSON, a value takes up to 70 bytes
MAX_EVENT = 4_000_000  # bytes of an event of the page; a function that anyone may call may get an image
MAX_NUMBER = 2.0**53  # beyond it a browser has no whole numbers
NAME = re.compile(r"[\w-]{1,64}")  # of a session


def problem_of(
    content: bytes, events: Mapping[int, BlockFunction], functions: Mapping[str, Sequence[str]], name: str = ""
) -> str:
    """What is wrong with the body of a call; empty where Gradio may read it.

    Args:
        content: JSON.
        events: of the page, by number.
        functions: that anyone may call, by name, with the names of their parameters.
        name: of the called function; without it, the body names an event.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return text("access.no_json")
    if not isinstance(body, dict) or not _is_session(body.get("session_hash")):
        return text("access.no_json") if name else text("access.wrong_event")
    given = body.get("data")
    if name:
        parameters = functions[name]
        if isinstance(given, list) and len(given) != len(parameters):
            named = ", ".join(parameters)
            return text("access.wrong_count", name=name, count=len(parameters), parameters=named, given=len(given))
        return ""
    number = body.get("fn_index")
    event = events.get(number) if isinstance(number, int) and not isinstance(number, bool) else None
    if event is None or body.get("batched") or not isinstance(given, list) or len(given) < len(event.inputs):
        return text("access.wrong_event")
    if len(content) > MAX_EVENT and event.api_name not in functions:
        return text("access.too_large", most=f"{MAX_EVENT / 1e6:.0f}")
    if event.collects_event_data and not isinstance(body.get("event_data"), dict):
        return text("access.wrong_event")
    fits = all(_fits(component, value) for component, value in zip(event.inputs, given, strict=False))
    return "" if fits else text("access.wrong_event")


def holds_too_many(content: bytes) -> bool:
    """Whether JSON has more values than a call needs; counted before it is read."""
    return sum(map(content.count, (b",", b"[", b"{"))) > MAX_VALUES


def _is_session(name: object) -> bool:
    return name is None or (isinstance(name, str) and NAME.fullmatch(name) is not None)


def _fits(component: Any, value: object) -> bool:
    """Whether a value has the type of its control; choices are looked up by what handles the event."""
    if isinstance(component, gr.State):
        return True  # Gradio takes its own
    return next((fits(component, value) for kind, fits in KINDS.items() if isinstance(component, kind)), True)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER  # NaN is not, either


def _is_choice(component: Any, value: object) -> bool:
    return type(value) in {type(choice) for _, choice in component.choices} or (value is None and component.value is None)


def _is_one_of_several(component: Any, value: object) -> bool:
    if getattr(component, "multiselect", False):
        return value is None or (isinstance(value, list) and all(isinstance(each, str) for each in value))
    return value is None or isinstance(value, str)


def _is_file(_: Any, value: object) -> bool:
    """Gradio would download an address."""
    return value is None or (isinstance(value, dict) and "://" not in str(value.get("path"))[:20])


KINDS: dict[type, Callable[[Any, object], bool]] = {
    gr.Slider: lambda _, value: _is_number(value),
    gr.Number: lambda _, value: value is None or _is_number(value),
    gr.Checkbox: lambda _, value: value is None or isinstance(value, bool),
    gr.Textbox: lambda _, value: value is None or isinstance(value, str),
    gr.Radio: _is_choice,
    gr.Dropdown: _is_one_of_several,
    gr.CheckboxGroup: lambda _, value: isinstance(value, list) and all(isinstance(each, str) for each in value),
    gr.Image: _is_file,
}
