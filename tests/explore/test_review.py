"""Near-duplicates, odd ones out and doubtful labels: planted ones are found."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch
import torch.nn.functional as F
from sklearn.neighbors import KNeighborsClassifier

from cl_core.data.dataset import subset
from cl_core.data.registry import load_dataset
from cl_core.explore import review as module
from cl_core.explore.descriptors import SearchWhitening
from cl_core.explore.flat_index import FlatIndex
from cl_core.explore.gallery import Gallery
from cl_core.explore.model_store import ModelStore
from cl_core.explore.review import review
from cl_core.runs.store import load_run, run_features

SHARE = 20  # every 20th label is made wrong


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    """6,000 images in a search space without test-time augmentation, which would take four times as long."""
    data = subset(load_dataset("fashion"), torch.arange(0, 12_000, 2))
    features = run_features(load_run("fashion-simclr"), data.images)
    index = FlatIndex(SearchWhitening.fit(features)(features))
    return Gallery(data, torch.arange(len(data)), index, lambda images: images)


@pytest.fixture(scope="module")
def few(gallery: Gallery) -> Gallery:
    """1,500 of them, where the number does not matter."""
    rows = torch.arange(0, 6_000, 4)
    return Gallery(subset(gallery.dataset, rows), torch.arange(len(rows)), FlatIndex(gallery.features[rows]), gallery.embedder)


def with_features(features: torch.Tensor, gallery: Gallery) -> Gallery:
    return dataclasses.replace(gallery, index=FlatIndex(features))


def test_wrong_labels_are_found(gallery: Gallery) -> None:
    data, generator = gallery.dataset, torch.Generator().manual_seed(0)
    wrong = gallery.rows[torch.randperm(len(gallery.rows), generator=generator)[: len(gallery.rows) // SHARE]]
    labels = data.labels.clone()
    labels[wrong] = (labels[wrong] + torch.randint(1, 10, (len(wrong),), generator=generator)) % 10
    found = review(dataclasses.replace(gallery, dataset=dataclasses.replace(data, labels=labels))).doubtful_labels()
    planted = set(wrong.tolist())
    assert sum(each.row in planted for each in found[: len(planted)]) / len(planted) >= 0.8
    assert sum(each.row in planted for each in found) / len(planted) >= 0.98
    assert all(first.own <= second.own + 1e-3 for first, second in itertools.pairwise(found)), "the least own share first"


def test_votes_are_those_of_kNN() -> None:
    """Against scikit-learn, which has weights of its own."""
    data = load_dataset("digits")
    features = F.normalize(data.images[:, 0].flatten(1).float(), dim=1)
    found = review(Gallery(data, torch.arange(len(data)), FlatIndex(features), lambda images: images))
    for place in range(0, len(data), 150):
        others = torch.arange(len(data)) != place
        known = KNeighborsClassifier(10, metric="cosine", weights=lambda distance: torch.tensor(-distance / 0.1).exp().numpy())
        known.fit(features[others].numpy(), data.labels[others].numpy())
        expected = known.predict_proba(features[place : place + 1].numpy())[0]
        assert float(found.own[place]) == pytest.approx(expected[int(data.labels[place])], abs=1e-4)
        assert int(found.voted[place]) == expected.argmax()
        assert float(found.share[place]) == pytest.approx(expected.max(), abs=1e-4)


def test_a_planted_copy_is_the_first_pair_and_a_planted_stranger_the_oddest(few: Gallery) -> None:
    features = few.features.clone()
    features[11] = F.normalize(features[1200] + 1e-3 * torch.randn(features.shape[1]), dim=0)
    stranger = torch.randn(features.shape[1], generator=torch.Generator().manual_seed(1))
    features[77] = F.normalize(stranger, dim=0)
    found = review(with_features(features, few))
    first = found.near_duplicates()[0]
    assert (first.row, first.other) == (int(few.rows[11]), int(few.rows[1200]))
    assert found.odd_ones()[0].row == int(few.rows[77])
    pairs = [(each.row, each.other) for each in found.near_duplicates()]
    assert len(pairs) == len(set(pairs)) and all(row < other for row, other in pairs)


def test_equal_images_are_not_their_own_neighbors(few: Gallery) -> None:
    features = few.features.clone()
    features[:20] = features[0]
    found = review(with_features(features, few))
    assert not (found.neighbors == found.rows[:, None]).any()


def test_variants_of_an_emoji_count_once() -> None:
    found = ModelStore().get("emoji-simclr-small").review()
    groups = found.dataset.groups
    assert len(groups[found.rows].unique()) == len(found.rows) == found.of
    assert not (groups[found.neighbors] == groups[found.rows][:, None]).any()


def test_only_images_of_chosen_classes(few: Gallery) -> None:
    found, labels = review(few), few.dataset.labels
    among = labels == 6
    pairs = found.near_duplicates(among)
    assert all(among[each.row] and among[each.other] for each in pairs)
    # The nearest one of the class among the ten, also where another class has a nearer one.
    place = next(i for i, row in enumerate(found.rows) if among[row] and (among[found.neighbors[i]].nonzero()[:1, 0] > 0).any())
    row, other = int(found.rows[place]), int(found.neighbors[place][among[found.neighbors[place]]][0])
    assert (min(row, other), max(row, other)) in {(each.row, each.other) for each in pairs}
    assert {each.row for each in found.odd_ones(among)} <= set(among.nonzero()[:, 0].tolist())
    assert all(labels[each.row] == 6 for each in found.doubtful_labels(among))


def test_of_many_images_a_part_is_looked_at(few: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_QUERIES", 600)
    found = review(few)
    assert len(found.rows) == 500 and found.of == 1_500


def test_two_images_and_one_image() -> None:
    data = load_dataset("digits")
    two = Gallery(data, torch.tensor([0, 5]), FlatIndex(torch.eye(2)), lambda images: images)
    assert [(each.row, each.other) for each in review(two).near_duplicates()] == [(0, 5)]
    one = Gallery(data, torch.tensor([3]), FlatIndex(torch.eye(1)), lambda images: images)
    assert review(one).near_duplicates() == []
