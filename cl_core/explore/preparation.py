"""Galleries computed in a thread of their own, so that results of those that are ready need not wait for the others."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Generator, Sequence

from cl_core.data.dataset import gallery_rows
from cl_core.explore.model import Model, Space
from cl_core.explore.vector_index import EXACT_UP_TO

NO_WAIT_S, STEP_S = 0.2, 0.5  # before the first yield; between yields


def quickest_first(model: Model) -> list[Space]:
    """The spaces of a model; that of the pixels comes first, except where its index takes long to build."""
    large = len(gallery_rows(model.dataset)) > EXACT_UP_TO
    return sorted(model.spaces, key=lambda space: (space == "pixels") == large)


def prepare_galleries(model: Model, spaces: Sequence[Space]) -> Generator[None, None, None]:
    """Compute galleries in a thread, one after the other.

    Yields every `STEP_S` until all are ready; does not yield if they are ready within `NO_WAIT_S`. Closing the generator skips
    the galleries that are not yet started.

    Raises:
        Exception: of the computation.
    """
    closed, errors = threading.Event(), list[Exception]()

    def compute() -> None:
        try:
            for space in spaces:
                if not closed.is_set():
                    model.gallery(space)
        except Exception as error:  # raised again below
            errors.append(error)

    # A GPU is lent to the visitor whose context this is.
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(compute,), name=f"galleries of {model.name}", daemon=True)
    thread.start()
    try:
        thread.join(NO_WAIT_S)
        while thread.is_alive():
            yield
            thread.join(STEP_S)
    finally:
        closed.set()
    if errors:
        raise errors[0]
