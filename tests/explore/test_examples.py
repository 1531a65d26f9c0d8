"""Queries to begin with."""

from __future__ import annotations

import numpy as np
import pytest

from cl_core.data.registry import load_dataset
from cl_core.explore.examples import COUNT, examples, sketches
from cl_core.explore.model import Space
from cl_core.explore.model_store import ModelStore


@pytest.mark.parametrize("name", ["emoji", "fashion", "digits"])
def test_there_are_twelve_and_they_are_no_images_of_the_set(name: str) -> None:
    data = load_dataset(name)
    found = examples(data)
    assert len(found) == COUNT
    assert {each.kind for each in found} >= {"crop", "turned", "recolored"}
    assert ("sketch" in {each.kind for each in found}) == (name == "emoji")
    for each in found:
        assert each.image.mode == "RGB"
        if each.kind != "sketch":
            row = data.names.index(each.name)
            original = data.images[row].permute(1, 2, 0).numpy().astype(int)
            assert np.abs(np.asarray(each.image).astype(int) - original).mean() > 1


def test_the_network_recognizes_the_sketches_better_than_pixels_do() -> None:
    """What the examples promise: of six sketches most are answered by what they show."""
    shown = {
        "sun": ("brightness", "sun"),
        "heart": ("heart",),
        "smile": ("smil", "face"),
        "umbrella": ("umbrella",),
        "house": ("house", "hut", "home"),
        "fish": ("fish",),
    }
    model = ModelStore().get("emoji-simclr")

    def right(space: Space) -> int:
        best = {name: model.search(image, top=1, space=space)[0].row for name, image in sketches().items()}
        return sum(any(word in model.dataset.names[row] for word in shown[name]) for name, row in best.items())

    assert set(sketches()) == set(shown)
    assert right("trained") >= 5
    assert right("trained") > right("pixels")
