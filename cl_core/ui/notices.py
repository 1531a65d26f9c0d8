"""User errors become notices; what was on the screen stays, and the app goes on."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import gradio as gr

from cl_core.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")
NOTICE_S = 12.0


def noticed(handler: Callable[P, R]) -> Callable[P, R | dict[str, Any]]:
    """A handler whose `UserError` is shown as a notice and changes no output."""

    @functools.wraps(handler)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R | dict[str, Any]:
        try:
            return handler(*args, **kwargs)
        except UserError as error:
            gr.Warning(html.escape(str(error), quote=False), duration=NOTICE_S)
            return gr.skip()

    return wrapped
