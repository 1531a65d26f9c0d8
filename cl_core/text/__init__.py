"""Text for people, by key, from `locales/`, in the language of the page it is for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

LOCALES = Path(__file__).parent
# The first is the one at the root of the site; the others live under their code.
LANGUAGES = {"en": "English", "zh": "中文"}
FIRST = next(iter(LANGUAGES))
_spoken: ContextVar[str] = ContextVar("language", default=FIRST)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Let `text` answer in `language` while a page is laid out or one of its events is handled."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


@cache
def _locale(language: str) -> dict[str, str]:
    return json.loads((LOCALES / f"{language}.json").read_text(encoding="utf-8"))


def text(key: str, **values: object) -> str:
    """The text called `key`, its {placeholders} filled in.

    Raises:
        KeyError: there is no such text.
    """
    return _locale(_spoken.get())[key].format(**values)


def texts(prefix: str) -> dict[str, str]:
    """All texts whose keys begin with `prefix` and a dot, without it."""
    start = prefix + "."
    return {key.removeprefix(start): value for key, value in _locale(_spoken.get()).items() if key.startswith(start)}
