"""NCE and InfoNCE side by side, on one batch of the model."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.augment.views import plain_views
from cl_core.explore.batch import chosen_batch
from cl_core.explore.model import Model
from cl_core.text import text
from cl_core.ui import images
from cl_core.ui.components import nce_table
from cl_core.ui.explanation import explanation
from cl_core.ui.names import image_name
from cl_core.ui.packing import packed
from cl_core.ui.page import Event, Page

NOISE = 8  # images drawn from all, to show


def negatives_in_order(views: int, seed: int) -> Tensor:
    """For each view its positive, then the other views in random order, (V, V - 1) int64.

    Args:
        views: V, even; the positive of view i is view i + V / 2, and the other way round.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for view in range(views):
        positive = (view + views // 2) % views
        others = torch.tensor([each for each in range(views) if each not in (view, positive)], dtype=torch.long)
        rows.append(torch.cat([torch.tensor([positive]), others[torch.randperm(len(others), generator=generator)]]))
    return torch.stack(rows)


def show(model: Model, count: float, seed: float, picked: str = "") -> dict[str, Any]:
    """The cosines of a batch, and images drawn from the whole data set."""
    batch, data = chosen_batch(model, picked, int(count), int(seed)), model.dataset
    z = F.normalize(batch.trained, dim=1)
    drawn = torch.randint(len(data.on_map), (NOISE,), generator=torch.Generator().manual_seed(int(seed)))
    noise = plain_views(data.images[data.on_map[drawn]], model.run.size)
    return {
        "sprites": images.sprites(batch.views),
        "noise": images.sprites(noise),
        "names": [image_name(data, row) for row in batch.rows.tolist()],
        "views": len(z),
        "cosines": packed(z @ z.T, np.float32),
        "order": packed(negatives_in_order(len(z), int(seed)), np.int16),
        "temperature": model.temperature,
        "trainedTemperature": model.has_temperature,
    }


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; it is drawn when its tab opens, and its controls need no server."""
    with gr.Row(elem_classes="headline"):
        explanation("nce", text("nce.about"))
        again = gr.Button(text("loss.again"), variant="primary", scale=0, min_width=160)
    view = nce_table(elem_id="nce-view")
    page.draws([opened], show, [page.model, page.count, page.seed, page.picked], view)
    page.draws_new_batch(again)
