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
PHONE_PX = 720  # as in style.css
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
    """Style rules that hide the model menu on tabs that do not show its model; on a phone it has a line, which goes, too.

    A rule a tab: Gradio takes a comma for the end of a selector, also within `:has()`, and puts its own container before each.
    """
    menus = [f'.column:has([data-tab-id="{name}"][aria-selected="true"]) > .header .model-menu' for name in WITHOUT_MODEL]
    hidden = "\n".join(f"{menu} {{ visibility: hidden; }}" for menu in menus)
    gone = "\n".join(f"{menu} {{ display: none; }}" for menu in menus)
    return f"{hidden}\n@media (max-width: {PHONE_PX}px) {{\n{gone}\n}}"
