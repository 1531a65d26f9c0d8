"""Anatomy of the losses: every intermediate, equal to what the losses of this package compute.

Every loss compares rows (anchors) with columns (candidates). Its anatomy is one set of matrices, from the cosines to each
pair's contribution to the loss, in the same form for every loss.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.losses.cross_correlation import correlation_terms, cross_correlation
from cl_core.losses.hard_negatives import log_reweighted_negatives
from cl_core.losses.info_nce import decoupled_weights
from cl_core.losses.nt_xent import false_negatives
from cl_core.losses.similarity import at_least_float32, check_temperature, masked, self_pairs, similarities
from cl_core.losses.sup_con import SupConForm, positive_pairs
from cl_core.losses.vicreg import EPSILON, VICRegWeights, covariance

FormKind = Literal["out", "in", "in-sum", "views", "ratio", "hard", "nce", "sigmoid", "cosine", "correlation", "covariance"]

DIMENSION_FORMS: tuple[FormKind, ...] = ("correlation", "covariance")  # rows and columns are dimensions


@dataclasses.dataclass(frozen=True)
class Form:
    """How a loss is computed from cosines; with the masks, enough to compute it elsewhere.

    kind: `out`: a softmax over positives and negatives, -log averaged over the positives (with one positive: NT-Xent,
        InfoNCE). `in`, `in-sum`: their mean or sum inside the log. `views`: each positive against the negatives alone.
        `ratio`: the denominator holds the negatives only. `hard`: they are reweighted. `nce`, `sigmoid`: a sigmoid for each
        pair. `cosine`: the negative cosine. `correlation`, `covariance`: of dimensions (Barlow Twins, VICReg).
    log_z, log_kq: constants of `nce`.
    bias: of `sigmoid`.
    sigma: of the weights of `ratio`; 0: all are 1.
    hardness, prior: of `hard`.
    weight: of the entries off the diagonal of a `correlation`.
    """

    kind: FormKind
    temperature: float = 1.0
    log_z: float = 0.0
    log_kq: float = 0.0
    bias: float = 0.0
    sigma: float = 0.0
    hardness: float = 0.0
    prior: float = 0.0
    weight: float = 0.0


@dataclasses.dataclass(frozen=True)
class Anatomy:
    """Every intermediate of a loss over R anchors and C candidates, all (R, C) unless said otherwise.

    form: which loss it is.
    cosines: cosines, or dot products with `normalize=False`.
    scaled: divided by the temperature; for NCE minus log Z and log(k q).
    positive, negative: bool; a pair that is neither, such as a view with itself, is not compared.
    logits: `scaled`, -inf where a pair is not compared.
    log_probabilities: log of a pair's fraction of its anchor's denominator; for NCE log of the probability of the
        correct class; 0 for a loss without a denominator. -inf where not compared.
    terms: (R,), the loss of each anchor; 0 for anchors that are left out.
    contribution: contribution of each pair to the loss; the sum is the loss.
    gradient: derivative of the anchor's term by the cosine: negative pulls together, positive pushes apart.
    left_out: number of anchors without a positive, which the loss leaves out.
    loss: the mean of `terms` over the other anchors; of losses of dimensions their sum.
    """

    form: Form
    cosines: Tensor
    scaled: Tensor
    positive: Tensor
    negative: Tensor
    logits: Tensor
    log_probabilities: Tensor
    terms: Tensor
    contribution: Tensor
    gradient: Tensor
    left_out: int
    loss: float

    @property
    def probabilities(self) -> Tensor:
        """(R, C), 0 where not compared."""
        return self.log_probabilities.exp()

    @property
    def denominators(self) -> Tensor:
        """(R,), sum of exp(logit) over the compared pairs; overflows at low temperatures."""
        return self.logits.exp().sum(1)


def _assemble(
    form: Form,
    cosines: Tensor,
    scaled: Tensor,
    positive: Tensor,
    negative: Tensor,
    log_probabilities: Tensor,
    pair_terms: Tensor,
    total: bool = False,
) -> Anatomy:
    """The anatomy of a loss whose `pair_terms` (R, C), differentiable by `cosines`, sum over a row to the anchor's term.

    total: whether the loss is the sum of the terms and not their mean.
    """
    terms = pair_terms.sum(1)
    gradient = torch.autograd.grad(terms.sum(), cosines)[0]
    anchors = positive.any(1)
    count = 1 if total else max(1, int(anchors.sum()))
    compared = positive | negative
    return Anatomy(
        form=form,
        cosines=cosines.detach(),
        scaled=scaled.detach(),
        positive=positive,
        negative=negative,
        logits=masked(scaled.detach(), ~compared),
        log_probabilities=masked(log_probabilities.detach(), ~compared),
        terms=terms.detach(),
        contribution=pair_terms.detach() / count,
        gradient=gradient,
        left_out=len(terms) - int(anchors.sum()),
        loss=float(terms.detach().sum() / count),
    )


def _leaf(values: Tensor) -> Tensor:
    return values.detach().requires_grad_()


@torch.enable_grad()
def _softmax(cosines: Tensor, temperature: float, positive: Tensor, negative: Tensor, form: SupConForm = "out") -> Anatomy:
    """A softmax over each anchor's positives and negatives."""
    check_temperature(temperature)
    cosines = _leaf(cosines)
    scaled = cosines / temperature
    logits = masked(scaled, ~(positive | negative))
    log_probabilities = logits.log_softmax(1)
    count = positive.sum(1, keepdim=True).clamp(min=1)
    of_positives = log_probabilities.masked_fill(~positive, 0)
    if form == "out":
        pair_terms = -of_positives / count
    else:
        # Rows without a positive are zeros: a row of -inf would give NaN.
        has_positive = positive.any(1, keepdim=True)
        inside = masked(log_probabilities, ~positive & has_positive).masked_fill(~has_positive, 0)
        top = inside.logsumexp(1, keepdim=True)
        term = -top + (count.to(top.dtype).log() if form == "in" else 0)
        # The log is shared by all positives, each with the fraction that it has of their sum.
        pair_terms = (term * (inside - top).exp().detach()).masked_fill(~positive, 0)
    return _assemble(Form(form, temperature), cosines, scaled, positive, negative, log_probabilities, pair_terms)


def _partners(pairs: int, device: torch.device) -> Tensor:
    return self_pairs(2 * pairs, device).roll(pairs, 1)


def nt_xent_anatomy(z1: Tensor, z2: Tensor, temperature: float, labels: Tensor | None = None) -> Anatomy:
    """`losses.nt_xent`: rows and columns are the 2N views, stacked `[first; second]`."""
    z = torch.cat([z1, z2])
    positive = _partners(len(z1), z.device)
    negative = ~positive & ~self_pairs(len(z), z.device)
    if labels is not None:
        negative &= ~false_negatives(labels)
    return _softmax(similarities(z, z), temperature, positive, negative)


def sup_con_anatomy(z: Tensor, labels: Tensor, temperature: float, form: SupConForm = "out", normalize: bool = True) -> Anatomy:
    """`losses.sup_con`: rows and columns are the M views."""
    return _softmax(similarities(z, z, normalize), temperature, positive_pairs(labels), labels[:, None] != labels[None], form)


def info_nce_anatomy(
    query: Tensor, positive: Tensor, negatives: Tensor, temperature: float, left_out: Tensor | None = None
) -> Anatomy:
    """`losses.info_nce`: rows are the N queries, columns the N positive keys and then the K negatives.

    A query is compared with its own key and with the negatives, not with the other queries' keys.
    """
    count = len(query)
    own = self_pairs(count, query.device)
    others = torch.ones(count, len(negatives), dtype=torch.bool, device=query.device)
    if left_out is not None:
        others &= ~left_out
    return _softmax(
        similarities(query, torch.cat([positive, negatives])),
        temperature,
        torch.cat([own, torch.zeros_like(others)], 1),
        torch.cat([torch.zeros_like(own), others], 1),
    )


def cross_entropy_anatomy(logits: Tensor, labels: Tensor) -> Anatomy:
    """Softmax cross-entropy: rows are views, columns classes; there is no cosine and no temperature."""
    positive = F.one_hot(labels, logits.shape[1]).bool()
    return _softmax(at_least_float32(logits), 1.0, positive, ~positive)


@torch.enable_grad()
def info_nce_views_anatomy(z: Tensor, temperature: float) -> Anatomy:
    """`losses.info_nce_views`: rows and columns are the V N views; each positive has its own denominator.

    A negative's log-probability is relative to the mean of the anchor's log-denominators.
    """
    check_temperature(temperature)
    rows = z.flatten(0, 1)
    image = torch.arange(z.shape[1], device=z.device).repeat(len(z))
    same = image[:, None] == image[None]
    positive = same & ~self_pairs(len(rows), z.device)
    cosines = _leaf(similarities(rows, rows))
    scaled = cosines / temperature
    rest = masked(scaled, same).logsumexp(1, keepdim=True)
    own = torch.logaddexp(scaled, rest)
    count = positive.sum(1, keepdim=True)
    mean_own = own.masked_fill(~positive, 0).sum(1, keepdim=True) / count
    log_probabilities = scaled - torch.where(positive, own, mean_own)
    pair_terms = ((own - scaled) / count).masked_fill(~positive, 0)
    return _assemble(Form("views", temperature), cosines, scaled, positive, ~same, log_probabilities, pair_terms)


@torch.enable_grad()
def decoupled_nt_xent_anatomy(z1: Tensor, z2: Tensor, temperature: float, sigma: float | None = None) -> Anatomy:
    """`losses.decoupled_nt_xent`: NT-Xent with only the negatives in the denominator, so a positive's fraction can exceed 1."""
    check_temperature(temperature)
    z = torch.cat([z1, z2])
    positive = _partners(len(z1), z.device)
    negative = ~positive & ~self_pairs(len(z), z.device)
    cosines = _leaf(similarities(z, z))
    scaled = cosines / temperature
    log_probabilities = scaled - masked(scaled, ~negative).logsumexp(1, keepdim=True)
    # A weight w of the positive's logit s: log of the denominator - w s.
    weights = decoupled_weights(cosines.detach()[positive], sigma) if sigma else torch.ones(len(z), device=z.device)
    pair_terms = (-log_probabilities + (1 - weights[:, None]) * scaled).masked_fill(~positive, 0)
    form = Form("ratio", temperature, sigma=sigma or 0.0)
    return _assemble(form, cosines, scaled, positive, negative, log_probabilities, pair_terms)


@torch.enable_grad()
def hard_negative_anatomy(z1: Tensor, z2: Tensor, temperature: float, hardness: float, prior: float) -> Anatomy:
    """`losses.hard_negative_nt_xent`: a negative's fraction is its part of the estimated sum, by its weight."""
    check_temperature(temperature)
    z = torch.cat([z1, z2])
    positive = _partners(len(z1), z.device)
    negative = ~positive & ~self_pairs(len(z), z.device)
    cosines = _leaf(similarities(z, z))
    scaled = cosines / temperature
    own = scaled.masked_fill(~positive, 0).sum(1, keepdim=True)
    estimate = log_reweighted_negatives(scaled, own[:, 0], negative, temperature, hardness, prior)[:, None]
    denominator = torch.logaddexp(own, estimate)
    share = masked((1 + hardness) * scaled, ~negative).log_softmax(1)
    log_probabilities = torch.where(positive, scaled - denominator, estimate + share - denominator)
    pair_terms = (denominator - scaled).masked_fill(~positive, 0)
    form = Form("hard", temperature, hardness=hardness, prior=prior)
    return _assemble(form, cosines, scaled, positive, negative, log_probabilities, pair_terms)


@torch.enable_grad()
def sigmoid_anatomy(z1: Tensor, z2: Tensor, temperature: float, bias: float) -> Anatomy:
    """`losses.sigmoid_loss`: rows are first views, columns second views; the logit of a pair is cosine / temperature + bias."""
    check_temperature(temperature)
    positive = self_pairs(len(z1), z1.device)
    cosines = _leaf(similarities(z1, z2))
    scaled = cosines / temperature + bias
    right = torch.where(positive, F.logsigmoid(scaled), F.logsigmoid(-scaled))
    return _assemble(Form("sigmoid", temperature, bias=bias), cosines, scaled, positive, ~positive, right, -right)


@torch.enable_grad()
def barlow_twins_anatomy(z1: Tensor, z2: Tensor, redundancy_weight: float) -> Anatomy:
    """`losses.barlow_twins`: rows are dimensions of the first views, columns of the second; `cosines` are correlations."""
    correlation = _leaf(cross_correlation(z1, z2))
    diagonal = self_pairs(len(correlation), z1.device)
    terms = correlation_terms(correlation, redundancy_weight)
    nothing = torch.zeros_like(correlation)
    form = Form("correlation", weight=redundancy_weight)
    return _assemble(form, correlation, correlation, diagonal, ~diagonal, nothing, terms, total=True)


@torch.enable_grad()
def vicreg_anatomy(z1: Tensor, z2: Tensor, weights: VICRegWeights) -> Anatomy:
    """`losses.vicreg`: rows and columns are dimensions; `cosines` are the covariances, the mean of both views.

    A dimension's difference between the views and its lack of variance count on the diagonal. `gradient` is 0: the loss has
    terms of each view.
    """
    z1, z2 = at_least_float32(z1.detach()), at_least_float32(z2.detach())
    both = torch.stack([covariance(z1), covariance(z2)])
    count = z1.shape[1]
    diagonal = self_pairs(count, z1.device)
    lacking = F.relu(1 - (both.diagonal(dim1=1, dim2=2) + EPSILON).sqrt()).mean(0)
    own = weights.invariance * (z1 - z2).square().mean(0) + weights.variance * lacking
    terms = torch.where(diagonal, torch.diag(own), weights.covariance * both.square().sum(0)) / count
    shown = _leaf(both.mean(0))
    nothing = torch.zeros_like(shown)
    return _assemble(Form("covariance"), shown, shown, diagonal, ~diagonal, nothing, terms + 0 * shown, total=True)


@torch.enable_grad()
def nce_anatomy(
    query: Tensor,
    positive: Tensor,
    noise: Tensor,
    temperature: float,
    log_z: float,
    log_kq: float,
    left_out: Tensor | None = None,
) -> Anatomy:
    """`losses.nce` of cosines: rows are the N queries, columns their N keys and then the K noise samples.

    The logit of a pair is cosine / temperature - log Z - log(k q); q is uniform.
    """
    check_temperature(temperature)
    count = len(query)
    own = self_pairs(count, query.device)
    others = torch.ones(count, len(noise), dtype=torch.bool, device=query.device)
    if left_out is not None:
        others &= ~left_out
    is_data = torch.cat([own, torch.zeros_like(others)], 1)
    is_noise = torch.cat([torch.zeros_like(own), others], 1)
    cosines = _leaf(similarities(query, torch.cat([positive, noise])))
    scaled = cosines / temperature - log_z - log_kq
    right = torch.where(is_data, F.logsigmoid(scaled), F.logsigmoid(-scaled))
    pair_terms = -right.masked_fill(~(is_data | is_noise), 0)
    return _assemble(Form("nce", temperature, log_z, log_kq), cosines, scaled, is_data, is_noise, right, pair_terms)


@torch.enable_grad()
def negative_cosine_anatomy(p1: Tensor, p2: Tensor, z1: Tensor, z2: Tensor) -> Anatomy:
    """SimSiam's symmetric loss: rows are predictions p, columns projections z, both stacked `[first; second]`.

    Only an image's two views are compared, each prediction with the other view's projection.
    """
    positive = _partners(len(p1), p1.device)
    cosines = _leaf(similarities(torch.cat([p1, p2]), torch.cat([z1, z2])))
    pair_terms = -cosines.masked_fill(~positive, 0)
    nothing = torch.zeros_like(positive)
    return _assemble(Form("cosine"), cosines, cosines, positive, nothing, torch.zeros_like(cosines), pair_terms)
