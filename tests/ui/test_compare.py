"""Comparing runs: the same images, the same views, one loss."""

from __future__ import annotations

import base64
import re
from typing import Any

import numpy as np
import pytest
import torch

from cl_core.augment.views import make_views
from cl_core.evaluation.knn import KnnResult, evaluate_knn
from cl_core.explore.batch import chosen_batch, embed_batch
from cl_core.explore.model_store import ModelStore
from cl_core.losses import nt_xent
from cl_core.runs.store import find_run
from cl_core.ui.tabs import ablations, compare, models, temperature
from cl_core.ui.tabs.curves import show as show_curves

pytestmark = pytest.mark.slow

STORE = ModelStore()

PAIRS = 12
MODEL, OTHER = "emoji-simclr-small", "emoji-supcon"


def test_every_run_sees_the_same_views_by_the_same_loss() -> None:
    value = compare.show_batch(STORE.get(MODEL), [STORE.get(OTHER)], PAIRS, 1, "")
    assert [panel["name"] for panel in value["panels"]] == [MODEL, OTHER]
    data, rows = STORE.get(MODEL).dataset, chosen_batch(STORE.get(MODEL), "", PAIRS, 1).rows
    for name, panel in zip((MODEL, OTHER), value["panels"], strict=True):
        run = STORE.get(name).run
        generator = torch.Generator().manual_seed(1)
        config = STORE.get(MODEL).run.record.config.augment
        z1, z2 = (embed_batch(run, make_views(data.images[rows], config, run.size, generator)[0]) for _ in range(2))
        cosines = torch.from_numpy(np.frombuffer(base64.b64decode(panel["cosines"]), np.float32).copy())
        logits = cosines.view(2 * PAIRS, -1).fill_diagonal_(-torch.inf) / panel["form"]["temperature"]
        loss = torch.nn.functional.cross_entropy(logits, torch.arange(len(logits)).roll(PAIRS))
        assert float(loss) == pytest.approx(float(nt_xent(z1, z2, compare.TEMPERATURE)), rel=1e-4)
    assert value["summary"] == f"NT-Xent at temperature {{t}} over this batch: {MODEL} **{{loss0}}**, {OTHER} **{{loss1}}**."


def test_maps_and_queries_leave_out_runs_on_other_images() -> None:
    opened = [STORE.get(OTHER), STORE.get("fashion-simclr")]
    assert [each["name"] for each in compare.show_maps(STORE.get(MODEL), opened, "pca")["maps"]] == [MODEL, OTHER]
    rows = compare.show_query(STORE.get(MODEL), opened, 7)["rows"]
    assert [row["title"] for row in rows] == [MODEL, OTHER]
    assert rows[0]["items"][0]["id"] == rows[1]["items"][0]["id"] == int(STORE.get(MODEL).dataset.on_map[7])
    assert [len(figure["data"]) for figure in compare.show_curves(STORE.get(MODEL), opened)["figures"]][-1] == 3


def test_a_point_of_a_larger_data_set_is_no_error() -> None:
    """Another data set may have fewer images on its map than the one clicked on had."""
    data = STORE.get(MODEL).dataset
    rows = compare.show_query(STORE.get(MODEL), [], 10**6)["rows"]
    assert rows[0]["items"][0]["id"] == int(data.on_map[-1])


def test_visitors_compare_their_own_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    own = "emoji-simclr-cold"  # as if its images were those of one visitor

    def names(viewer: str | None = "") -> list[str]:
        return [MODEL, OTHER] + [own] * (viewer in ("me", None))

    monkeypatch.setattr(STORE, "names", names)
    assert own not in compare.offered(STORE, MODEL) and own in compare.offered(STORE, MODEL, "me")
    assert own in [name for _, name in compare.labeled_choices(STORE, MODEL, None)]
    shown = [place["name"] for place in temperature.places(STORE, STORE.get(MODEL), "me")]
    assert own in shown


def test_the_verdict_is_by_one_protocol_and_names_what_differs() -> None:
    small, cold = STORE.get(MODEL), STORE.get("emoji-simclr-cold")
    assert compare.offered(STORE, MODEL)[0] in {"emoji-simclr-cold", "emoji-simclr-hot", "emoji-simclr-no-false-negatives"}
    said = compare.show_verdict(small, [cold])
    measured = [100 * evaluate_knn(each.features(), small.dataset).accuracy for each in (small, cold)]
    assert f"kNN accuracy {measured[0]:.1f} % against {measured[1]:.1f} %" in said
    assert said.endswith("They differ in one setting: temperature 0.1 → 0.01.")
    assert "other images" in compare.show_verdict(small, [STORE.get("fashion-simclr")])
    both = compare.show_verdict(small, [STORE.get(OTHER)])
    assert "339 held-out images" in both, "measured again: one of them has read labels"


def accuracy_plots(figure: dict[str, Any]) -> dict[str, set[str]]:
    """The runs whose accuracies share an axis, by the axis' title."""
    titles = [
        re.sub("</?span[^>]*>", "", each["text"])
        for each in figure["layout"]["annotations"]
        if each["text"].startswith("kNN accuracy")
    ]
    runs = [
        {trace["name"] for trace in figure["data"] if trace["yaxis"] == f"y{i or ''}"} for i in (0, *range(2, len(titles) + 1))
    ]
    return dict(zip(titles, runs, strict=True))


def test_accuracies_of_two_protocols_have_two_axes() -> None:
    """339 queries against 1,572 images, beside 1,911 against the others."""
    _, quality, _ = compare.show_curves(STORE.get(MODEL), [STORE.get(OTHER), STORE.get("emoji-simclr")])["figures"]
    assert accuracy_plots(quality) == {
        "kNN accuracy<br>1,911 images, each against the others": {MODEL, "emoji-simclr"},
        "kNN accuracy<br>339 held-out images against 1,572 others": {OTHER},
    }
    _, curves, _ = ablations.show_answer(STORE, "no_false_negatives", 50)
    assert len(accuracy_plots(curves["figures"][1])) == 2
    own, _ = show_curves(STORE.get(MODEL))
    assert list(accuracy_plots(own["figures"][1])) == ["kNN accuracy<br>1,911 images, each against the others"]


def test_the_table_of_models_has_one_protocol_a_table() -> None:
    tables = re.findall(r"<caption>(.*?)</caption>.*?<tbody>(.*?)</tbody>", models.table(STORE))
    rows = {caption: re.findall(r"<tr><td>(.*?)</td>.*?<td>([\d.]+ ± [\d.]+ %|–)</td>", body) for caption, body in tables}
    assert {name for listed in rows.values() for name, _ in listed} == set(STORE.names())
    for caption, listed in rows.items():
        found = [KnnResult.from_metrics(STORE.get(name).metrics["knn"]) for name, _ in listed]
        assert len({STORE.get(name).config.dataset for name, _ in listed}) == 1
        assert {knn.split() for knn in found if knn} == {caption.partition(": ")[2]}
        accuracies = [float(accuracy.partition(" ")[0]) for _, accuracy in listed]
        assert accuracies == sorted(accuracies, reverse=True)


def test_runs_on_the_same_images_are_offered_first() -> None:
    names = compare.offered(STORE, MODEL)
    assert MODEL not in names
    datasets = [STORE.get(name).dataset.name for name in names]
    assert datasets == sorted(datasets, key=lambda name: name != "emoji")
    assert compare.offered(STORE, "emoji-simclr")[0] == "emoji-supcon"  # as many settings as others, and views of the same size


@pytest.mark.parametrize("which", ablations.EXPERIMENTS)
def test_what_is_said_of_an_experiment_is_so(which: str) -> None:
    found = ablations.outcome(STORE, which)
    if which in ("no_stop_gradient", "no_predictor"):
        assert found["changed"].mean < 10 < found["untrained"].mean < found["baseline"].mean
    elif which in ("no_false_negatives", "no_crop"):  # no difference that three seeds can show
        assert abs(found["changed"].mean - found["baseline"].mean) < 2 * (
            found["changed"].deviation + found["baseline"].deviation
        )
    else:
        assert found["changed"].mean < found["baseline"].mean - 1
    metrics = {
        role: [point["loss"] for point in find_run(name).read_metrics() if point["kind"] == "loss"][-1]
        for role, name in (("baseline", ablations.EXPERIMENTS[which].baseline), ("changed", ablations.EXPERIMENTS[which].changed))
    }
    if which in ("no_crop", "no_jitter"):
        assert metrics["changed"] < 0.6 * metrics["baseline"]
    said, curves, near = ablations.show_answer(STORE, which, 50)
    assert f"**{found['changed']} %**" in said
    assert len(curves["figures"]) == len(near["rows"]) == 2


def test_the_reference_runs_beat_the_untrained_network() -> None:
    """Over three seeds each, in the accuracy that neighbors show."""
    for experiment in ablations.EXPERIMENTS.values():
        results = ablations.seed_results()[experiment.baseline]
        assert len({each["seed"] for each in results}) == 3
        assert min(each["knn"] for each in results) > max(each["untrained_knn"] for each in results)


def test_the_query_shown_is_the_one_whose_neighbors_suffer_most() -> None:
    baseline, changed = STORE.get("emoji-simclr-small"), STORE.get("emoji-simclr-no-jitter")
    point = ablations.telling_point(baseline, changed)
    lost = baseline.map_agreement() - changed.map_agreement()
    assert float(lost[point]) == float(lost.nan_to_num(-1).max()) >= 0.5
    _, _, near = ablations.show_answer(STORE, "no_jitter", 50)
    assert near["rows"][0]["items"][0]["id"] == int(baseline.dataset.on_map[point])


def test_an_experiment_changes_one_thing() -> None:
    for experiment in ablations.EXPERIMENTS.values():
        usual, changed = (find_run(name).read_record().config.model_dump() for name in (experiment.baseline, experiment.changed))
        different = {key for key in usual if usual[key] != changed[key]}
        assert len(different) == 1, different
