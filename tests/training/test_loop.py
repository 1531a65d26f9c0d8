"""Training learns, measurements do not change it, and it resumes bit for bit."""

from __future__ import annotations

import dataclasses
import itertools
import math
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch

from cl_core.data.dataset import every_fifth_group, subset
from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.evaluation.knn import has_split
from cl_core.networks.methods import TRAINABLE
from cl_core.runs.config import RunConfig
from cl_core.runs.folder import RunFolder
from cl_core.training.distributed import World
from cl_core.training.loop import DivergedError, Event, Logged, Snapshot, StepDone, Training
from cl_core.training.randomness import EPOCH_STREAM, STEP_STREAM, seeded_generator
from cl_core.training.recorder import ImageRecorder, start
from cl_core.training.setup import MONITOR_SIZE, build_method, check_data, epoch_order, image_statistics, monitor_rows
from tests.conftest import SMALL

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


def make(**changes: object) -> Training:
    config = RunConfig.model_validate(SMALL | {"epochs": 1} | changes)
    return Training(config, load_dataset(config.dataset), CPU)


def weights(training: Training) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in training.method.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_learns(tmp_path: Path) -> None:
    """With a ResNet: the small encoder of the other runs tells digits apart before it has learned anything."""
    session = start(tmp_path / "run", SMALL | {"encoder": "small-resnet"}, torch.device("cpu"))
    assert session is not None
    list(session.events())
    points = RunFolder(tmp_path / "run").read_metrics()
    losses = [p for p in points if p["kind"] == "loss"]
    accuracies = [p["knn"]["accuracy"] for p in points if p["kind"] == "snapshot"]
    assert losses[-1]["chance"] == pytest.approx(math.log(2 * 128 - 1))
    assert losses[-1]["loss"] < losses[0]["loss"] - 0.5
    assert losses[-1]["loss"] < losses[-1]["chance"] - 0.5
    assert accuracies[-1] > accuracies[0] + 0.01


def test_mean_and_deviation_of_the_images() -> None:
    data = load_dataset("emoji")
    pixels = data.images[data.train[:: len(data.train) // 1000]].permute(1, 0, 2, 3).flatten(1).double() / 255
    mean, std = image_statistics(data)
    assert mean == pytest.approx(pixels.mean(1).tolist(), abs=1e-12)
    assert std == pytest.approx(pixels.std(1).tolist(), abs=1e-12)


def test_labels_too_few_to_evaluate_with_are_no_error(tmp_path: Path) -> None:
    """Of four images a class none is held out: SupCon learns, and kNN is not measured."""
    data = load_dataset("digits")
    rows = torch.cat([(data.labels == label).nonzero()[:4, 0] for label in range(3)])
    few = subset(data, rows)
    few = dataclasses.replace(few, held_out=every_fifth_group(few.labels, few.groups), test=few.test[:0])
    assert not has_split(few, labels_seen=True) and has_split(few, labels_seen=False)
    small = {"method": "supcon", "encoder": "mlp", "image_size": 8, "batch_size": 4, "epochs": 1, "snapshots": 1}
    run = Training(RunConfig.model_validate(small), few, CPU)
    found = [event for event in run.events() if isinstance(event, Snapshot)]
    assert found
    assert all(each.knn is None for each in found)


def test_a_run_on_few_shown_images_is_judged_by_all() -> None:
    """Two test images are a line, and would look like a collapse."""
    data = load_dataset("digits")
    few = dataclasses.replace(data, test=data.test[:2], shown=data.test[:2], held_out=data.test[:2])
    assert len(monitor_rows(few)) == MONITOR_SIZE and len(monitor_rows(data)) == MONITOR_SIZE


def test_moco_needs_two_images_in_each_process() -> None:
    config = RunConfig.model_validate(SMALL | {"method": "moco", "batch_size": 2})
    check_data(config, load_dataset("digits"))
    with pytest.raises(UserError, match="a batch_size of at least 4"):
        check_data(config, load_dataset("digits"), World(rank=0, size=2))


def test_a_run_that_another_process_saved_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    folder, config = RunFolder(tmp_path / "run"), RunConfig.model_validate(SMALL)
    first = ImageRecorder(folder, config, CPU, resume=False, world=World())
    late = partial(ImageRecorder, folder, config, CPU, resume=False, world=World())  # it looked before the first one had begun
    for event in first.events(save_every_s=0.0):
        if isinstance(event, StepDone) and event.step == 2:
            break
    saved = folder.resume_file.read_bytes()
    with pytest.raises(UserError, match="give the command again to resume it"):
        late()
    assert folder.resume_file.read_bytes() == saved and folder.read_record().step == 2


def test_networks_built_at_the_same_time_have_the_weights_of_their_seeds() -> None:
    data = load_dataset("digits")
    configs = [RunConfig.model_validate(SMALL | {"seed": seed}) for seed in range(6)]
    alone = [build_method(config, data).state_dict() for config in configs]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda config: build_method(config, data).state_dict(), configs))
    assert all(same(one, other) for one, other in zip(alone, together, strict=True))


def test_an_empty_channel_is_no_division_by_zero() -> None:
    data = load_dataset("digits")
    red = dataclasses.replace(data, images=data.images * torch.tensor([1, 0, 0], dtype=torch.uint8)[:, None, None])
    run = Training(RunConfig.model_validate(SMALL | {"encoder": "mlp", "epochs": 1, "snapshots": 0}), red, CPU)
    losses = [event.loss for event in run.events() if isinstance(event, Logged)]
    assert losses
    assert all(map(math.isfinite, losses))


def test_resume_equals_the_uninterrupted_run() -> None:
    whole = make(snapshots=0)
    list(whole.events())
    first = make(snapshots=0)
    for event in first.events():
        if isinstance(event, StepDone) and event.step == 5:
            break
    tensors, header = first.state()
    second = make(snapshots=0)
    second.restore({name: value.clone() for name, value in tensors.items()}, header)
    assert second.step == 5
    list(second.events())
    assert second.step == whole.step == whole.total
    assert same(weights(whole), weights(second))


def test_snapshots_do_not_change_training() -> None:
    silent, measured = make(snapshots=0), make(snapshots=5)
    list(silent.events())
    events: list[Event] = list(measured.events())
    assert sum(isinstance(event, Snapshot) for event in events) == 5
    assert same(weights(silent), weights(measured))


def test_initial_weights_depend_on_the_seed_alone() -> None:
    config = RunConfig.model_validate(SMALL)
    data = load_dataset("digits")
    state = torch.get_rng_state()
    one, again = build_method(config, data), build_method(config, data)
    other = build_method(config.model_copy(update={"seed": 1}), data)
    assert torch.equal(torch.get_rng_state(), state)
    assert same(one.state_dict(), again.state_dict())
    assert not same(one.state_dict(), other.state_dict())


DIVERGING = {"optimizer": "sgd", "lr": 10_000, "warmup": 0, "precision": "float32", "encoder": "mlp", "method": "cross-entropy"}


@pytest.mark.parametrize("snapshots", [2, 1000])
def test_a_diverged_run_keeps_its_last_good_state(tmp_path: Path, snapshots: int) -> None:
    """SGD with a rate of 10,000, detected in a step or in a snapshot: the stored weights give a finite loss."""
    folder = tmp_path / "run"
    settings = SMALL | DIVERGING | {"snapshots": snapshots}
    recorder = start(folder, settings, CPU)
    assert recorder is not None
    sentence = (
        r"The (loss became (nan|inf)|features became not a number) at step \d+ with learning rate .*; the state after step \d+"
    )
    with pytest.raises(DivergedError, match=sentence):
        list(recorder.events())
    run = RunFolder(folder)
    record = run.read_record()
    assert record.state == "diverged"
    assert record.step == recorder.training.step
    assert all(math.isfinite(point["loss"]) for point in run.read_metrics() if point["kind"] == "loss")
    assert record.metrics["health"]["verdict"] == "diverged"
    restored = make(**(DIVERGING | {"lr": 1e-9, "snapshots": 0, "epochs": 3}))
    restored.restore(*run.read_resume())
    after = [event.loss for event in itertools.islice((e for e in restored.events() if isinstance(e, Logged)), 5)]
    assert len(after) == 5
    assert all(math.isfinite(loss) for loss in after)
    with pytest.raises(UserError, match="diverged with lr 10000: choose a new folder and a lower lr"):
        start(folder, settings, CPU)


@pytest.mark.parametrize("method", TRAINABLE)
def test_a_non_finite_step_is_undone(method: str) -> None:
    """Batch statistics and log Z are updated in the forward pass, before the loss is fetched."""
    training = make(method=method, epochs=2, snapshots=0, encoder="cnn", negatives=64, queue_size=128)
    events = training.events()
    for event in events:
        if isinstance(event, StepDone) and event.step == 10:
            before = {name: value.clone() for name, value in training.state()[0].items()}
        elif isinstance(event, StepDone) and event.step == 11:  # its loss is finite, so the weights of step 10 are good
            break
    training._images = training._images.float() * torch.nan
    with pytest.raises(DivergedError, match=r"The loss became nan at step 12 .* the state after step 10, the last good one"):
        list(events)
    after = training.state()[0]
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("kind", [Snapshot, Logged, StepDone])
def test_closing_after_any_event_loses_nothing(tmp_path: Path, kind: type) -> None:
    folder = tmp_path / "run"
    recorder = start(folder, SMALL | {"epochs": 1, "snapshots": 3, "encoder": "cnn"}, CPU)
    assert recorder is not None
    events = recorder.events()
    for event in events:
        if isinstance(event, kind) and event.step >= (0 if kind is Snapshot else 3):
            events.close()
    resumed = start(folder, {}, CPU)
    assert resumed is not None
    list(resumed.events())
    points = RunFolder(folder).read_metrics()
    assert [p["step"] for p in points if p["kind"] == "snapshot"] == [0, 3, 11]
    assert [p["step"] for p in points if p["kind"] == "loss"] == list(range(1, 12))


def test_a_kill_between_the_files_of_the_last_save(tmp_path: Path) -> None:
    """The resume file is at the last step, run.json not yet: the metrics are still those of the last snapshot."""
    settings = SMALL | {"epochs": 1, "snapshots": 3, "encoder": "cnn"}
    folders = []
    for name in ("whole", "killed"):
        recorder = start(tmp_path / name, settings, CPU)
        assert recorder is not None
        for event in recorder.events():
            if name == "killed" and isinstance(event, StepDone) and event.step == recorder.training.total:
                recorder.folder.write_resume(*recorder.training.state())
                break
        folders.append(recorder.folder)
    resumed = start(tmp_path / "killed", {}, CPU)
    assert resumed is not None
    list(resumed.events())
    assert folders[1].read_record().metrics == folders[0].read_record().metrics


def stopped_after(step: int, folder: Path) -> Path:
    """A run stopped after `step` steps."""
    recorder = start(folder, SMALL | {"epochs": 1, "snapshots": 0, "encoder": "cnn"}, CPU)
    assert recorder is not None
    events = recorder.events()
    for event in events:
        if isinstance(event, StepDone) and event.step == step:
            events.close()
    return folder


def test_a_run_without_its_resume_file_is_not_restarted(tmp_path: Path) -> None:
    folder = stopped_after(4, tmp_path / "run")
    run = RunFolder(folder)
    run.resume_file.unlink()
    with pytest.raises(UserError, match="is missing, so this run cannot resume from step 4"):
        start(folder, {}, CPU)
    assert len(run.read_metrics()) == 4


def test_a_divergence_after_resuming_restores_the_resumed_state(tmp_path: Path) -> None:
    folder = stopped_after(4, tmp_path / "run")
    saved = RunFolder(folder).read_resume()[0]
    again = start(folder, {}, CPU)
    assert again is not None
    for parameter in again.training.method.parameters():
        parameter.data.fill_(float("nan"))
    with pytest.raises(DivergedError, match="the state after step 4, the last good one, is kept"):
        list(again.events())
    left = RunFolder(folder).read_resume()[0]
    assert all(torch.equal(left[name], saved[name]) for name in saved)


def test_an_epoch_visits_each_group_once() -> None:
    groups = torch.tensor([0, 0, 0, 1, 2, 2])
    config = RunConfig()
    seen = set()
    for epoch in range(30):
        order = epoch_order(groups, config, epoch)
        assert sorted(groups[order].tolist()) == [0, 1, 2]
        seen |= set(order.tolist())
    assert seen == set(range(6))
    assert len({tuple(epoch_order(groups, config, epoch).tolist()) for epoch in range(30)}) > 5


def test_curves_have_a_bounded_number_of_points() -> None:
    training = make(epochs=100, snapshots=0)
    training.step = training.total - 15
    lines = [event for event in training.events() if isinstance(event, Logged)]
    assert 2 <= len(lines) <= 15 / math.ceil(training.total / 500) + 2


def test_starting_again_resumes_until_finished(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = SMALL | {"epochs": 1, "snapshots": 2}
    recorder = start(folder, settings, CPU)
    assert recorder is not None
    events = recorder.events()
    for event in events:
        if isinstance(event, StepDone) and event.step == 4:
            events.close()
    record = RunFolder(folder).read_record()
    assert (record.state, record.step) == ("stopped", 4)
    with pytest.raises(UserError, match=r"started with lr = 0\.002, not 0\.1"):
        start(folder, settings | {"lr": 0.1}, CPU)
    resumed = start(folder, {}, CPU)
    assert resumed is not None
    assert resumed.training.step == 4
    list(resumed.events())
    assert RunFolder(folder).read_record().state == "finished"
    assert start(folder, settings, CPU) is None
    steps = [p["step"] for p in RunFolder(folder).read_metrics() if p["kind"] == "loss"]
    assert steps == list(range(1, resumed.training.total + 1))
    snapshots = RunFolder(folder).read_snapshots()
    assert snapshots is not None
    assert snapshots.steps == [0, resumed.training.total]
    assert snapshots.embeddings.shape == (2, 256, 128)


def test_seeds_and_positions_have_different_generators() -> None:
    """torch's CPU generator uses only the low 32 bits of its seed."""
    drawn = {
        (seed, stream, position): int(torch.randint(2**60, (), generator=seeded_generator(CPU, seed, stream, position)))
        for seed in (0, 1, 2, 2**31 - 1)
        for stream in (EPOCH_STREAM, STEP_STREAM)
        for position in (0, 1, 100_000)
    }
    assert len(set(drawn.values())) == len(drawn)


def test_compiled_steps_are_the_same_steps(tmp_path: Path) -> None:
    # SGD, as Adam amplifies rounding errors of gradients that are otherwise zero.
    settings = SMALL | {"encoder": "mlp", "precision": "float32", "epochs": 1, "snapshots": 2, "optimizer": "sgd", "lr": 0.05}
    ends = []
    for compiled in (False, True):
        run = Training(RunConfig.model_validate(settings | {"compile": compiled}), load_dataset("digits"), CPU)
        events = [e for e in run.events() if isinstance(e, Snapshot)]
        assert len(events) == 2
        ends.append(run.state()[0])
    assert ends[0].keys() == ends[1].keys()
    for name, expected in ends[0].items():
        torch.testing.assert_close(ends[1][name], expected, rtol=1e-3, atol=1e-4, msg=name)


def test_without_a_compiler_nothing_is_written(
    command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "/nowhere/g++")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    done = command(
        "train", "--run", "r", "--dataset", "digits", "--encoder", "mlp", "--image-size", 8, "--compile", "true", timeout=300
    )
    assert done.returncode == 2
    assert "error: torch cannot compile here (" in done.stderr
    assert "install a C++ compiler, or train without compile." in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "r").exists()
