"""The loss between the two updates, and the agreement of batches, against gradients and losses computed apart."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from cl_core.explore.batch_gradients import gradient_cosines, measure_updates
from cl_core.explore.paradigms import FOLDER, resumed
from cl_core.networks.methods.memory_bank import BankMethod
from cl_core.runs.folder import RunFolder


def test_the_agreement_is_that_of_the_gradients() -> None:
    training, same = (resumed(RunFolder(FOLDER / "end-to-end")) for _ in range(2))
    cosines = gradient_cosines(training, 4)
    gradients = []
    for step in range(same.step, same.step + 4):
        rows, views, generator = same.batch_of(step)
        same.method.train().zero_grad()
        same.method(views, same.dataset.labels[rows], same.instances[rows], generator).loss.backward()
        gradients.append(torch.cat([each.grad.flatten() for each in same.method.parameters() if each.grad is not None]))
    for i, cosine in enumerate(cosines.tolist()):
        others = sum(each for j, each in enumerate(gradients) if j != i)
        assert cosine == pytest.approx(float(torch.dot(gradients[i], others) / gradients[i].norm() / others.norm()), abs=1e-4)
    fresh = resumed(RunFolder(FOLDER / "end-to-end")).method.state_dict()
    assert all(torch.equal(a, b) for a, b in zip(training.method.state_dict().values(), fresh.values(), strict=True))


def test_both_moves_lower_the_loss() -> None:
    training = resumed(RunFolder(FOLDER / "memory-bank"))
    method, (rows, views, generator) = training.method, training.batch_of(training.step)
    assert isinstance(method, BankMethod)
    own, before = training.instances[rows], method.bank.keys.clone()
    updates = measure_updates(training, 3)
    assert all(each.after_keys < each.after_weights < each.start for each in updates)
    assert [each.step for each in updates] == [870, 871, 872]
    # The first batch with the weights and keys of the start, by the softmax written out.
    fresh = resumed(RunFolder(FOLDER / "memory-bank")).method.train()
    assert isinstance(fresh, BankMethod)
    with torch.no_grad():
        z = F.normalize(fresh.project(fresh.encoder(views[0])), dim=1)
    drawn = fresh.bank.draw(fresh.negatives, generator)
    logits = torch.cat([(z * before[own]).sum(1, keepdim=True), z @ before[drawn].T], 1) / fresh.temperature
    logits[:, 1:][drawn[None] == own[:, None]] = -torch.inf
    assert updates[0].start == pytest.approx(float(F.cross_entropy(logits, torch.zeros(len(z), dtype=torch.long))), abs=1e-4)


def test_only_a_memory_bank_has_both_updates() -> None:
    with pytest.raises(TypeError):
        measure_updates(resumed(RunFolder(FOLDER / "end-to-end")), 1)
