"""Controls for settings that a pydantic model describes: kind, default and bounds are the model's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import gradio as gr
from pydantic import BaseModel, TypeAdapter


def number_setting(model: type[BaseModel], name: str, **props: Any) -> gr.Number:
    """A field for a number; the pydantic model validates its bounds, and that it is whole where it must be."""
    return gr.Number(**({"value": model.model_fields[name].default} | props))


def setting_reader(model: type[BaseModel], name: str) -> Callable[[str, Mapping[str, Any]], Any]:
    """Parses a setting from a link; see `links.LinkedControl`."""
    field = model.model_fields[name]
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])
    return lambda raw, _: adapter.validate_python(raw)
