"""The order of the negatives, and the batch that NCE and InfoNCE share."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from cl_core.explore.model_store import ModelStore
from cl_core.ui.tabs.nce import NOISE, negatives_in_order, show


def test_each_view_has_its_positive_and_then_all_others() -> None:
    order = negatives_in_order(8, 5)
    for view, row in enumerate(order.tolist()):
        assert row[0] == (view + 4) % 8
        assert sorted([*row, view]) == list(range(8))
    assert order[0].tolist() != negatives_in_order(8, 6)[0].tolist()


def test_the_batch_is_that_of_the_other_tabs() -> None:
    model = ModelStore().get("emoji-simclr-small")
    value = show(model, 6, 2)
    cosines = np.frombuffer(base64.b64decode(value["cosines"]), np.float32).reshape(12, 12)
    assert np.diag(cosines) == pytest.approx(np.ones(12), abs=1e-5)
    assert (value["views"], value["noise"]["count"], len(value["names"])) == (12, NOISE, 6)
    assert value["temperature"] == model.config.temperature and value["trainedTemperature"]
    assert not show(ModelStore().get("emoji-simsiam"), 6, 2)["trainedTemperature"]
