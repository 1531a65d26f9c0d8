"""Galleries computed in a thread of their own, so that answers of those that are ready need not wait for the others."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Sequence

from cl_core.data.dataset import gallery_rows
from cl_core.explore.model import Model, Space
from cl_core.explore.vector_index import EXACT_UP_TO


def quickest_first(model: Model) -> list[Space]:
    """The spaces of a model; that of the pixels comes first, except where its index takes long to build."""
    large = len(gallery_rows(model.dataset)) > EXACT_UP_TO
    return sorted(model.spaces, key=lambda space: (space == "pixels") == large)


class Preparation:
    """Compute galleries of a model, one after the other, from now on.

    Args:
        spaces: whose galleries, in this order.
    """

    def __init__(self, model: Model, spaces: Sequence[Space]) -> None:
        self._model, self._spaces = model, spaces
        self._closed = threading.Event()
        self._error: Exception | None = None
        # A GPU is lent to the visitor whose context this is.
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._compute,), daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds`; whether all galleries are ready.

        Raises: what computing them raised.
        """
        self._thread.join(seconds)
        if self._error:
            raise self._error
        return not self._thread.is_alive()

    def close(self) -> None:
        """Compute no gallery after the present one: nobody waits for it."""
        self._closed.set()

    def _compute(self) -> None:
        try:
            for space in self._spaces:
                if not self._closed.is_set():
                    self._model.gallery(space)
        except Exception as error:  # raised again by `wait`
            self._error = error
