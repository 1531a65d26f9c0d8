"""Estimated memory and time of a run, against measured ones."""

from __future__ import annotations

import dataclasses
import time

import pytest
import torch

from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.networks.embedding import PIXELS_BYTES
from cl_core.networks.methods import TRAINABLE
from cl_core.runs.config import RunConfig
from cl_core.text import using_language
from cl_core.training import estimate as module
from cl_core.training.estimate import MAX_STEP_S, check_affordable, estimate
from cl_core.training.loop import Training
from cl_core.training.setup import build_method

CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """The first estimate of a process takes a second or two longer."""
    estimate(RunConfig(dataset="digits", encoder="resnet50"), load_dataset("digits"))


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "memory_gb", lambda: 16.0)


@pytest.mark.parametrize("encoder", ["resnet50", "small-resnet"])
def test_a_run_that_is_too_large_is_an_error_at_once(encoder: str) -> None:
    config = RunConfig(dataset="emoji", encoder=encoder, image_size=512, batch_size=65_536)
    began = time.monotonic()
    with pytest.raises(
        UserError, match=r"^This training would need about [\d,]{3,5} GB of memory and this machine offers 11 GB: "
    ) as raised:
        check_affordable(config, load_dataset("emoji"), CPU)
    assert time.monotonic() - began < 10.0  # a step takes minutes
    with using_language("zh"):
        assert str(raised.value).endswith("请选择更小的 batch_size 或 image_size，或更小的编码器。")
    assert str(raised.value).endswith("choose a smaller batch_size or image_size, or a smaller encoder.")


@pytest.mark.parametrize("encoder", ["small-resnet", "resnet18-32px", "resnet50", "small-vit", "cnn", "mlp"])
def test_saved_activations_are_those_of_a_real_pass(encoder: str) -> None:
    config = RunConfig(dataset="digits", encoder=encoder, image_size=32, precision="float32")
    dataset, count = load_dataset("digits"), 6
    method = build_method(config, dataset).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    saved: dict[int, torch.Tensor] = {}

    def save(value: torch.Tensor) -> torch.Tensor:
        saved[value.untyped_storage().data_ptr()] = value
        return value

    views = torch.rand(count, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    with torch.autograd.graph.saved_tensors_hooks(save, lambda value: value):
        method.project(method.encoder(views))
    for value in [*method.parameters(), *method.buffers()]:
        saved.pop(value.untyped_storage().data_ptr(), None)
    real = sum(value.untyped_storage().nbytes() for value in saved.values())
    network = module._network(config, 32, 32, module.data_shape(config, dataset), bf16=False)
    assert count * network.saved + network.fixed == pytest.approx(real, rel=0.1)
    assert network.weights == network.trained == sum(weight.numel() for weight in method.parameters())


def test_a_step_takes_about_as_long_as_estimated() -> None:
    """Within a factor of 5, since other processes may run meanwhile; alone it is 2."""
    config, dataset = RunConfig(dataset="digits", image_size=32, batch_size=128), load_dataset("digits")
    training, times = Training(config, dataset, CPU), []
    for _ in range(3):
        began = time.perf_counter()
        training.take_step()
        times.append(time.perf_counter() - began)
    seconds = estimate(config, dataset).seconds_per_step
    assert seconds is not None
    assert 1 / 5 < seconds / min(times) < 5


def test_a_small_crop_costs_a_quarter_of_a_view() -> None:
    config = RunConfig(dataset="digits", encoder="fast-resnet", image_size=32, batch_size=256, snapshots=0)
    two, four, crops = (
        estimate(config.model_copy(update=changes), load_dataset("digits")) for changes in ({}, {"views": 4}, {"small_views": 4})
    )
    assert two.seconds_per_step and four.seconds_per_step and crops.seconds_per_step
    assert two.seconds_per_step < crops.seconds_per_step < four.seconds_per_step
    assert two.memory_bytes < crops.memory_bytes < four.memory_bytes


@pytest.mark.parametrize("method", TRAINABLE)
def test_every_method_is_estimated(method: str) -> None:
    config, dataset = RunConfig(dataset="digits", method=method, batch_size=64, snapshots=0), load_dataset("digits")
    state = torch.random.get_rng_state()
    one, four = (estimate(config.model_copy(update={"batch_size": size}), dataset) for size in (64, 256))
    assert torch.equal(torch.random.get_rng_state(), state), "training draws the same numbers as without an estimate"
    assert one.seconds_per_step and four.seconds_per_step
    assert 2 < four.seconds_per_step / one.seconds_per_step < 5
    assert module.PROGRAM_BYTES < one.memory_bytes < four.memory_bytes < 4e9
    check_affordable(config, dataset, CPU)


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"method": "moco", "queue_size": 1_000_000, "batch_size": 1024}, "fewer negatives or a shorter queue"),
        ({"image_size": 512, "batch_size": 2, "snapshots": 1}, "choose a smaller image_size or a smaller encoder"),
    ],
    ids=["keys", "snapshot"],
)
def test_the_error_names_what_to_change(settings: dict[str, object], advice: str) -> None:
    config = RunConfig.model_validate({"dataset": "emoji"} | settings)
    with pytest.raises(UserError, match=advice):
        check_affordable(config, load_dataset("emoji"), CPU)


def test_pixels_at_the_end_take_a_bounded_part() -> None:
    """The baseline's features take at most a gigabyte, however large the images are."""
    settings = {"dataset": "emoji", "encoder": "fast-resnet", "image_size": 512, "train_size": 8, "batch_size": 2, "snapshots": 0}
    config, dataset = RunConfig.model_validate(settings), load_dataset("emoji")
    assert 3 * 4 * 512**2 * len(dataset) > 1e10
    assert estimate(config, dataset).memory_bytes < module.PIXEL_COPIES * PIXELS_BYTES + module.PROGRAM_BYTES + 1e9


def test_a_step_that_takes_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    config, dataset = RunConfig(dataset="digits", snapshots=0), load_dataset("digits")
    check_affordable(config, dataset, CPU)
    monkeypatch.setattr(module, "_rate", lambda bf16: 1e8)
    with pytest.raises(
        UserError, match=rf"^A step of this training would take about .*, and the page allows {MAX_STEP_S:.0f} s: "
    ):
        check_affordable(config, dataset, CPU)


def test_unknown_memory_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "memory_gb", lambda: 0.0)
    check_affordable(RunConfig(dataset="digits", image_size=512, batch_size=8), load_dataset("digits"), CPU)


def test_gpu_memory_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda, dataset = torch.device("cuda"), load_dataset("digits")
    config = RunConfig(dataset="digits", image_size=64, precision="float32")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (80e9, 80e9))
    check_affordable(config, dataset, cuda)
    assert estimate(config, dataset, cuda).seconds_per_step is None
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (5e8, 80e9))
    with pytest.raises(UserError, match=r"this machine offers 0\.5 GB: "):
        check_affordable(config, dataset, cuda)
    monkeypatch.setattr(module, "gpu_available", lambda: False)  # lent for single calls: its memory is unknown between them
    check_affordable(config, dataset)


def test_an_encoder_that_cannot_be_estimated_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("needs values")

    monkeypatch.setattr(module, "_network", fails)
    check_affordable(RunConfig(dataset="digits"), load_dataset("digits"), CPU)


def test_unsuitable_data_is_reported_first() -> None:
    dataset = load_dataset("digits")
    without = dataclasses.replace(dataset, classes=dataset.classes[:1])
    with pytest.raises(UserError, match="learns from labels"):
        check_affordable(RunConfig(dataset="digits", method="supcon"), without, CPU)
