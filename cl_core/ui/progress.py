"""How far long work is."""

from __future__ import annotations

import html

from cl_core.text import text


def bar(share: float | None, words: str) -> str:
    """A bar with words beside it, as HTML; `share` is 0 to 1, or None while that is not known."""
    value = "" if share is None else f" value='{share:.3f}'"
    said = html.escape(words)
    return f"<div class='work' role='status'><progress max='1'{value} aria-label='{said}'></progress><span>{said}</span></div>"


def done(words: str) -> str:
    """What came of it, as HTML."""
    return f"<p class='work-done' role='status'>{html.escape(words)}</p>"


def time_left(seconds: float) -> str:
    """As the end of a sentence."""
    if seconds > 90:
        return text("progress.minutes", left=f"{seconds / 60:.0f}")
    return text("progress.seconds", left=f"{seconds:.0f}")
