"""SimCLR is its encoder, its head and NT-Xent, nothing else."""

from __future__ import annotations

import math

import pytest
import torch

from cl_core.encoders import build_encoder
from cl_core.losses import nt_xent
from cl_core.methods import METHODS
from cl_core.training.config import RunConfig


def test_the_loss_is_nt_xent_of_the_projected_views() -> None:
    torch.manual_seed(0)
    config = RunConfig(temperature=0.3, projection_hidden=32, projection_dim=16)
    method = METHODS["simclr"](build_encoder("small-resnet", 28), config)
    views = [torch.rand(6, 3, 28, 28) for _ in range(2)]
    nothing = torch.zeros(6, dtype=torch.long)
    output = method(views, nothing, nothing)
    z = method.project(method.encoder(torch.cat(views)))
    assert z.shape == (12, 16)
    assert output.loss.item() == pytest.approx(nt_xent(z[:6], z[6:], 0.3).item(), rel=1e-5)
    assert output.chance == math.log(11)
    output.loss.backward()
    assert all(p.grad is not None for p in method.parameters())
