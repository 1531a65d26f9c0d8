"""Where keys come from: how old the keys are that an anchor is compared with, and how far they have drifted.

A key of a memory bank or a queue was computed by earlier weights. The views of any step can be drawn again, for all that is
random in a step follows from the seed and the number of the step; so the same view is encoded by the current weights, and the
cosine of both keys is measured.
"""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save
from torch import Tensor

from cl_core.networks.methods import Method
from cl_core.networks.methods.memory_bank import BankMethod
from cl_core.networks.methods.moco import MoCo
from cl_core.system.device import autocast
from cl_core.system.files import write_bytes
from cl_core.training.loop import Training


@dataclasses.dataclass(frozen=True)
class Keys:
    """The keys with which the queries of the next step can be compared, newest first; those never computed are left out.

    Attributes:
        vectors: (K, D) float32, of length 1.
        rows: (K,) int64, whose view each key is: rows of the data set.
        places: (K,) int64, in the bank (the instance), in the queue, or in the batch.
        made: (K,) int64, the step that computed each key. positions: (K,) int64, in the batch of that step.
        ages: (K,) int64, number of updates of the weights since then.
        cosines: (K,) float32, of each key and the one that the current weights give for the same view: 1 is no drift.
    """

    vectors: Tensor
    rows: Tensor
    places: Tensor
    made: Tensor
    positions: Tensor
    ages: Tensor
    cosines: Tensor

    @property
    def consistency(self) -> float:
        """Mean cosine: 1 where one encoder computed all keys."""
        return float(self.cosines.mean())


@dataclasses.dataclass(frozen=True)
class Compared:
    """What queries are compared with: `keys`, and in MoCo the query's own new key.

    Attributes:
        own: (A,) float32, cosine of each query and its positive key.
        cosines: (A, K) float32, with `keys`.
        weights: (A, K) float32, their softmax probabilities; 0 where a query is not compared with a key, and for its positive.
        losses: (A,) float32, -log of the positive's probability, in nats.
    """

    own: Tensor
    cosines: Tensor
    weights: Tensor
    losses: Tensor


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of training, taken apart.

    Attributes:
        step: number of steps before it. lr: learning rate.
        loss, chance: of the batch, in nats. gradient: norm of the gradient of all weights.
        rows: (N,) int64 of the batch. views: (A, 3, S, S), the queries' views of the first A images.
        before: the keys before the step; compared: the first A queries with them.
        updated: (K,) float32, `before.cosines` after the weights are updated.
        after: the keys after the step.
    """

    step: int
    lr: float
    loss: float
    chance: float
    gradient: float
    rows: Tensor
    views: Tensor
    before: Keys
    compared: Compared
    updated: Tensor
    after: Keys


def current_keys(training: Training) -> Keys:
    """The keys after the steps taken so far."""
    method = training.method
    if isinstance(method, MoCo):
        places, made, positions = _queued(training, method)
        vectors = method.queue[places]
    elif isinstance(method, BankMethod):
        places, made, positions = _banked(training, method)
        vectors = method.bank.keys[places]
    else:  # each view of a batch is a key of the others
        rows, views, generator = training.batch_of(training.step)
        vectors = _encode_keys(training, _in_training(method), views, generator)
        places = positions = torch.arange(len(vectors))
        made = torch.full_like(places, training.step)
    rows = torch.empty_like(places)
    for step in made.unique().tolist():
        of_step = made == step
        rows[of_step] = training.rows_of(step).repeat(2)[positions[of_step]]
    keys = Keys(vectors.clone(), rows, places, made, positions, training.step - made, torch.empty(len(places)))
    return dataclasses.replace(keys, cosines=key_similarity(training, keys))


def _in_training(method: Method) -> Method:
    """A copy whose encoding uses the statistics of the batch, as in training; it changes the running ones."""
    return copy.deepcopy(method).train()


def _encode_keys(training: Training, method: Method, views: list[Tensor], generator: torch.Generator) -> Tensor:
    """Keys in the precision of training."""
    with autocast(training.device, training.config.precision):
        return method.keys_of(views, generator)


def _queued(training: Training, method: MoCo) -> tuple[Tensor, Tensor, Tensor]:
    length, batch = len(method.queue), training.batch
    count = min(training.step, length // batch) * batch
    made = training.step - 1 - torch.arange(count) // batch
    positions = torch.arange(count) % batch
    places = (method.queue_position - (training.step - made) * batch + positions) % length
    return places, made, positions


def _banked(training: Training, method: BankMethod) -> tuple[Tensor, Tensor, Tensor]:
    unseen = torch.ones(len(method.bank), dtype=torch.bool)
    found = []
    for step in reversed(range(training.step)):
        own = training.instances[training.rows_of(step)]
        (newest,) = unseen[own].nonzero(as_tuple=True)
        found.append((own[newest], torch.full_like(newest, step), newest))
        unseen[own] = False
        if not bool(unseen.any()):
            break
    places, made, positions = (torch.cat([each[i] for each in found] or [torch.empty(0, dtype=torch.long)]) for i in range(3))
    return places, made, positions


def key_similarity(training: Training, keys: Keys) -> Tensor:
    """Cosine of each key and the one that the current weights give for the same view, (K,) float32."""
    method, cosines = _in_training(training.method), torch.empty(len(keys.made))
    for step in keys.made.unique().tolist():
        of_step = keys.made == step
        _, views, generator = training.batch_of(step)
        now = _encode_keys(training, method, views, generator)[keys.positions[of_step]]
        cosines[of_step] = (keys.vectors[of_step] * now).sum(1)
    return cosines


def encoder_similarity(training: Training) -> float | None:
    """Mean cosine of what MoCo's two encoders give for the same views; None for other methods."""
    method = _in_training(training.method)
    if not isinstance(method, MoCo):
        return None
    _, views, generator = training.batch_of(training.step)
    state = generator.get_state()
    keys = _encode_keys(training, method, views, generator)
    method.key_encoder, method.key_head = method.encoder, method.head
    return float((keys * _encode_keys(training, method, views, generator.set_state(state))).sum(1).mean())


@torch.no_grad()
def compare_queries(training: Training, keys: Keys, count: int) -> Compared:
    """The next step's first `count` queries and what they are compared with."""
    method = _in_training(training.method)
    rows, views, generator = training.batch_of(training.step)
    instances = training.instances[rows]
    with autocast(training.device, training.config.precision):
        queries = F.normalize(method.queries_of(views).float(), dim=1)[:count]
    cosines = queries @ keys.vectors.T
    if isinstance(method, MoCo):
        fresh = _encode_keys(training, method, views, generator)[:count]
        own = (queries * fresh).sum(1)
        excluded = training.instances[keys.rows][None] == instances[:count, None]
    elif isinstance(method, BankMethod):
        drawn = method.bank.draw(method.negatives, generator)
        own = (queries * method.bank.keys[instances[:count]]).sum(1)
        excluded = (keys.places[None] == instances[:count, None]) | ~torch.isin(keys.places, drawn)[None]
    else:
        images = len(rows)
        positive = (torch.arange(len(queries)) + images) % (2 * images)
        own = cosines[torch.arange(len(queries)), positive]
        excluded = keys.places[None] % images == (torch.arange(len(queries)) % images)[:, None]
    logits = torch.cat([own[:, None], cosines.masked_fill(excluded, -torch.inf)], 1) / training.config.temperature
    logs = logits.log_softmax(1)
    return Compared(own, cosines, logs[:, 1:].exp(), -logs[:, 0])


def take_step(training: Training, anchors: int) -> Step:
    """Take one step and show its parts; `anchors` queries of it."""
    before, step = current_keys(training), training.step
    rows, views, _ = training.batch_of(step)
    compared = compare_queries(training, before, anchors)
    done = training.take_step()
    gradient = torch.stack([each.grad.norm() for each in training.method.parameters() if each.grad is not None]).norm()
    return Step(
        step, done.lr, done.loss, done.chance, float(gradient), rows, views[0][:anchors], before, compared,
        key_similarity(training, before), current_keys(training),
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class KeyHistory:
    """The keys of a run at some of its steps.

    Attributes:
        steps: ascending. rows, ages, cosines: of the keys at each step, (K,) as in `Keys`.
        lags: at each step, see `encoder_similarity`; NaN without a key encoder.
    """

    steps: list[int]
    rows: list[Tensor]
    ages: list[Tensor]
    cosines: list[Tensor]
    lags: list[float]

    def write(self, file: Path) -> None:
        """Write a safetensors file; cosines are rounded to half precision."""
        counts = [len(each) for each in self.rows]
        stored = {"rows": torch.cat(self.rows).short(), "ages": torch.cat(self.ages).short()}
        stored |= {"cosines": torch.cat(self.cosines).half(), "lags": torch.tensor(self.lags)}
        write_bytes(file, save(stored | {"steps": torch.tensor(self.steps), "counts": torch.tensor(counts)}))

    @staticmethod
    def read(file: Path) -> KeyHistory:
        """Read what `write` wrote."""
        found = load_file(file)
        counts = found["counts"].tolist()
        parts = {name: list(found[name].split(counts)) for name in ("rows", "ages", "cosines")}
        cosines = [each.float() for each in parts["cosines"]]
        ages, rows = ([each.long() for each in parts[name]] for name in ("ages", "rows"))
        return KeyHistory(found["steps"].tolist(), rows, ages, cosines, found["lags"].tolist())
