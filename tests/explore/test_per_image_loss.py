"""The mean of the per-image losses is the loss that training computes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cl_core.augment.views import make_views
from cl_core.data.registry import load_dataset
from cl_core.explore import per_image_loss as per_image_loss
from cl_core.losses import nt_xent
from cl_core.networks.embedding import embed_views
from cl_core.runs.folder import RunFolder
from cl_core.runs.store import open_run


def test_the_mean_over_a_batch_is_its_nt_xent(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(per_image_loss, "BATCH", 16)
    run, images = open_run(RunFolder(small_run)), load_dataset("digits").images[:48]
    seen: list[float] = []
    losses = per_image_loss.per_image_losses(run, images, seen.append)
    assert seen == pytest.approx([1 / 3, 2 / 3, 1])
    generator = torch.Generator().manual_seed(per_image_loss.SEED)
    config = run.record.config
    for part in torch.randperm(48, generator=generator).tensor_split(3):
        pair = [make_views(images[part], config.augment, run.size, generator)[0] for _ in range(2)]
        z1, z2 = (embed_views(run.method, views, "embedding") for views in pair)
        assert float(losses[part].mean()) == pytest.approx(float(nt_xent(z1, z2, config.temperature)), rel=1e-5)
    assert torch.equal(losses, per_image_loss.per_image_losses(run, images))
