"""The tab Temperature shows probabilities of a softmax, whatever the loss of the model."""

from __future__ import annotations

import pytest

from cl_core.explore.model_store import ModelStore
from cl_core.ui.tabs import temperature

STORE = ModelStore()
SOFTMAX = ("out", "in", "in-sum", "views")  # kinds of losses whose rows are probabilities


@pytest.mark.parametrize(
    ("name", "about"),
    [
        ("emoji-simclr", "The loss is the one **emoji-simclr** was trained with."),
        ("emoji-moco", "The loss is the one **emoji-moco** was trained with."),
        ("emoji-dcl", "The loss of **emoji-dcl** is not a softmax"),
        ("emoji-siglip", "The loss of **emoji-siglip** is not a softmax"),
        ("emoji-nce-bank", "The loss of **emoji-nce-bank** is not a softmax"),
        ("emoji-byol", "**emoji-byol** was trained without a temperature"),
    ],
)
def test_the_loss_is_a_softmax_and_the_page_says_whose(name: str, about: str) -> None:
    model = STORE.get(name)
    value = temperature.show(STORE, model, 8, 1)
    assert value["summary"].startswith(about)
    for panel in value["panels"]:
        assert panel["form"]["kind"] in SOFTMAX
        assert panel["form"]["temperature"] == pytest.approx(model.config.temperature)
    assert value["trainedTemperature"] == model.has_temperature
    assert name in {place["name"] for place in value["places"]}
