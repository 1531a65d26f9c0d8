"""How events that follow a person's hand are wired."""

from __future__ import annotations

from typing import Any

# Past the queue and without a veil over the view; of many moves the last one counts.
QUICK: dict[str, Any] = {
    "show_progress": "hidden",
    "trigger_mode": "always_last",
    "api_visibility": "private",
    "queue": False,
}
