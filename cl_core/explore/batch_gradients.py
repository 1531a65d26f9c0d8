"""Effect of the two updates of a step with a memory bank on the loss of its batch, and cosines between the gradients of batches.

A step first updates the weights, then replaces the batch's keys in the bank. Read as clustering, the one assigns the queries to
other keys, the other moves the centers.
"""

from __future__ import annotations

import copy
import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.losses import info_nce
from cl_core.networks.methods.memory_bank import BankMethod
from cl_core.system.device import autocast
from cl_core.training.loop import Training


@dataclasses.dataclass(frozen=True)
class UpdateLosses:
    """The loss of one batch, in nats: with the weights and keys before its step, after the update of the weights, and after
    the update of the keys, too; always of the same views and the same drawn negatives."""

    step: int
    start: float
    after_weights: float
    after_keys: float


def measure_updates(training: Training, count: int) -> list[UpdateLosses]:
    """Take `count` steps of a run with a memory bank; measure each between the two updates.

    Raises:
        TypeError: the run has no memory bank.
    """
    found = []
    for _ in range(count):
        method, step = training.method, training.step
        if not isinstance(method, BankMethod):
            raise TypeError(f"{type(method).__name__} has no memory bank")
        keys = method.bank.keys.clone()
        start = _batch_loss(training, step, keys)
        training.take_step()
        after_weights, after_keys = _batch_loss(training, step, keys), _batch_loss(training, step, method.bank.keys)
        found.append(UpdateLosses(step, start, after_weights, after_keys))
    return found


@torch.no_grad()
def _batch_loss(training: Training, step: int, keys: Tensor) -> float:
    """InfoNCE of the batch of a step with the current weights and given keys."""
    method = copy.deepcopy(training.method).train()
    assert isinstance(method, BankMethod)
    rows, views, generator = training.batch_of(step)
    own = training.instances[rows]
    with autocast(training.device, training.config.precision):
        queries = method.queries_of(views)
    drawn = method.bank.draw(method.negatives, generator)
    return float(info_nce(queries, keys[own], keys[drawn], method.temperature, drawn[None] == own[:, None]))


def gradient_cosines(training: Training, batches: int) -> Tensor:
    """Cosine of each batch's gradient and the sum of those of the other batches, (B,) float32.

    Of the next `batches` batches, with the current weights; nothing is updated. Above 0 a step along the others' gradient
    lowers this batch's loss, too (to first order).
    """
    method = copy.deepcopy(training.method).train()
    parameters = [each for each in method.parameters() if each.requires_grad]
    gradients = []
    for step in range(training.step, training.step + batches):
        rows, views, generator = training.batch_of(step)
        with autocast(training.device, training.config.precision):
            loss = method(views, training.dataset.labels[rows], training.instances[rows], generator).loss
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        gradients.append(torch.cat([each.flatten() for each in found if each is not None]))
    stacked = torch.stack(gradients)
    return F.cosine_similarity(stacked, stacked.sum(0) - stacked, dim=1)
