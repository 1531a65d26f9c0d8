"""Controls for settings that a pydantic model describes: kind, default and bounds are the model's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import gradio as gr
from pydantic import BaseModel, TypeAdapter


def number_setting(model: type[BaseModel], name: str, **props: Any) -> gr.Number:
    """A field for a number; the pydantic model validates its bounds."""
    field = model.model_fields[name]
    return gr.Number(**({"value": field.default, "precision": 0 if field.annotation is int else None} | props))


def setting_reader(model: type[BaseModel], name: str) -> Callable[[str, Mapping[str, Any]], Any]:
    """Parses a setting from a link; see `links.LinkedControl`."""
    field = model.model_fields[name]
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])
    return lambda raw, _: adapter.validate_python(raw)
