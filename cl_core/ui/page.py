"""What a tab needs of its page."""

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
from cl_core.explore.model_store import ModelStore
from cl_core.imports.jobs import ImportJobs
from cl_core.text import text, using_language
from cl_core.training.jobs import Jobs
from cl_core.ui.access import Access, Action
from cl_core.ui.events import QUICK
from cl_core.ui.gradio_guards import print_short
from cl_core.ui.links import LinkedControl
from cl_core.words.explore import WordStore

# What fires: `button.click`, or a tab's `opened`: its tab was opened, or model or batch changed while it is open.
Event = Callable[..., Any]

NOTICE_S = 12.0
# The browser numbers its calls; the number comes after all other inputs.
AFTER_DRAWING = "() => new Promise((resolve) => setTimeout(() => resolve(window.contrastiveLink.nextTurn()), 400))"
START = "(...given) => [...given.slice(0, -1), window.contrastiveLink.start({view}, {label})]"


@dataclasses.dataclass(frozen=True)
class Page:
    """One language's page: its model menu, its app, and the controls whose state the link holds.

    turn: hidden input with the number of a call.
    seed, count, picked: hidden inputs for the batch that several tabs show: `count` images drawn with `seed`, or the
        images in `picked` (`batch.picked_rows`).
    wanted: hidden input, the name of an image that another tab sends to the search.
    data: hidden input, "DATASET [METHOD] #NUMBER", what another tab asks the form of training to train; the number makes
        each request differ from the one before.
    jobs, imports: the app's training runs and imports of images. access: what visitors may do.
    """

    language: str
    app: gr.Blocks
    model: gr.Dropdown
    turn: gr.Number
    seed: gr.Number
    count: gr.Number
    picked: gr.Textbox
    wanted: gr.Textbox
    data: gr.Textbox
    linked: list[LinkedControl]
    jobs: Jobs
    imports: ImportJobs
    access: Access
    store: ModelStore
    words: WordStore
    resolvers: dict[int, Callable[[Any], Any]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.resolve(self.model, self.store.get)

    def resolve(self, menu: Any, find: Callable[[Any], Any]) -> None:
        """Pass handlers the result of `find` for the value of `menu`, such as the model instead of its name."""
        self.resolvers[menu._id] = find

    def _resolved(self, given: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
        """Arguments of a handler, names resolved; what Gradio adds (request, event, progress) has no input."""
        waiting, values = iter(inputs), []
        for value in given:
            if not isinstance(value, (gr.Request, gr.EventData, gr.Progress)):
                find = self.resolvers.get(getattr(next(waiting, None), "_id", -1))
                value = find(value) if find else value
            values.append(value)
        return values

    def offered_models(self, request: gr.Request, current: str) -> Any:
        """The menu of models after some are gone; the first one is chosen if `current` is among these."""
        found = self.store.names(self.access.viewer(request))
        return gr.update(choices=found) if current in found else gr.update(choices=found, value=found[0])

    def handles(self, handler: Callable[..., Any], inputs: Any = ()) -> Callable[..., Any]:
        """`handler` for an event of this page: texts are in the page's language, and an error becomes a notice.

        After a notice the page stays as it is.

        Args:
            inputs: of the event, if the handler takes models instead of their names.
        """
        inputs = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        if inspect.isgeneratorfunction(handler):
            return self._handles_steps(handler, inputs)

        @functools.wraps(handler)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with using_language(self.language):
                try:
                    return handler(*self._resolved(args, inputs), **kwargs)
                except Exception as error:  # one that nobody expected, too
                    return notice(error)

        return wrapped

    def handles_action(self, action: Action, handler: Callable[..., Any], inputs: Any = ()) -> Callable[..., Any]:
        """`handles` for what writes, trains, pulls or publishes: checks first that `access` allows it."""

        def steps(request: gr.Request, *given: Any) -> Iterator[Any]:
            self.access.check(action, request)
            yield from handler(*given)

        def once(request: gr.Request, *given: Any) -> Any:
            self.access.check(action, request)
            return handler(*given)

        return self.handles(steps if inspect.isgeneratorfunction(handler) else once, inputs)

    def _handles_steps(self, handler: Callable[..., Iterator[Any]], inputs: Sequence[Any]) -> Callable[..., Iterator[Any]]:
        @functools.wraps(handler)
        def wrapped(*args: Any, **kwargs: Any) -> Iterator[Any]:
            steps: Iterator[Any] | None = None
            failed = False
            while not failed:
                # Gradio runs every step in its own context, so the language is set for each and not across a yield.
                with using_language(self.language):
                    try:
                        steps = steps or handler(*self._resolved(args, inputs), **kwargs)
                        step = next(steps)
                    except StopIteration:
                        return
                    except Exception as error:
                        step, failed = notice(error), True
                yield step

        return wrapped

    def draws(
        self,
        triggers: Sequence[Event],
        handler: Callable[..., Any],
        inputs: list[Any],
        view: gr.HTML,
        for_viewer: bool = False,
        **how: Any,
    ) -> Any:
        """Set `view` to the result of `handler` for `inputs` whenever one of `triggers` fires; returns Gradio's dependency.

        Answers may arrive out of order: the view shows that of the last call. An error is shown in the place of the view.

        Args:
            handler: gives the value of the view as a dict, or several one after the other.
            for_viewer: whether the handler takes the viewer, see `Access.viewer`, after its other arguments.
            how: options of the events that differ from `QUICK`.
        """

        several = inspect.isgeneratorfunction(handler)

        def steps(request: gr.Request, *given: Any) -> Iterator[dict[str, Any]]:
            try:
                viewer = {"viewer": self.access.viewer(request)} if for_viewer else {}
                result = handler(*self._resolved(given[:-1], inputs), **viewer)
                for value in result if several else [result]:
                    yield value | {"turn": given[-1]}
            except Exception as error:
                yield {"turn": given[-1], "problem": sentence(error)}

        def once(request: gr.Request, *given: Any) -> dict[str, Any]:
            return next(steps(request, *given))

        start = START.format(view=json.dumps(view.elem_id), label=json.dumps(text("common.waiting")))
        return any_of(triggers)(self.handles(steps if several else once), [*inputs, self.turn], view, js=start, **(QUICK | how))

    def draws_new_batch(self, button: gr.Button) -> None:
        """Let `button` draw another batch for all tabs that show one."""
        outputs = [self.seed, self.picked]
        button.click(None, self.seed, outputs, js="(seed) => [seed + 1, '']", api_visibility="private")

    def link(self, name: str, component: Any = None, **how: Any) -> None:
        """Keep a control's state in the link under `name`; see `LinkedControl`.

        Call it before wiring other events of the control: Gradio runs them in that order.
        """
        self.linked.append(LinkedControl(name, component, **how))
        self.linked[-1].wire()


def any_of(triggers: Sequence[Event]) -> Event:
    """One event for several triggers.

    Gradio repeats all calls of an event when one that it deferred is due: two events with the same two calls would repeat
    each other without end. Calls that several events share are wired to an event of their own.
    """
    fired = gr.Number(0, visible=False)
    gr.on(triggers, None, None, fired, js="() => window.contrastiveLink.nextTurn()", api_visibility="private")
    return fired.change


def after_drawing(drawn: Any) -> gr.Number:
    """A number that changes a moment after `drawn` was answered: then its answer is on the page.

    What is below the first screen is drawn after it, for each event costs Gradio's page a tenth of a second.
    """
    number = gr.Number(0, visible=False)
    drawn.then(None, None, number, js=AFTER_DRAWING, api_visibility="private")
    return number


def notice(error: Exception) -> Any:
    """Show an error as a notice; gives what leaves the outputs of the event as they are. Only queued events show notices."""
    gr.Warning(html.escape(sentence(error), quote=False), duration=NOTICE_S)
    return gr.skip()


def sentence(error: Exception) -> str:
    """What a visitor reads about an error. That of an unexpected one names no reason, which may hold paths: the log has it."""
    if isinstance(error, UserError):
        return str(error)
    print_short(error)
    return text("common.failed")
