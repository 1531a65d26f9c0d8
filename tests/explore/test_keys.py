"""Ages and drift of keys against keys recorded while training; a step's parts against the step itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.data.registry import load_dataset
from cl_core.explore.keys import KeyHistory, compare_queries, current_keys, encoder_similarity, take_step
from cl_core.explore.paradigms import FOLDER, MAX_STEPS, PARADIGMS, Paradigm, resumed
from cl_core.networks.methods.memory_bank import BankMethod
from cl_core.networks.methods.moco import MoCo
from cl_core.runs.config import RunConfig
from cl_core.runs.folder import RunFolder
from cl_core.training.loop import Training

SMALL = {
    **{"dataset": "digits", "encoder": "cnn", "image_size": 12, "projection_hidden": 16, "projection_dim": 8},
    **{"batch_size": 64, "queue_size": 256, "negatives": 200, "optimizer": "sgd", "momentum": 0.0, "lr": 0.1},
    **{
        "schedule": "constant",
        "warmup": 0.0,
        "snapshots": 0,
        "bank_momentum": 0.0,
        "batch_norm_splits": 1,
        "precision": "float32",
    },
}
STEPS = 62  # an epoch of the digits has 28: each instance has been in a batch


def trained(steps: int = STEPS, **settings: Any) -> tuple[Training, list[tuple[Tensor, list[Tensor]]]]:
    """A training after `steps` steps, and the instances and views of each as the method got them."""
    training = Training(RunConfig.model_validate(SMALL | settings), load_dataset("digits"), torch.device("cpu"))
    seen: list[tuple[Tensor, list[Tensor]]] = []

    def record(_: Any, given: tuple[Any, ...]) -> None:
        seen.append((given[2].clone(), [each.clone() for each in given[0]]))

    handle = training.method.register_forward_pre_hook(record)
    for _ in range(steps):
        training.take_step()
    handle.remove()
    return training, seen


def test_the_drift_of_a_queue_is_that_of_its_keys() -> None:
    training, seen = trained(method="moco", key_momentum=0.5)
    keys, method = current_keys(training), training.method
    assert isinstance(method, MoCo)
    assert keys.ages.tolist() == [age for age in (1, 2, 3, 4) for _ in range(64)]
    for age in range(1, 5):
        instances, views = seen[STEPS - age]
        now = F.normalize(method.key_head(method.key_encoder(views[1])), dim=1).detach()
        own = keys.ages == age
        assert training.instances[keys.rows[own]].tolist() == instances.tolist()
        places = (int(method.queue_position) - 64 * age + torch.arange(64)) % 256
        assert method.queue_instances[places].tolist() == instances.tolist()
        assert keys.cosines[own] == pytest.approx((method.queue[places] * now).sum(1), abs=1e-5)
    assert keys.consistency < 0.999


def test_the_drift_of_a_bank_is_that_of_its_keys() -> None:
    training, seen = trained(method="infonce-bank")
    keys, method = current_keys(training), training.method
    assert isinstance(method, BankMethod)
    assert sorted(keys.places.tolist()) == sorted({i for instances, _ in seen for i in instances.tolist()})
    last = {int(i): (step, at) for step, (instances, _) in enumerate(seen) for at, i in enumerate(instances)}
    with torch.no_grad():
        encoded = {step: F.normalize(method.project(method.encoder(views[0])), dim=1) for step, (_, views) in enumerate(seen)}
    for place, age, cosine in zip(keys.places.tolist(), keys.ages.tolist(), keys.cosines.tolist(), strict=True):
        step, at = last[place]
        assert age == STEPS - step
        assert cosine == pytest.approx(float(method.bank.keys[place] @ encoded[step][at]), abs=1e-5)


def test_a_key_encoder_that_stands_still_has_no_drift_and_lags() -> None:
    still, _ = trained(method="moco", key_momentum=1.0)
    assert current_keys(still).cosines == pytest.approx(torch.ones(256), abs=1e-5)
    follows, _ = trained(method="moco", key_momentum=0.0)
    assert current_keys(follows).consistency < 0.99
    behind, same = encoder_similarity(still), encoder_similarity(follows)
    assert behind is not None and same is not None
    assert behind < 0.9 and same == pytest.approx(1, abs=1e-5)
    assert encoder_similarity(trained(method="simclr")[0]) is None


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("method", ["simclr", "infonce-bank", "moco"])
def test_what_queries_are_compared_with_gives_the_loss_of_the_step(method: str, precision: str) -> None:
    # Each key of a bank has been in a batch; a queue is full after four steps.
    training, _ = trained(STEPS if "bank" in method else 8, method=method, batch_norm_splits=4, precision=precision)
    compared = compare_queries(training, current_keys(training), 10_000)
    step = take_step(training, 5)
    assert float(compared.losses.mean()) == pytest.approx(step.loss, abs=1e-4 if precision == "float32" else 2e-3)
    assert step.compared.losses == pytest.approx(compared.losses[:5])
    left = 1 - step.compared.weights.sum(1) - (-step.compared.losses).exp()
    assert left == pytest.approx(torch.zeros(5), abs=1e-5)


@pytest.mark.parametrize("method", ["infonce-bank", "moco"])
def test_a_step_moves_kept_keys_and_replaces_those_of_its_batch(method: str) -> None:
    training, _ = trained(STEPS if "bank" in method else 8, method=method, key_momentum=0.5)
    step = take_step(training, 5)
    before = dict(
        zip(step.before.places.tolist(), zip(step.before.ages.tolist(), step.updated.tolist(), strict=True), strict=True)
    )
    new = 0
    for place, age, cosine in zip(step.after.places.tolist(), step.after.ages.tolist(), step.after.cosines.tolist(), strict=True):
        if age == 1:
            new += 1
        else:
            assert before[place] == (age - 1, pytest.approx(cosine, abs=1e-5))
    assert new == len(step.rows) == 64
    assert not torch.allclose(step.updated, step.before.cosines, atol=1e-4)


def test_measuring_does_not_change_training() -> None:
    watched, plain = trained(8, method="moco")[0], trained(8, method="moco")[0]
    current_keys(watched), encoder_similarity(watched), compare_queries(watched, current_keys(watched), 4)
    watched.take_step(), plain.take_step()
    pairs = zip(watched.method.state_dict().values(), plain.method.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    parts = [torch.tensor([3, 700]), torch.tensor([5])]
    written = KeyHistory([10, 20], parts, parts, [torch.tensor([0.5, -0.25]), torch.tensor([1.0])], [0.5, float("nan")])
    written.write(tmp_path / "keys.safetensors")
    read = KeyHistory.read(tmp_path / "keys.safetensors")
    assert read.steps == [10, 20]
    assert [each.tolist() for each in read.rows + read.ages + read.cosines] == [[3, 700], [5], [3, 700], [5], [0.5, -0.25], [1.0]]
    assert read.lags[0] == 0.5 and read.lags[1] != read.lags[1]


def test_what_ships_is_what_training_gives() -> None:
    size = sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file())
    assert size <= 3_000_000
    for name, settings in PARADIGMS.items():
        run = Paradigm(name)
        assert run.record.config == RunConfig.model_validate(settings)
        history = run.history
        training = Training(run.record.config, load_dataset("emoji"), torch.device("cpu"))
        while training.step < history.steps[0]:
            training.take_step()
        keys = current_keys(training)
        assert keys.rows.tolist() == history.rows[0].tolist() and keys.ages.tolist() == history.ages[0].tolist()
        assert keys.consistency == pytest.approx(float(history.cosines[0].mean()), abs=0.02)  # another processor rounds otherwise
        last = current_keys(resumed(RunFolder(FOLDER / name)))
        assert last.consistency == pytest.approx(float(history.cosines[-1].mean()), abs=2e-3)  # weights of 8 bits


def test_the_argument_for_momentum_is_in_the_numbers() -> None:
    """A bank drifts more than a queue with momentum; without momentum a queue drifts, and training fails."""
    runs = {name: Paradigm(name) for name in PARADIGMS}
    consistency = {name: [float(each.mean()) for each in run.history.cosines] for name, run in runs.items()}
    knn = {name: run.record.metrics["knn"]["accuracy"] for name, run in runs.items()}
    assert min(consistency["end-to-end"]) > 0.9999
    assert min(consistency["moco-0.999"]) > min(consistency["moco-0.99"]) > 0.95
    assert consistency["memory-bank"][-1] < 0.95 and consistency["moco-0"][-1] < 0.9
    assert knn["moco-0"] < min(each for name, each in knn.items() if name != "moco-0") - 0.05


def test_steps_beyond_the_end_are_computed_once() -> None:
    run = Paradigm("moco-0")
    second, first = run.step(1), run.step(0)
    assert (first.step, second.step) == (run.record.step, run.record.step + 1)
    assert run.step(1) is second and MAX_STEPS > 1
    assert second.before.cosines == pytest.approx(first.after.cosines, abs=1e-6)
