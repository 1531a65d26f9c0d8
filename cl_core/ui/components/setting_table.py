"""All settings of a run in groups, each with its bounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from cl_core.runs.fields import SettingField
from cl_core.text import text, texts
from cl_core.ui.components.base import module_component


def setting_table(groups: Mapping[str, Sequence[SettingField]], methods: Mapping[str, Sequence[str]], **props: Any) -> gr.HTML:
    """Draws a form with the settings that differ from their defaults marked.

    groups: their names -> settings. methods: groups that only some methods have -> these methods.
    value: `SettingsValue` of `types.d.ts`.
    Event `setting_change`: `{"name": ..., "value": ...}`, both texts; an empty value means the default.
    """
    hints = texts("setting.hint")
    listed = [
        {
            "title": text(f"setting.group.{group}"),
            "methods": list(methods.get(group, ())),
            "settings": [dataclasses.asdict(each) | {"hint": hints[each.name.replace(".", "_")]} for each in settings],
        }
        for group, settings in groups.items()
    ]
    words = texts("setting.table")
    return module_component("setting_table", events=("setting_change",), groups=listed, strings=words, **props)
