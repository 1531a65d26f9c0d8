"""Alignment, uniformity, spread and rank against closed forms and plain Python."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from cl_core.data.registry import load_dataset
from cl_core.evaluation.geometry import Geometry, alignment, effective_rank, output_std, tolerance, uniformity
from cl_core.runs.folder import RunFolder
from cl_core.runs.store import open_run
from cl_core.text import using_language
from cl_core.training.setup import monitor_geometry
from tests.evaluation.conftest import Small


def test_alignment() -> None:
    z = torch.eye(3)
    assert alignment(z, 5 * z) == pytest.approx(0)
    assert alignment(z, -z) == pytest.approx(4)
    assert alignment(z, z.roll(1, 0)) == pytest.approx(2)


def test_uniformity_is_the_formula() -> None:
    torch.manual_seed(0)
    z = torch.randn(9, 5)
    unit = F.normalize(z.double(), dim=1)
    pairs = [math.exp(-2 * float((unit[i] - unit[j]).square().sum())) for i in range(9) for j in range(i)]
    assert uniformity(z) == pytest.approx(math.log(sum(pairs) / len(pairs)), abs=1e-5)
    assert uniformity(torch.ones(4, 3)) == pytest.approx(0, abs=1e-6)


def test_even_spread_has_std_one_over_root_d() -> None:
    torch.manual_seed(0)
    for dim in (16, 128):
        assert output_std(torch.randn(4000, dim)) == pytest.approx(dim**-0.5, rel=0.03)
    assert output_std(torch.ones(10, 8)) == pytest.approx(0, abs=1e-7)


def test_effective_rank() -> None:
    assert effective_rank(torch.ones(10, 6)) == 1
    line = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]).repeat(4, 1)
    assert effective_rank(line) == pytest.approx(1)
    cross = torch.cat([torch.eye(6), -torch.eye(6)])
    assert effective_rank(cross) == pytest.approx(6)


def test_geometry_of_a_run(small: Small) -> None:
    run, data = open_run(RunFolder(small.folder)), load_dataset("digits")
    geometry, z = monitor_geometry(run.method, run.record.config, data, run.size, torch.device("cpu"))
    again, _ = monitor_geometry(run.method, run.record.config, data, run.size, torch.device("cpu"))
    assert geometry == again
    assert z.norm(dim=1) == pytest.approx(torch.ones(len(z)), abs=1e-5)
    recorded = run.record.metrics["geometry"]
    # The model on disk is in half precision.
    assert recorded["std"] == pytest.approx(geometry.std, rel=0.01)
    assert recorded["alignment"] == pytest.approx(geometry.alignment, rel=0.02)
    assert "1/sqrt(128) = 0.088" in geometry.protocol()
    stored = Geometry.from_metrics(recorded)
    assert stored is not None
    assert stored.protocol() == run.record.metrics["geometry_protocol"]
    with using_language("zh"):
        assert "256 张图片的嵌入" in stored.protocol()


def test_tolerance_is_the_mean_cosine_within_classes() -> None:
    z, labels = torch.randn(7, 5), torch.tensor([0, 0, 1, 1, 1, -1, -1])
    pairs = [(0, 1), (2, 3), (2, 4), (3, 4)]
    expected = sum(float(torch.cosine_similarity(z[i], z[j], dim=0)) for i, j in pairs) / len(pairs)
    assert tolerance(z, labels) == pytest.approx(expected, abs=1e-6)
    assert math.isnan(tolerance(z[:2], torch.tensor([0, 1])))


def test_half_precision_and_too_few_rows() -> None:
    torch.manual_seed(0)
    z = torch.randn(20, 8)
    labels = torch.arange(20) % 3
    for measure in (uniformity, output_std, effective_rank, lambda z: alignment(z, z.flip(0)), lambda z: tolerance(z, labels)):
        assert measure(z.half()) == pytest.approx(measure(z), abs=2e-3)
    assert math.isnan(uniformity(z[:1]))
    assert math.isnan(uniformity(z[:0]))
