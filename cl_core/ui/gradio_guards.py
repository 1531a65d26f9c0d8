"""What Gradio does by default and an app for strangers must not: download what a request names, hold form fields in memory, and
print what strangers send at any length."""

from __future__ import annotations

import sys
import traceback
from types import SimpleNamespace
from typing import Any, NoReturn

import gradio as gr
from gradio import processing_utils, queueing, route_utils, routes, utils

from cl_core.errors import UserError
from cl_core.text import text

MAX_NAMES = 1_000
MAX_LINE = 300  # characters of a line of a traceback


def install() -> None:
    """Replace those parts of Gradio, for this process; a second call changes nothing."""
    for name in ("async_ssrf_protected_download", "async_ssrf_protected_get"):
        setattr(processing_utils, name, _refuse_download)
    route_utils.GradioMultiPartParser.on_part_data = _file_data  # type: ignore[method-assign, assignment]
    printer = SimpleNamespace(**{**vars(traceback), "print_exc": print_short})
    for module in (queueing, route_utils, routes, utils):
        setattr(module, "traceback", printer)  # noqa: B010


async def _refuse_download(*_: object, **__: object) -> NoReturn:
    raise gr.Error(str(UserError("access.no_upload")), print_exception=False)


_on_part_data = route_utils.GradioMultiPartParser.on_part_data


def _file_data(parser: Any, data: bytes, start: int, end: int) -> None:
    """Data of a part of a form: that of a file goes to the disk, that of a field would stay in memory."""
    if parser._current_part.file is None:
        raise route_utils.MultiPartException(text("access.no_upload"))
    _on_part_data(parser, data, start, end)


def forget_uploads() -> None:
    """Forget the names of uploads that pages asked about, beyond `MAX_NAMES`: Gradio keeps every name."""
    known = routes.file_upload_statuses
    for name in [*known._signals][: max(0, len(known._signals) - MAX_NAMES)]:
        known._signals.pop(name, None)
    done = [name for name, each in known._statuses.items() if each.is_done]
    for name in done[: max(0, len(known._statuses) - MAX_NAMES)]:
        known.stop_tracking(name)


def print_short(error: BaseException | None = None) -> None:
    """Print the traceback of an error, by default the one that is handled; long lines are cut, control characters escaped."""
    found = error or sys.exc_info()[1]
    if found is None:
        return
    # A `gr.Error` is for who asked, such as a choice that is none of a menu's.
    parts = [f"refused: {' '.join(str(found).split())}"] if isinstance(found, gr.Error) else traceback.format_exception(found)
    for part in parts:
        for line in part.rstrip("\n").split("\n"):
            shown = line if len(line) <= MAX_LINE else f"{line[:MAX_LINE]}..."
            print("".join(each if each.isprintable() else ascii(each)[1:-1] for each in shown), file=sys.stderr)
