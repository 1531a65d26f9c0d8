"""The server around the app: gate, small sessions, cleaning, and an orderly shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr
from gradio.server_messages import CloseStreamMessage

from cl_core.system.host import return_memory
from cl_core.text import DEFAULT_LANGUAGE, LANGUAGES
from cl_core.ui.access import Access
from cl_core.ui.api import parameters
from cl_core.ui.assets import QUERIED, Assets
from cl_core.ui.components.figure_view import plotly_script
from cl_core.ui.gate import Gate
from cl_core.ui.gradio_guards import forget_uploads
from cl_core.ui.images import sprite_folder
from cl_core.ui.modules import modules_folder
from cl_core.ui.sessions import EVENTS_REMEMBERED, LightStates, Unread
from cl_core.ui.uploads import sweep, uploads_dir
from cl_core.ui.visitors import clean_up

SWITCH_S = 0.0002  # of the interpreter lock: the encoder's hundred small steps wait that long for threads that serve pages
HOT = (
    "/queue/join",
    "/queue/data",
    "/upload",
    "/run/{api_name}",
    "/call/{api_name}",
    "/call/{api_name}/{event_id}",
    "/file={path_or_url:path}",
)
SWEEP_S = 2.0
UPLOADS_EVERY = 15  # sweeps
DRAIN_S = 10.0  # for calls in progress when the server ends
DRAIN_FETCH_S = 2.0  # for clients to fetch their answers
LOOK_EVERY_S = 0.01  # for new events; Gradio looks a thousand times a second, which takes a twentieth of a core while idle
DELIVERY_S = 0.5  # until the last answers are sent


class Server:
    """The server of one app."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._gate: Gate | None = None
        self._blocks: gr.Blocks | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[None]:
        """For Gradio's `launch`: put the gate before the app and clean up while it runs."""
        self._blocks, self._loop = app.get_blocks(), asyncio.get_running_loop()
        blocks = self._blocks
        app.state_holder = LightStates()
        app.state_holder.set_blocks(blocks)
        queue = blocks._queue
        # After each event Gradio computes statistics over 10,000, only for its monitoring page.
        queue.ANALYTICS_MAX_EVENTS, queue.ANAYLTICS_CACHE_FREQUENCY = EVENTS_REMEMBERED, sys.maxsize
        queue.sleep_when_free = LOOK_EVERY_S
        _hot_routes_first(app)
        pages = ["/", *(f"/{language}" for language in LANGUAGES if language != DEFAULT_LANGUAGE), *QUERIED]
        inner = app.middleware_stack
        # With a login, Gradio checks who may fetch a file.
        free = not self.access.options.auth
        scripts = modules_folder()
        assets = (
            Assets(inner, [sprite_folder(), scripts], [plotly_script()], pages, [scripts]) if free else Assets(inner, [], [], [])
        )
        self._gate = app.middleware_stack = Gate(inner, self.access, parameters(), blocks.fns, assets)
        sweeping = asyncio.create_task(_sweep_on(Unread(queue), self.access))
        try:
            yield
        finally:
            sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeping

    def run(self, ended: threading.Event) -> None:
        """Serve until `ended` is set or Ctrl-C is pressed; calls in progress are finished."""
        sys.setswitchinterval(SWITCH_S)
        with contextlib.suppress(KeyboardInterrupt):
            while not ended.wait(0.5):
                pass
        self.drain()
        self.close()

    def close(self) -> None:
        """End the server and the streams of open pages."""
        if self._gate is None or self._blocks is None or self._loop is None:
            return
        self._gate.closed = True
        self._loop.call_soon_threadsafe(self._end_streams)
        self._blocks.close(verbose=False)

    def _end_streams(self) -> None:
        """Close the remaining connections."""
        assert self._gate and self._blocks
        for connection in list(self._blocks.server.server_state.connections):
            connection.transport.abort()
        self._gate.end_streams()

    def drain(self, seconds: float = DRAIN_S) -> bool:
        """Refuse new calls and wait until those in progress are finished; False after `seconds`."""
        if self._gate is None or self._blocks is None:
            return True
        self._gate.closed = True
        queue, until = self._blocks._queue, time.monotonic() + seconds
        while self._gate.busy or len(queue) or any(queue.active_jobs):
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        until = time.monotonic() + DRAIN_FETCH_S
        while time.monotonic() < until and any(not each.empty() for each in list(queue.pending_messages_per_session.values())):
            time.sleep(0.05)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._close_streams)
        time.sleep(DELIVERY_S)
        return True

    def _close_streams(self) -> None:
        """Close the streams of open pages: Gradio's client never reopens one that breaks."""
        assert self._blocks
        for messages in list(self._blocks._queue.pending_messages_per_session.values()):
            messages.put_nowait(CloseStreamMessage())


def _hot_routes_first(app: Any) -> None:
    """Put the hottest routes first: Gradio tries 90 routes for each request, a quarter of its time under load."""

    def rank(route: Any) -> int:
        path = str(getattr(route, "path", ""))
        return next((i for i, end in enumerate(HOT) if path.endswith(end)), len(HOT))

    app.router.routes.sort(key=lambda route: getattr(route, "original_router", None) is None)
    for route in app.router.routes:
        router = getattr(route, "original_router", None)
        if router is not None:
            router.routes.sort(key=rank)


async def _sweep_on(unread: Unread, access: Access) -> None:
    for turn in itertools.count():
        await asyncio.sleep(SWEEP_S)
        unread.sweep(time.monotonic())
        if turn % UPLOADS_EVERY == 0:
            for work in (forget_uploads, lambda: sweep(uploads_dir(), time.time()), lambda: clean_up(access), return_memory):
                try:
                    await asyncio.to_thread(work)
                except Exception as error:  # the next time it may succeed, and private images must not stay
                    traceback.print_exception(error)
