"""Text for people, by key, from `locales/`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

LOCALES = Path(__file__).parent / "locales"


@cache
def _locale(language: str) -> dict[str, str]:
    return json.loads((LOCALES / f"{language}.json").read_text(encoding="utf-8"))


def text(key: str, language: str = "en", **values: object) -> str:
    """The text called `key`, its {placeholders} filled in.

    Raises:
        KeyError: there is no such text.
    """
    return _locale(language)[key].format(**values)


def texts(prefix: str, language: str = "en") -> dict[str, str]:
    """All texts whose keys begin with `prefix` and a dot, without it."""
    start = prefix + "."
    return {key.removeprefix(start): value for key, value in _locale(language).items() if key.startswith(start)}
