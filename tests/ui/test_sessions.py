"""What the server keeps of visits and of answers that nobody fetches."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.queueing import Queue

from cl_core.ui import sessions
from cl_core.ui.sessions import LightStates, Unread
from tests.ui.raw import ask, event, served


@pytest.fixture(scope="module")
def app() -> Iterator[tuple[str, Any]]:
    with served() as opened:
        yield opened


def resident() -> float:
    """Memory of this process, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


@pytest.mark.slow
def test_a_thousand_visits_cost_nothing(app: tuple[str, Any]) -> None:
    """0.83 MB each before: a copy of every component's settings."""
    url, blocks = app
    slider = next(fn for fn in blocks.fns.values() if fn.fn and not fn.queue and "views-view" in [o.elem_id for o in fn.outputs])
    data = ["emoji-simclr", "dog", None, 1, 0.3, 0.5, 0.4, 0.2, 0.5, 1]
    for _ in range(20):
        event(url, slider._id, data, queued=False)
    before = resident()
    for _ in range(200):  # each a visit of its own
        event(url, slider._id, data, queued=False)
    assert resident() - before < 25, "200 visits"
    assert len(blocks.app.state_holder.session_data) <= sessions.MAX_SESSIONS


def test_what_an_event_changed_stays_with_its_visit(app: tuple[str, Any]) -> None:
    holder: LightStates = app[1].app.state_holder
    menu = next(each for each in app[1].blocks.values() if isinstance(each, gr.Dropdown))
    changed = gr.Dropdown(["other"], render=False)
    holder["mine"][menu._id] = changed
    assert holder["mine"][menu._id] is changed
    assert holder["yours"][menu._id] is menu
    assert "yours" not in holder.session_data
    for number in range(sessions.MAX_SESSIONS):
        holder[f"visit {number}"][menu._id] = changed
    assert "mine" not in holder.session_data
    assert len(holder.session_data) == sessions.MAX_SESSIONS


@pytest.mark.slow
def test_answers_that_nobody_fetches_are_forgotten(app: tuple[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A call with 256 rows kept 15 MB."""
    url, blocks = app
    monkeypatch.setattr(sessions, "MAX_UNREAD", 4)
    monkeypatch.setattr(sessions, "UNREAD_GRACE_S", 1.0)
    body = json.dumps({"data": [[[float(i == j) for j in range(64)] for i in range(64)], "nt-xent", 0.1, None]})
    queue: Queue = blocks._queue
    for _ in range(30):
        assert ask(url, "/gradio_api/call/loss_anatomy", body, Content_Type="application/json").status == 200
    deadline = time.monotonic() + 60

    def unread() -> int:
        return sum(not each.empty() for each in queue.pending_messages_per_session.values())

    # A sweep drops the answers first and then their names: wait for both.
    while unread() > 4 or any(queue.active_jobs) or len(queue) or len(queue.pending_event_ids_session) >= 10:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert unread() <= 4
    assert len(queue.event_analytics) <= sessions.EVENTS_REMEMBERED


class Board:
    """As much of Gradio's queue as the sweep looks at."""

    def __init__(self) -> None:
        self.pending_messages_per_session: dict[str, asyncio.Queue[int]] = {}
        self.pending_event_ids_session: dict[str, set[str]] = {}
        self.active_jobs: list[Any] = []
        self.event_queue_per_concurrency_id: dict[str, Any] = {}

    def answer(self, name: str) -> None:
        self.pending_messages_per_session[name] = asyncio.Queue()
        self.pending_messages_per_session[name].put_nowait(1)
        self.pending_event_ids_session[name] = {name}


def test_an_answer_waits_a_minute() -> None:
    board = Board()
    unread = Unread(board)  # type: ignore[arg-type]
    board.answer("old")
    assert unread.sweep(0.0) == 0
    board.answer("new")
    assert unread.sweep(sessions.UNREAD_S) == 0
    assert unread.sweep(sessions.UNREAD_S + 1) == 1
    assert list(board.pending_messages_per_session) == ["new"]
    assert list(board.pending_event_ids_session) == ["new"]
    for number in range(20):
        board.answer(f"burst {number}")
    assert unread.sweep(100.0) == 0, "they came just now"
    assert unread.sweep(101.0 + sessions.UNREAD_GRACE_S) == 21 - sessions.MAX_UNREAD
    for name in list(board.pending_messages_per_session):
        if name != "new":
            del board.pending_messages_per_session[name]
    board.answer("new")
    board.pending_messages_per_session["new"].get_nowait()  # fetched
    assert unread.sweep(1000.0) == 0
    assert list(board.pending_messages_per_session) == ["new"], "its stream may still be open"
