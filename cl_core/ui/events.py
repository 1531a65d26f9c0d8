"""Options of events: those that follow the pointer, and those that a person fires."""

from __future__ import annotations

from typing import Any

# Not queued, without an overlay; of many events the last one counts.
QUICK: dict[str, Any] = {
    "show_progress": "hidden",
    "trigger_mode": "always_last",
    "api_visibility": "private",
    "queue": False,
}
# Queued: notices travel through the queue.
PRESSED: dict[str, Any] = QUICK | {"queue": True}
