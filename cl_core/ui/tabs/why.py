"""Why an answer of the search is similar: part of the tab Search."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from cl_core.explore.model import Model
from cl_core.explore.why_similar import Curves, Explained
from cl_core.ui import images
from cl_core.ui.names import image_name
from cl_core.ui.packing import packed

ANSWERS = 8  # that can be explained
STILL = 5  # answers without the important part
NOTHING: dict[str, Any] = {"explanations": []}


def show(
    model: Model, query: Tensor, item: dict[str, Any], without: Collection[int], rank: int, among: Tensor | None = None
) -> dict[str, Any]:
    """The explanations of one answer.

    Args:
        query: (1, 3, S, S) uint8; item: its image and caption.
        without: groups that are no answers.
        among: (N,) bool, the images that may be answers; by default all.
        rank: of the answer, from 0.
    """
    data = model.dataset
    rows = [each.row for each in model.search_tensor(query, ANSWERS, "trained", without, among)]
    if not rows:
        return NOTHING
    rank = min(rank, len(rows) - 1)
    cosine, explained, covered = model.explain(query, rows[rank])
    answer = data.images[rows[rank]]
    found = []
    for each, left in zip(explained, covered, strict=True):
        still = [near.row for near in model.search_tensor(left, STILL, "trained", without, among)]
        found.append(explanation_value(each) | {"without": [_image(model, row) for row in still]})
    return {
        "query": {"src": item["src"], "caption": item["caption"]},
        "answers": [_image(model, row) for row in rows],
        "rank": rank,
        "images": [images.data_url(images.to_image(image)) for image in (query[0], answer)],
        "cosine": cosine,
        "explanations": found,
    }


def explanation_value(explained: Explained) -> dict[str, Any]:
    """An explanation as the page draws it."""
    return {
        "kind": explained.kind,
        "maps": [packed(values, np.float32) for values in explained.maps],
        "sum": float(explained.maps[0].sum()) if explained.kind == "split" else None,
        "curves": _curves(explained.curves) if explained.curves else None,
        "untrained": explained.untrained,
    }


def _curves(pair: tuple[Curves, Curves]) -> dict[str, Any]:
    names = ("deletion", "insertion", "random_deletion", "random_insertion")
    means = {name: torch.stack([getattr(each, name) for each in pair]).mean(0).tolist() for name in names}
    return means | {"gain": sum(each.gain for each in pair) / 2}


def _image(model: Model, row: int) -> dict[str, str]:
    return {"src": images.thumbnail(model.dataset, row), "caption": image_name(model.dataset, row)}


def checked(rank: object) -> int:
    """A rank of an answer; 0 for anything else."""
    return rank if isinstance(rank, int) and 0 <= rank < ANSWERS else 0


def picked(event: gr.EventData) -> Any:
    """The answer to explain."""
    rank = event._data.get("rank")
    return rank if type(rank) is int and 0 <= rank < ANSWERS else gr.skip()
