"""The map is contrastive, too: neighbor embedding from t-SNE to UMAP (Damrich et al. 2022)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from cl_core.data.dataset import spaced
from cl_core.evaluation.neighbors import nearest_others
from cl_core.evaluation.pca import pca
from cl_core.explore.model import Model
from cl_core.text import text
from cl_core.ui import images
from cl_core.ui.components import spectrum_view
from cl_core.ui.explanation import explanation
from cl_core.ui.packing import packed, whole_numbers
from cl_core.ui.page import Event, Page

NEIGHBORS = 15  # of each image, as in UMAP
MAX_IMAGES = 2_000  # images: a browser trains so many in real time


def neighbor_graph(features: Tensor, k: int = NEIGHBORS) -> tuple[Tensor, Tensor]:
    """The k nearest neighbors of each point (N, k), and the pairs where one is the other's neighbor, (E, 2), each once.

    Args:
        features: (N, D) of length 1.
    """
    _, neighbors = nearest_others(features, torch.arange(len(features)), torch.arange(len(features)), k)
    starts = torch.arange(len(features))[:, None].expand_as(neighbors)
    pairs = torch.stack([starts, neighbors], -1).reshape(-1, 2).sort(1).values
    return neighbors, pairs.unique(dim=0)


def show(model: Model) -> dict[str, Any]:
    """The graph of neighbors of the images on the map, at most `MAX_IMAGES`, and their first two principal components."""
    data, rows = model.dataset, model.dataset.on_map
    chosen = spaced(torch.arange(len(rows)), MAX_IMAGES)
    features = model.map_features()[chosen]
    neighbors, pairs = neighbor_graph(features, min(NEIGHBORS, len(chosen) - 1))
    order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(0))
    return {
        "sprites": images.cached_sprites(data, rows[chosen]),
        "count": len(chosen),
        "points": packed(whole_numbers(pca(features)), np.int16),
        "edges": packed(pairs[order], np.int16),
        "neighbors": packed(neighbors, np.int16),
    }


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; the browser trains the map."""
    explanation("spectrum", text("spectrum.about"))
    view = spectrum_view(elem_id="spectrum-view")
    page.draws([opened], show, [page.model], view, queue=True)
