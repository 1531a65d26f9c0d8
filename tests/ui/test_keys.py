"""What the tab Keys gets: the numbers of the runs, and only steps that there are."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest

from cl_core.data.dataset import instances
from cl_core.data.registry import load_dataset
from cl_core.explore.paradigms import MAX_STEPS, PARADIGMS, Paradigm, paradigm
from cl_core.text import LANGUAGES, texts, using_language
from cl_core.ui.images import sprite_folder
from cl_core.ui.tabs import keys


def numbers(packed: str, kind: Any = np.float32) -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(packed), kind)


def test_the_file_holds_what_the_runs_measured() -> None:
    value = keys.show()
    content = json.loads((sprite_folder() / Path(value["file"]).name).read_text())
    of_row, count = instances(load_dataset("emoji"), False)
    assert len(content["names"]) == count == value["sprites"]["count"]
    assert [each["name"] for each in content["paradigms"]] == list(PARADIGMS)
    assert 0 <= content["first"] < len(content["steps"])
    for shown in content["paradigms"]:
        history = Paradigm(shown["name"]).history
        assert [snapshot["step"] for snapshot in shown["snapshots"]] == content["steps"] == history.steps
        for snapshot, rows, ages, cosines in zip(shown["snapshots"], history.rows, history.ages, history.cosines, strict=True):
            assert numbers(snapshot["cosines"]) == pytest.approx(cosines.numpy(), abs=1e-6)
            assert numbers(snapshot["ages"], np.int16).tolist() == ages.tolist()
            assert numbers(snapshot["instances"], np.int16).tolist() == of_row[rows].tolist()
            assert snapshot["consistency"] == pytest.approx(float(cosines.mean()), abs=1e-6)
            assert np.quantile(cosines, [0.1, 0.9]) == pytest.approx([snapshot["low"], snapshot["high"]], abs=1e-5)
            assert (snapshot["lag"] is None) == (not shown["name"].startswith("moco"))


@pytest.mark.parametrize("name", ["end-to-end", "memory-bank", "moco-0.99"])
def test_a_step_is_that_of_the_run(name: str) -> None:
    value, step = keys.show_step(name, 1), paradigm(name).step(1)
    assert (value["step"], value["loss"], value["lr"]) == (step.step, step.loss, step.lr)
    assert numbers(value["before"]["cosines"]) == pytest.approx(step.before.cosines.numpy())
    assert numbers(value["updated"]) == pytest.approx(step.updated.numpy())
    assert numbers(value["weights"]).reshape(len(value["anchors"]), -1) == pytest.approx(step.compared.weights.numpy())
    assert value["consistency"]["after"] == pytest.approx(float(step.after.cosines.mean()))
    assert [each["loss"] for each in value["anchors"]] == pytest.approx(step.compared.losses.tolist())
    json.dumps(value)


@pytest.mark.parametrize("sent", [{"name": "moco-2", "number": 0}, {"name": "moco-0", "number": MAX_STEPS}, {"name": None}])
def test_a_step_that_there_is_not_is_skipped(sent: dict[str, Any]) -> None:
    assert keys.asked(SimpleNamespace(_data=sent)) == (gr.skip(), gr.skip())  # type: ignore[arg-type]
    assert keys.asked(SimpleNamespace(_data={"name": "moco-0", "number": 2})) == ("moco-0", 2)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "number"), [("moco-2", 0), ("moco-0", MAX_STEPS), ("moco-0", -1), ("moco-0", 1e9)])
def test_no_request_makes_other_steps(name: str, number: float) -> None:
    assert keys.show_step(name, number) == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_stage_of_each_kind_has_a_text(language: str) -> None:
    with using_language(language):
        strings = texts("keys.step")
    for kind in set(keys.KINDS.values()):
        for stage in ("encode", "compare", "update", "store"):
            for part in ("stage", "about"):
                assert f"{part}.{stage}.{kind}" in strings or f"{part}.{stage}" in strings
