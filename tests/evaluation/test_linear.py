"""The linear probe against scikit-learn, its protocol, and the frozen encoder."""

from __future__ import annotations

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from cl_core.data.registry import load_dataset
from cl_core.evaluation.linear import INVERSE_PENALTIES, _standardize, evaluate_linear, fit_logistic
from cl_core.runs.folder import RunFolder
from cl_core.runs.store import open_run, run_features
from cl_core.system.files import fingerprint
from cl_core.text import using_language
from tests.evaluation.conftest import Small


@pytest.mark.parametrize("strength", [1e-3, 1e-1])
def test_fit_equals_scikit_learn(strength: float) -> None:
    data = load_dataset("digits")
    x, y = data.images[data.train, 0].flatten(1).float(), data.labels[data.train]
    x = (x - x.mean(0)) / x.std(0).clamp(min=1)
    ours = fit_logistic(x, y, 10, strength)
    reference = LogisticRegression(C=strength, tol=1e-6, max_iter=2000).fit(x.double().numpy(), y.numpy())
    theirs = torch.from_numpy(reference.coef_.T)
    assert torch.allclose(ours[:-1].double(), theirs, atol=2e-3)


def test_more_columns_than_rows_give_the_same_predictions() -> None:
    torch.manual_seed(0)
    gallery, queries, labels = torch.randn(60, 200), torch.randn(40, 200), torch.randint(3, (60,))
    mean, std = gallery.mean(0), gallery.std(0)
    few, few_queries = _standardize(gallery, queries)
    assert few.shape[1] < 60
    wide = (gallery - mean) / std, (queries - mean) / std
    one = fit_logistic(few, labels, 3, 0.01)
    other = fit_logistic(wide[0], labels, 3, 0.01)
    scores = few_queries @ one[:-1] + one[-1], wide[1] @ other[:-1] + other[-1]
    assert torch.allclose(scores[0], scores[1], atol=5e-3)


def test_labels_as_features_are_perfect_and_noise_is_at_chance() -> None:
    data = load_dataset("digits")
    torch.manual_seed(0)
    noise = torch.randn(len(data), 8)
    assert evaluate_linear(torch.nn.functional.one_hot(data.labels, 10).float(), data).accuracy == 1
    assert evaluate_linear(noise, data).accuracy < 0.2


def test_protocol_and_frozen_encoder(small: Small) -> None:
    data = load_dataset("digits")
    run = open_run(RunFolder(small.folder))
    before = {name: value.clone() for name, value in run.method.state_dict().items()}
    on_disk = fingerprint(run.folder.model_file)
    features = run_features(run, data.images)
    assert not features.requires_grad
    result = evaluate_linear(features, data)
    assert result.accuracy > 0.9
    assert result.inverse_penalty in INVERSE_PENALTIES
    assert (result.queries, result.train) == (359, 1438)
    assert "frozen" in result.protocol()
    assert f"C = {result.inverse_penalty:g}" in result.protocol()
    assert all(torch.equal(before[name], value) for name, value in run.method.state_dict().items())
    assert fingerprint(run.folder.model_file) == on_disk


def test_without_a_test_part_groups_are_held_out() -> None:
    data = load_dataset("emoji")
    torch.manual_seed(0)
    result = evaluate_linear(torch.randn(len(data), 4), data)
    assert result.rule == "held-out"
    assert "labels no training saw" in result.protocol()
    with using_language("zh"):
        assert "标签没有用于训练" in result.protocol()
    assert result.queries + result.train == 1911
    assert 300 < result.queries < 400
