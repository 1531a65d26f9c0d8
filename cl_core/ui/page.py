"""What a view needs of the page it is on."""

from __future__ import annotations

import dataclasses
import functools
import html
import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from cl_core.errors import UserError
from cl_core.text import speaking, text
from cl_core.training.jobs import Jobs
from cl_core.ui.access import Access, Action
from cl_core.ui.events import QUICK
from cl_core.ui.links import Kept

# What fires: `button.click`, or a view's `shown`, when it must be drawn (its tab opened, or model or batch changed under it).
Event = Callable[..., Any]

NOTICE_S = 12.0
# The browser numbers what it asks for; the number comes after all other inputs.
ASK = "(...given) => [...given.slice(0, -1), window.contrastiveLink.asked({view}, {words})]"


@dataclasses.dataclass(frozen=True)
class Page:
    """One language's page: its model menu, the app it belongs to, and the controls whose state its link keeps.

    turn: a hidden input that numbers what views ask for.
    seed, picked: hidden inputs that several views share, which batch they show: drawn with `seed`, or the images
        that `picked` names (`batch.picked_rows`).
    wanted: a hidden input, the name of the image that another view wants searched for.
    jobs: the app's trainings. access: what visitors may do.
    """

    language: str
    app: gr.Blocks
    model: gr.Dropdown
    turn: gr.Number
    seed: gr.Number
    picked: gr.Textbox
    wanted: gr.Textbox
    kept: list[Kept]
    jobs: Jobs
    access: Access

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

    def allows(self, action: Action, handler: Callable[..., Any]) -> Callable[..., Any]:
        """`handles` for what writes, trains, pulls or publishes: first asks `access` whether this visitor may."""

        def steps(request: gr.Request, *given: Any) -> Iterator[Any]:
            self.access.check(action, request)
            yield from handler(*given)

        def once(request: gr.Request, *given: Any) -> Any:
            self.access.check(action, request)
            return handler(*given)

        return self.handles(steps if inspect.isgeneratorfunction(handler) else once)

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

    def draws(
        self,
        triggers: Sequence[Event],
        handler: Callable[..., dict[str, Any]],
        inputs: list[Any],
        view: gr.HTML,
        **how: Any,
    ) -> None:
        """Give `view` what `handler` answers to `inputs` whenever one of `triggers` fires.

        Triggers that fire together are asked for together, and answers may cross: the view keeps the one asked for last.
        how: of the events, where they differ from `QUICK`.
        """

        def numbered(*given: Any) -> dict[str, Any]:
            try:
                return handler(*given[:-1]) | {"turn": given[-1]}
            except UserError as error:
                _notice(error)
                return {"turn": given[-1]}  # an answer, with nothing to draw

        ask = ASK.format(view=json.dumps(view.elem_id), words=json.dumps(text("common.waiting")))
        gr.on(triggers, self.handles(numbered), [*inputs, self.turn], view, js=ask, **(QUICK | how))

    def draws_new_batch(self, button: gr.Button) -> None:
        """Let `button` draw other images for all views that show a batch."""
        outputs = [self.seed, self.picked]
        button.click(None, self.seed, outputs, js="(seed) => [seed + 1, '']", api_visibility="private")

    def keep(self, name: str, component: Any = None, **how: Any) -> None:
        """Keep a control's state in the link under `name`; see `Kept`.

        Before the control's other events: Gradio answers them one after the other.
        """
        self.kept.append(Kept(name, component, **how))
        self.kept[-1].wire()


def _notice(error: UserError) -> Any:
    gr.Warning(html.escape(str(error), quote=False), duration=NOTICE_S)
    return gr.skip()
