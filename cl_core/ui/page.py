"""What a view needs of the page it is on."""

from __future__ import annotations

import dataclasses
import functools
import html
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from cl_core.errors import UserError
from cl_core.ui.links import Kept
from cl_core.ui.text import speaking

NOTICE_S = 12.0


@dataclasses.dataclass(frozen=True)
class Page:
    """One language's page: its model menu, the app it belongs to, and the controls whose state its link keeps."""

    language: str
    app: gr.Blocks
    model: gr.Dropdown
    kept: list[Kept]

    def handles(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """`handler` for an event of this page: it speaks the page's language, and its `UserError` becomes a notice.

        After a notice nothing on the screen changes.
        """
        if inspect.isgeneratorfunction(handler):
            return self._handles_steps(handler)

        @functools.wraps(handler)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with speaking(self.language):
                try:
                    return handler(*args, **kwargs)
                except UserError as error:
                    return _notice(error)

        return wrapped

    def _handles_steps(self, handler: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        @functools.wraps(handler)
        def wrapped(*args: Any, **kwargs: Any) -> Iterator[Any]:
            steps = handler(*args, **kwargs)
            while True:
                # Gradio takes every step in a context of its own, so the language is set for each.
                with speaking(self.language):
                    try:
                        step = next(steps)
                    except StopIteration:
                        return
                    except UserError as error:
                        step = _notice(error)
                yield step

        return wrapped

    def keep(self, name: str, component: Any = None, **how: Any) -> None:
        """Keep a control's state in the link under `name`; see `Kept`."""
        self.kept.append(Kept(name, component, **how))


def _notice(error: UserError) -> Any:
    gr.Warning(html.escape(str(error), quote=False), duration=NOTICE_S)
    return gr.skip()
