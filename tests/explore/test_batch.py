"""Which images a batch shows."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

from cl_core.data.registry import load_dataset
from cl_core.explore import batch
from cl_core.explore.batch import chosen_batch
from cl_core.runs.config import RunConfig


@pytest.mark.parametrize(("method", "rows"), [("simclr", (1, 2, 3, 4)), ("supcon", (1, 3, 4))])
def test_picked_images_without_a_label_are_left_out_where_labels_are_learned(
    method: str, rows: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load_dataset("digits")
    labels = data.labels.clone()
    labels[2] = -1
    model = SimpleNamespace(
        config=RunConfig.model_validate({"dataset": "digits", "method": method}), dataset=dataclasses.replace(data, labels=labels)
    )
    monkeypatch.setattr(batch, "draw_batch", lambda model, count, seed, rows_picked=(): (count, rows_picked))
    assert chosen_batch(model, "digits:1,2,3,4", 8, 0) == (len(rows), rows)  # type: ignore[arg-type]


def test_one_picked_image_is_not_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    model = SimpleNamespace(config=RunConfig(dataset="digits"), dataset=load_dataset("digits"))
    monkeypatch.setattr(batch, "draw_batch", lambda model, count, seed, rows_picked=(): (count, rows_picked))
    assert chosen_batch(model, "digits:1,1", 8, 0) == (8, ())  # type: ignore[arg-type]
    assert chosen_batch(model, "emoji:1,2", 8, 0) == (8, ())  # type: ignore[arg-type]
