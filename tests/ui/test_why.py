"""Why an answer is similar: what the page gets, and what it may ask for."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cl_core.explore.model_store import ModelStore
from cl_core.runs.store import run_features
from cl_core.ui.tabs import search, why

STORE = ModelStore()


def numbers(packed: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.frombuffer(base64.b64decode(packed), np.float32)


def test_the_explanations_are_of_the_cosine_beside_the_answer() -> None:
    model = STORE.get("emoji-simclr-small")
    query = search.query_of(model, None, "dog face")
    rows = [each.row for each in model.search_tensor(query.image, 8, "trained", query.without)]
    value = search.show_why(model, None, "dog face", search.SIMILAR, [], "", 2)
    assert value["rank"] == 2
    assert value["cosine"] == pytest.approx(model.map_cosines(query.image, rows[2:3])[0], abs=1e-4)
    assert [each["caption"] for each in value["answers"]] == [model.dataset.names[row] for row in rows]
    split, occlusion, gradient = value["explanations"]
    assert [each["kind"] for each in value["explanations"]] == ["split", "occlusion", "gradient"]
    assert split["sum"] == pytest.approx(value["cosine"], abs=1e-4)
    assert [each.sum() for each in map(numbers, split["maps"])] == pytest.approx([value["cosine"]] * 2, abs=1e-4)
    assert occlusion["sum"] is None and gradient["sum"] is None
    for each in value["explanations"]:
        assert each["curves"]["deletion"][0] == pytest.approx(value["cosine"], abs=1e-4)
        assert each["curves"]["insertion"][-1] == pytest.approx(value["cosine"], abs=1e-4)
        assert -1 <= each["untrained"] <= 1
        assert len(each["without"]) == why.STILL


def test_cosines_on_the_map_are_those_of_whole_images_whether_or_not_their_features_are_kept() -> None:
    model, rows = STORE.get("emoji-simclr-small"), [3, 500, 77]
    query = search.query_of(model, None, "dog face")
    computed = model.map_cosines(query.image, rows)
    expected = run_features(model.run, model.dataset.images[rows]) @ run_features(model.run, query.image)[0]
    assert computed == pytest.approx(expected.tolist(), abs=1e-5)
    assert len(model.features()) == len(model.dataset)  # now they are in memory
    assert model.map_cosines(query.image, rows) == pytest.approx(computed, abs=1e-5)


def test_the_parts_of_a_map_of_another_size_add_up_too() -> None:
    """28 px: the last feature map has 7 x 7 positions, drawn on 8 x 8 parts."""
    model = STORE.get("fashion-simclr")
    cosine, (split, *_), covered = model.explain(model.dataset.images[:1], 5)
    assert split.kind == "split"
    assert [float(each.sum()) for each in split.maps] == pytest.approx([cosine] * 2, abs=1e-4)
    assert covered[0].shape == (1, 3, 28, 28)
    assert model.explain(model.dataset.images[:1], 5)[1][0] is split  # computed once


def test_an_upload_that_is_no_image_leaves_nothing_to_explain(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("not an image")
    model = STORE.get("emoji-simclr-small")
    assert search.show_why(model, str(tmp_path / "text.png"), None, search.SIMILAR, [], "", 0) == why.NOTHING


@pytest.mark.parametrize("rank", [None, -1, 8, 10**30, "2", 1.5, [1]])
def test_odd_ranks_are_the_first(rank: object) -> None:
    assert why.checked(rank) == 0


@pytest.mark.parametrize(
    ("rank", "taken"), [(3, True), (0, True), (8, False), (-1, False), (True, False), ("1", False), (None, False)]
)
def test_only_an_answer_can_be_picked(rank: object, taken: bool) -> None:
    found = why.picked(SimpleNamespace(_data={"rank": rank}))  # type: ignore[arg-type]
    assert (found == rank) is taken
