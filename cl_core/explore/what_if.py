"""What if a negative were left out, an image had the anchor's label, or a view another augmentation: one step of each."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.augment.views import make_views, plain_views
from cl_core.explore.batch import Batch
from cl_core.explore.model import Model
from cl_core.networks.methods import Method
from cl_core.runs.store import run_features

Change = Literal["leave_out", "same_label", "other_view"]
Pairs = Literal["nt_xent", "no_false_negatives", "sup_con"]  # what is compared: NT-Xent, without negatives of one class, SupCon
CHANGES: tuple[Change, ...] = ("leave_out", "same_label", "other_view")
STEP = 0.0002  # longest step, of the length of all weights
HALVINGS = 12  # of the step, until the loss of the batch falls
CANDIDATES = 100  # images nearest to the anchor before the step, among which its neighbors are found again
NEIGHBORS = 6


@dataclasses.dataclass(frozen=True)
class Pair:
    """A pair of views in a batch and its loss.

    Attributes:
        cosine, probability: of the pair; the probability is 0 where the pair is left out.
        row_loss, loss: of the anchor and of the batch, in nats.
        gradient: norm of the gradient of the batch's loss by the anchor's embedding of length 1.
    """

    cosine: float
    probability: float
    row_loss: float
    loss: float
    gradient: float


@dataclasses.dataclass(frozen=True)
class ChangeEffect:
    """What a change does.

    Attributes:
        before, after: the pair without and with the change, both before any step.
        cosines: of the pair's views before a step, after one without and after one with the change.
        losses: of the unchanged batch in these three states, in nats.
        neighbors: rows of the anchor's nearest images in these states, best first, with their cosines.
        view: the other view (3, S, S) in [0, 1] for "other_view".
    """

    before: Pair
    after: Pair
    cosines: list[float]
    losses: list[float]
    neighbors: list[list[tuple[int, float]]]
    view: Tensor | None


def masked_loss(z: Tensor, positive: Tensor, negative: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The mean over positives of -log p, as NT-Xent with one and SupCon (out) with several.

    Args:
        z: (V, D). positive, negative: (V, V) bool.

    Returns:
        Terms of the anchors that have a positive, (V,), NaN for the others; and log-probabilities (V, V), -inf for a pair that
        is not compared.
    """
    unit = F.normalize(z.float(), dim=1)
    logits = (unit @ unit.T / temperature).masked_fill(~(positive | negative), -torch.inf)
    logs = logits - logits.logsumexp(1, keepdim=True)
    terms = -logs.masked_fill(~positive, 0).sum(1) / positive.sum(1)
    return terms, logs


def masks(
    batch: Batch, pairs: Pairs, left_out: tuple[int, int] | None = None, same: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor]:
    """Positive and negative pairs of a batch of N images, (2N, 2N) bool each.

    Args:
        pairs: whether images of one class are negatives, are not compared, or are positives.
        left_out: a pair of views that is not compared. same: a pair of images, of which one gets the label of the other.
    """
    count = len(batch.rows)
    image = torch.arange(2 * count) % count
    alike = image[:, None] == image[None]
    same_class = alike | ((batch.labels[:, None] == batch.labels[None]) & (batch.labels >= 0)[:, None]).repeat(2, 2)
    if pairs == "sup_con":
        alike = same_class
    if same is not None:
        one, other = same
        alike = alike | ((image == one)[:, None] & (image == other)) | ((image == other)[:, None] & (image == one))
    positive, negative = alike.clone(), ~(alike | same_class) if pairs == "no_false_negatives" else ~alike
    positive.fill_diagonal_(False)
    if left_out is not None:
        positive[left_out] = negative[left_out] = False
    return positive, negative


def default_pair(batch: Batch, temperature: float, pairs: Pairs = "nt_xent") -> tuple[int, int]:
    """The false negative that is pushed hardest: views of two images of one class; else the hardest negative.

    Where all images are of one class and none is a negative, the most similar views of two images.
    """
    positive, negative = masks(batch, pairs)
    same = ((batch.labels[:, None] == batch.labels[None]) & (batch.labels >= 0)[:, None]).repeat(2, 2) & negative
    if bool(negative.any()):
        _, hardness = masked_loss(batch.trained, positive, negative, temperature)
        among = same if bool(same.any()) else negative
    else:
        image = torch.arange(len(batch.trained)) % len(batch.rows)
        hardness, among = batch.trained @ batch.trained.T, image[:, None] != image
    row, column = divmod(int(hardness.masked_fill(~among, -torch.inf).argmax()), len(hardness))
    return row, column


def what_if(model: Model, batch: Batch, row: int, column: int, change: Change, pairs: Pairs, seed: int = 0) -> ChangeEffect:
    """Take a step with and without a change to one pair of views.

    Args:
        row, column: of the matrix, 0 to 2N - 1: the anchor and the other view.
        pairs: of the loss.
        seed: of the other augmentation.

    Raises:
        ValueError: the pair is an image with itself.
    """
    count, temperature = len(batch.rows), model.temperature
    if row % count == column % count:
        raise ValueError("row and column must show different images")
    images = row % count, column % count
    plain = masks(batch, pairs)
    changed, views, view = plain, batch.views, None
    if change == "leave_out":
        changed = masks(batch, pairs, left_out=(row, column))
    elif change == "same_label":
        changed = masks(batch, pairs, same=images)
    else:
        own = model.dataset.images[batch.rows[column % count]][None]
        generator = torch.Generator().manual_seed(seed)
        view = make_views(own, model.config.augment, model.run.size, generator)[0][0]
        views = batch.views.clone()
        views[column] = view
    method = model.run.method
    stepped, rate = _descended(method, batch.views, plain, temperature)
    gradients = _gradient(method, views, changed, temperature)
    states = method, stepped, _stepped(method, gradients, min(rate, _longest_rate(method, gradients)))
    ends = [_pair(each, batch.views, plain, temperature, row, column) for each in states]
    return ChangeEffect(
        ends[0],
        _pair(method, views, changed, temperature, row, column),
        [each.cosine for each in ends],
        [each.loss for each in ends],
        _neighbors(model, states, int(batch.rows[images[0]])),
        view,
    )


def _loss(method: Method, views: Tensor, pairs: tuple[Tensor, Tensor], temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """Terms, log-probabilities and embeddings, with the running statistics of BatchNorm."""
    z = F.normalize(method.project(method.encoder(views)), dim=1)
    return *masked_loss(z, *pairs, temperature), z


def _gradient(method: Method, views: Tensor, pairs: tuple[Tensor, Tensor], temperature: float) -> list[Tensor | None]:
    """Gradient of the mean loss by each weight; None for those that it does not depend on."""
    copied = _trainable_copy(method)
    terms, _, _ = _loss(copied, views, pairs, temperature)
    return list(torch.autograd.grad(terms[terms.isfinite()].mean(), list(copied.parameters()), allow_unused=True))


def _descended(method: Method, views: Tensor, pairs: tuple[Tensor, Tensor], temperature: float) -> tuple[Method, float]:
    """The method after one gradient step, and its learning rate: the first of HALVINGS that lowers the loss, else the last."""
    before, gradients = _mean_loss(method, views, pairs, temperature), _gradient(method, views, pairs, temperature)
    longest = _longest_rate(method, gradients)
    for halvings in range(HALVINGS):
        rate = longest / 2**halvings
        stepped = _stepped(method, gradients, rate)
        if _mean_loss(stepped, views, pairs, temperature) < before:
            break
    return stepped, rate


def _trainable_copy(method: Method) -> Method:
    """A copy whose weights can be trained, with the statistics of inference."""
    return copy.deepcopy(method).eval().requires_grad_(True)


@torch.no_grad()
def _mean_loss(method: Method, views: Tensor, pairs: tuple[Tensor, Tensor], temperature: float) -> float:
    terms, _, _ = _loss(method, views, pairs, temperature)
    return float(terms[terms.isfinite()].mean())


def _norm(tensors: Sequence[Tensor | None]) -> float:
    return float(torch.stack([each.detach().norm() for each in tensors if each is not None]).norm())


def _longest_rate(method: Method, gradients: Sequence[Tensor | None]) -> float:
    """The learning rate of a step as long as `STEP` times the weights."""
    return STEP * _norm(list(method.parameters())) / max(_norm(gradients), 1e-12)


@torch.no_grad()
def _stepped(method: Method, gradients: Sequence[Tensor | None], rate: float) -> Method:
    """A copy after one step of gradient descent."""
    moved = _trainable_copy(method)
    for weight, gradient in zip(moved.parameters(), gradients, strict=True):
        if gradient is not None:
            weight.sub_(gradient, alpha=rate)
    return moved


def _pair(method: Method, views: Tensor, pairs: tuple[Tensor, Tensor], temperature: float, row: int, column: int) -> Pair:
    with torch.no_grad():
        *_, unit = _loss(method, views, pairs, temperature)
    unit = unit.detach().requires_grad_(True)
    terms, logs = masked_loss(unit, *pairs, temperature)
    loss = terms[terms.isfinite()].mean()
    (gradient,) = torch.autograd.grad(loss, unit)
    cosine = float(unit[row].detach() @ unit[column].detach())
    numbers = logs[row, column].exp(), terms[row], loss, gradient[row].norm()
    return Pair(cosine, *(float(each.detach()) for each in numbers))


@torch.no_grad()
def _neighbors(model: Model, states: tuple[Method, ...], row: int) -> list[list[tuple[int, float]]]:
    """The nearest images to one, by each encoder's features, among the `CANDIDATES` nearest before."""
    data = model.dataset
    cosines = model.map_features() @ run_features(model.run, data.images[row : row + 1])[0]
    cosines[data.groups[data.on_map] == data.groups[row]] = -torch.inf
    rows = data.on_map[cosines.topk(min(CANDIDATES, len(cosines) - 1)).indices]
    views = plain_views(data.images[torch.cat([torch.tensor([row]), rows])], model.run.size)
    found = []
    for method in states:
        h = F.normalize(torch.cat([method.encoder(part) for part in views.split(64)]), dim=1)
        best = (h[1:] @ h[0]).topk(min(NEIGHBORS, len(rows)))
        found.append([(int(rows[i]), cosine) for cosine, i in zip(best.values.tolist(), best.indices.tolist(), strict=True)])
    return found
