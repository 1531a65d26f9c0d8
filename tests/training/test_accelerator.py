"""A step on CUDA never synchronizes with the host: checked without a GPU, on torch's fake tensors.

A fake CUDA tensor has a shape and a device but no values, so operations that need a value on the host (`.item()`, `bool()`,
indexing by a mask) raise, and so does mixing devices. The backward pass needs a GPU; its operations are torch's own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode

from cl_core.augment import record as record_module
from cl_core.augment.record import sample_record
from cl_core.augment.views import apply_record
from cl_core.losses import sup_con
from cl_core.losses.blockwise import BLOCKWISE_FROM
from cl_core.networks.encoders.registry import build_encoder
from cl_core.networks.methods import METHODS, TRAINABLE, DataShape
from cl_core.runs.config import RunConfig

CUDA = torch.device("cuda")


class OnCuda(torch.Generator):
    """A generator with the device CUDA; fake tensors accept any."""

    device = CUDA  # type: ignore[assignment]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # A copied network must stay in the same mode.
    monkeypatch.setattr(FakeTensorMode, "__deepcopy__", lambda mode, memo: mode, raising=False)
    record_module._jitter_range.cache_clear()
    with FakeTensorMode():
        yield
    record_module._jitter_range.cache_clear()


def run_step(config: RunConfig) -> None:
    with CUDA:  # fake networks cannot be moved to CUDA
        method = METHODS[config.method](build_encoder(config.encoder, 32), config, DataShape(500, 10))
    images = torch.zeros(500, 3, 32, 32, dtype=torch.uint8, device=CUDA)
    labels = torch.zeros(500, dtype=torch.long, device=CUDA)
    rows, generator = torch.zeros(config.batch_size, dtype=torch.long, device=CUDA), OnCuda()
    small = config.small_views if type(method).takes_views else 0
    sides = [32] * (type(method).view_count(config) - small) + [16] * small
    drawn = [(side, sample_record(len(rows), 32, 32, config.augment, generator)) for side in sides]
    views = [apply_record(images[rows], record, side).contiguous(memory_format=torch.channels_last) for side, record in drawn]
    output = method(views, labels[rows], rows, generator)
    method.after_step()
    assert output.loss.device.type == "cuda"


CASES = [
    *({"method": name} for name in TRAINABLE),
    {"augment": {"shading_prob": 0.4, "palette_prob": 0.4, "flat_prob": 0.4, "line_prob": 0.4, "thickness_prob": 0.4}},
    {"views": 2, "small_views": 2, "encoder": "fast-resnet"},
    *({"encoder": name} for name in ("resnet18-32px", "resnet18", "small-vit", "cnn", "mlp")),
    {"method": "simclr", "batch_size": BLOCKWISE_FROM // 2},
    {"method": "supcon", "batch_size": BLOCKWISE_FROM // 2},
]


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("settings", CASES, ids=lambda s: "-".join(map(str, s.values())))
def test_no_step_synchronizes(settings: dict[str, object]) -> None:
    run_step(RunConfig.model_validate({"batch_size": 64, "queue_size": 1024} | settings))


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("form", ["in", "in-sum"])
def test_supcon_inside_the_log_does_not_synchronize(form: str) -> None:
    for views in (32, BLOCKWISE_FROM):
        z, labels = torch.zeros(views, 8, device=CUDA), torch.zeros(views, dtype=torch.long, device=CUDA)
        assert sup_con(z, labels, 0.1, form).device.type == "cuda"  # type: ignore[arg-type]


@pytest.mark.usefixtures("fake")
def test_synchronization_raises() -> None:
    values = torch.zeros(4, device=CUDA)
    with pytest.raises(DataDependentOutputException):
        float(values.sum())
    with pytest.raises(DynamicOutputShapeException):
        values[values > 0]
