"""Changes to one pair of a batch: the loss against NT-Xent and SupCon, the step against a gradient computed apart."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
import torch.nn.functional as F

from cl_core.explore import what_if as explained
from cl_core.explore.batch import Batch, chosen_batch
from cl_core.explore.model_store import ModelStore
from cl_core.explore.what_if import (
    CHANGES,
    HALVINGS,
    NEIGHBORS,
    Pairs,
    _descended,
    _gradient,
    _longest_rate,
    _stepped,
    default_pair,
    masked_loss,
    masks,
    what_if,
)
from cl_core.losses import nt_xent, sup_con

MODEL = ModelStore().get("emoji-simclr-small")
T = MODEL.config.temperature
COUNT = 8


@pytest.fixture(scope="module")
def batch() -> Batch:
    return chosen_batch(MODEL, "", COUNT, 4)


def test_without_a_change_it_is_the_loss_that_trains(batch: Batch) -> None:
    terms, _ = masked_loss(batch.trained, *masks(batch, "nt_xent"), T)
    assert float(terms.mean()) == pytest.approx(float(nt_xent(*batch.trained.chunk(2), T)), abs=1e-5)
    terms, _ = masked_loss(batch.trained, *masks(batch, "sup_con"), T)
    assert float(terms.mean()) == pytest.approx(float(sup_con(batch.trained, batch.labels.repeat(2), T, "out")), abs=1e-5)


def test_false_negatives_that_are_excluded_are_in_no_denominator(batch: Batch) -> None:
    """As in a run that excludes them."""
    positive, negative = masks(batch, "no_false_negatives")
    terms, _ = masked_loss(batch.trained, positive, negative, T)
    expected = float(nt_xent(*batch.trained.chunk(2), T, batch.labels))
    assert float(terms.mean()) == pytest.approx(expected, abs=1e-5)


def test_the_step_lowers_the_loss_of_any_batch() -> None:
    for seed in range(4):
        few = chosen_batch(MODEL, "", 4, seed)
        found = what_if(MODEL, few, *default_pair(few, T), "leave_out", "nt_xent")
        assert found.losses[1] < found.losses[0]


def test_the_rate_is_that_of_the_step_though_none_lowers_the_loss(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explained, "_mean_loss", lambda *arguments: 1.0)
    method, pairs = MODEL.run.method, masks(batch, "nt_xent")
    stepped, rate = _descended(method, batch.views, pairs, T)
    gradients = _gradient(method, batch.views, pairs, T)
    assert rate == pytest.approx(_longest_rate(method, gradients) / 2 ** (HALVINGS - 1))
    again = _stepped(method, gradients, rate)
    assert all(torch.equal(a, b) for a, b in zip(stepped.parameters(), again.parameters(), strict=True))


def test_what_is_left_out_is_in_no_denominator(batch: Batch) -> None:
    positive, negative = masks(batch, "nt_xent", left_out=(0, 3))
    unit = F.normalize(batch.trained, dim=1)
    scores = (unit[0] @ unit.T / T).exp()
    total = sum(float(scores[j]) for j in range(2 * COUNT) if j not in (0, 3))
    terms, logs = masked_loss(batch.trained, positive, negative, T)
    assert float(terms[0]) == pytest.approx(-torch.log(scores[COUNT] / total).item(), abs=1e-5)
    assert logs[0, 3] == -torch.inf and logs[3, 0] > -torch.inf  # the other view is still an anchor


def test_a_label_that_is_given_makes_all_views_of_both_positives(batch: Batch) -> None:
    positive, negative = masks(batch, "nt_xent", same=(1, 2))
    for row in (1, 1 + COUNT):
        assert positive[row].nonzero()[:, 0].tolist() == sorted({1, 2, 1 + COUNT, 2 + COUNT} - {row})
    assert not bool((positive & negative).any())
    assert positive[0].nonzero()[:, 0].tolist() == [COUNT]


def test_the_default_pair_is_a_false_negative_if_there_is_one(batch: Batch) -> None:
    for seed in range(6):
        found = chosen_batch(MODEL, "", 16, seed)
        row, column = default_pair(found, T)
        same = found.labels[:, None] == found.labels[None]
        same.fill_diagonal_(False)
        assert bool(same.any()) == (int(found.labels[row % 16]) == int(found.labels[column % 16]))


@pytest.mark.parametrize("pairs", ["sup_con", "no_false_negatives"])
def test_images_of_one_class_have_no_negatives_and_yet_a_pair(batch: Batch, pairs: Pairs) -> None:
    alike = dataclasses.replace(batch, labels=torch.zeros_like(batch.labels))
    assert not bool(masks(alike, pairs)[1].any())
    row, column = default_pair(alike, T, pairs)
    cosines = batch.trained @ batch.trained.T
    image = torch.arange(2 * COUNT) % COUNT
    assert float(cosines[row, column]) == pytest.approx(float(cosines[image[:, None] != image].max()))
    what_if(MODEL, alike, row, column, "leave_out", pairs)


@pytest.mark.parametrize("change", CHANGES)
def test_the_outcome_of_a_change(batch: Batch, change: str) -> None:
    row, column = 0, 3
    found = what_if(MODEL, batch, row, column, change, "nt_xent")  # type: ignore[arg-type]
    unit = F.normalize(batch.trained, dim=1)
    assert found.before.cosine == pytest.approx(float(unit[row] @ unit[column]), abs=1e-4)
    assert found.before.loss == pytest.approx(float(nt_xent(*batch.trained.chunk(2), T)), abs=1e-4)
    assert found.losses[0] == found.before.loss and found.losses[1] < found.losses[0]  # the step learns
    assert [len(near) for near in found.neighbors] == [NEIGHBORS] * 3
    if change == "leave_out":
        assert found.after.probability == 0 and found.after.row_loss < found.before.row_loss
        assert found.cosines[2] > found.cosines[1]  # it is pushed away less
    elif change == "same_label":
        assert found.cosines[2] > found.cosines[1]  # it is pulled
    else:
        assert found.view is not None and found.after.cosine != found.before.cosine


def test_the_step_follows_the_gradient(batch: Batch) -> None:
    method = MODEL.run.method
    moved = _stepped(method, _gradient(method, batch.views, masks(batch, "nt_xent"), T), 1e-5)
    reference = copy.deepcopy(method).eval().requires_grad_(True)
    nt_xent(*reference.project(reference.encoder(batch.views)).chunk(2), T).backward()
    for after, before in zip(moved.parameters(), reference.parameters(), strict=True):
        if before.grad is not None:
            assert torch.allclose(after, before - 1e-5 * before.grad, atol=1e-7)
    assert all(torch.equal(a, b) for a, b in zip(method.parameters(), reference.parameters(), strict=True))


def test_an_image_is_not_a_pair_with_itself(batch: Batch) -> None:
    with pytest.raises(ValueError):
        what_if(MODEL, batch, 1, 1 + COUNT, "leave_out", "nt_xent")
