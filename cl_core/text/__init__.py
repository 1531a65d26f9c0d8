"""Text for people, by key, in the language in effect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

LOCALES = Path(__file__).parent
# The first is at the root of the site, the others under their code.
LANGUAGES = {"en": "English", "zh": "中文"}
DEFAULT_LANGUAGE = next(iter(LANGUAGES))
_language: ContextVar[str] = ContextVar("language", default=DEFAULT_LANGUAGE)


@contextmanager
def using_language(language: str) -> Iterator[None]:
    """Let `text` answer in `language`, while a page is laid out or one of its events is handled."""
    token = _language.set(language)
    try:
        yield
    finally:
        _language.reset(token)


def language() -> str:
    """Code of the language in effect."""
    return _language.get()


@cache
def _locale(language: str) -> dict[str, str]:
    return json.loads((LOCALES / f"{language}.json").read_text(encoding="utf-8"))


def text(key: str, **values: object) -> str:
    """The text of `key`, its {placeholders} filled in.

    Raises:
        KeyError: there is no such text.
    """
    return _locale(_language.get())[key].format(**values)


def texts(prefix: str) -> dict[str, str]:
    """All texts whose keys begin with `prefix` and a dot, without it."""
    start = prefix + "."
    return {key.removeprefix(start): value for key, value in _locale(_language.get()).items() if key.startswith(start)}
