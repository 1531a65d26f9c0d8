"""User errors become notices; the app goes on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import gradio as gr

from cl_core.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")


def noticed(handler: Callable[P, R]) -> Callable[P, R]:
    """A handler whose `UserError` is shown as a notice, without a traceback."""

    @functools.wraps(handler)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        except UserError as error:
            raise gr.Error(str(error), title="", duration=12, print_exception=False) from None

    return wrapped
