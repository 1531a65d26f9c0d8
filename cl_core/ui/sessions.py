"""Small sessions.

Gradio stores a copy of every component's settings for each session (0.8 MB here), the last input and output of each, and
answers that nobody fetches. This app does not need them: values travel with each request, and an open page works after a restart
of the server. So a session here stores only what an event changed.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from gradio.blocks import Blocks
from gradio.components import State
from gradio.queueing import Queue
from gradio.state_holder import SessionState, StateHolder

MAX_SESSIONS = 200  # changed ones; the least recently used is dropped first
MAX_UNREAD = 8  # answers older than `UNREAD_GRACE_S`; the largest is 15 MB
UNREAD_GRACE_S = 5.0  # a connected page or client fetches an answer at once
UNREAD_S = 60.0  # longest time an answer is stored
EVENTS_REMEMBERED = 16  # by Gradio's own statistics, which it computes anew after every event


class LightState(SessionState):
    """A session that shares the app's components until an event changes one."""

    def __init__(self, blocks: Blocks, holder: LightStates, name: str) -> None:
        self.blocks_config = blocks.default_config
        self.config_values: dict[int, Any] = {}  # for deep links, which this app does not offer
        self.state_data: dict[int, Any] = {}
        self._state_ttl = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = 3600
        self._holder, self._name, self._own = holder, name, False

    def __setitem__(self, key: int, value: Any) -> None:
        if isinstance(self.blocks_config.blocks.get(key), State):
            super().__setitem__(key, value)
        else:
            if not self._own:
                self.blocks_config, self._own = copy(self.blocks_config), True
            self.blocks_config.blocks[key] = value
        self._holder.keep(self._name, self)

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


class LightStates(StateHolder):
    """Sessions by name; unchanged ones are not stored."""

    def set_blocks(self, blocks: Blocks) -> None:
        super().set_blocks(blocks)
        self.capacity = MAX_SESSIONS

    def __getitem__(self, session_id: str) -> SessionState:
        with self.lock:
            found = self.session_data.get(session_id)
            if found is not None:
                self.session_data.move_to_end(session_id)
        return found or LightState(self.blocks, self, session_id)

    def keep(self, session_id: str, state: SessionState) -> None:
        with self.lock:
            self.session_data[session_id] = state
            self.session_data.move_to_end(session_id)
            while len(self.session_data) > self.capacity:
                self.session_data.popitem(last=False)


class Unread:
    """Drops answers that nobody fetches; call `sweep` every few seconds."""

    def __init__(self, queue: Queue) -> None:
        self._queue, self._since = queue, dict[str, float]()

    def sweep(self, now: float) -> int:
        """Drop answers older than `UNREAD_S`, and the oldest of those older than `UNREAD_GRACE_S` beyond `MAX_UNREAD`.

        Args:
            now: in seconds, of any clock that only rises.

        Returns:
            Number of dropped answers.
        """
        queue = self._queue
        at_work = {event.session_hash for job in queue.active_jobs if job for event in job}
        at_work |= {event.session_hash for each in queue.event_queue_per_concurrency_id.values() for event in each.queue}
        messages = queue.pending_messages_per_session
        waiting = [name for name, unread in list(messages.items()) if not unread.empty() and name not in at_work]
        self._since = {name: self._since.get(name, now) for name in waiting}
        late = sorted((name for name in waiting if now - self._since[name] > UNREAD_GRACE_S), key=self._since.__getitem__)
        gone = {*late[: max(0, len(late) - MAX_UNREAD)], *(name for name in late if now - self._since[name] > UNREAD_S)}
        for name in gone:
            messages.pop(name, None)
        for name in list(queue.pending_event_ids_session):
            if name not in messages and name not in at_work:
                queue.pending_event_ids_session.pop(name, None)
        return len(gone)
