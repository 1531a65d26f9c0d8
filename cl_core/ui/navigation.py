"""The order of the tabs, the names of their groups above the first tab of each, and the tabs without a model menu."""

from __future__ import annotations

import json

from cl_core.text import LANGUAGES, text, using_language

# By the name of the group; tabs of the group "" stand alone.
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ("start",)),
    ("learn", ("views", "loss", "nce", "temperature", "keys", "clusters", "spectrum", "curves", "ablations")),
    ("explore", ("map", "search", "compare")),
    ("", ("words",)),
    ("make", ("images", "train", "models")),
)
TABS = tuple(name for _, names in GROUPS for name in names)
FIRST = TABS[0]
WITHOUT_MODEL = ("start", "keys", "ablations", "words", "images")  # they show fixed runs, or none


def group_styles() -> str:
    """Style rules that write each group's name above its first tab, in the page's language; readers aloud skip it."""
    rules = []
    for language in LANGUAGES:
        with using_language(language):
            for group, names in GROUPS:
                if group:
                    name = json.dumps(text(f"groups.{group}"), ensure_ascii=False)
                    rules.append(f':lang({language}) [data-tab-id="{names[0]}"]::before {{ content: {name} / ""; }}')
    starts = ", ".join(f'[data-tab-id="{names[0]}"]' for _, names in GROUPS[1:])
    return f"{starts} {{ margin-left: 25px !important; }}\n" + "\n".join(rules)


def model_styles() -> str:
    """A style rule that hides the model menu on tabs that do not show its model; its place stays empty."""
    tabs = ", ".join(f'[data-tab-id="{name}"][aria-selected="true"]' for name in WITHOUT_MODEL)
    return f".gradio-container:has({tabs}) .header .model-menu {{ visibility: hidden; }}"
