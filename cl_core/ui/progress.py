"""Progress of long work."""

from __future__ import annotations

import html

from cl_core.text import text


def progress_bar(fraction: float | None, label: str) -> str:
    """A progress bar with a label, as HTML. fraction: 0 to 1; None while it is unknown."""
    value = "" if fraction is None else f" value='{fraction:.3f}'"
    escaped = html.escape(label)
    return (
        f"<div class='work' role='status'><progress max='1'{value} aria-label='{escaped}'></progress><span>{escaped}</span></div>"
    )


def result(sentence: str) -> str:
    """The result of long work, as HTML."""
    return f"<p class='work-done' role='status'>{html.escape(sentence)}</p>"


def time_left(seconds: float) -> str:
    """The remaining time, as the end of a sentence."""
    if seconds > 90:
        return text("progress.minutes", left=f"{seconds / 60:.0f}")
    return text("progress.seconds", left=f"{seconds:.0f}")
