"""The public functions: forms of images, agreement with the page's own functions, training, errors, examples."""

from __future__ import annotations

import doctest
import importlib
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import cl_core
from cl_core.errors import UserError
from cl_core.explore.inputs import as_images
from cl_core.runs.store import load_run, run_features
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

NAME = "emoji-simclr"
IMPORT_S = 0.15


@pytest.fixture(scope="module")
def model() -> cl_core.Model:
    return cl_core.load(NAME)


def test_importing_is_quick_and_loads_nothing() -> None:
    code = "import sys, time; t = time.perf_counter(); import cl_core; print(time.perf_counter() - t, 'torch' in sys.modules)"
    taken = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        seconds, torch_there = done.stdout.split()
        assert torch_there == "False"
        taken.append(float(seconds))
    assert min(taken) < IMPORT_S


def test_everything_public_is_there_and_documented() -> None:
    for name in cl_core.__all__:
        assert getattr(cl_core, name) is not None
        assert name.startswith("__") or getattr(cl_core, name).__doc__, name
    assert dir(cl_core) == sorted(cl_core.__all__)
    assert cl_core.losses.nt_xent is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        cl_core.nothing  # noqa: B018


def test_every_form_of_an_image_gives_the_same(model: cl_core.Model, tmp_path: Path) -> None:
    tensor = model.dataset.images[7]
    array = tensor.permute(1, 2, 0).numpy()
    image = Image.fromarray(array)
    image.save(tmp_path / "seven.png")
    expected = run_features(load_run(NAME), tensor[None]).numpy()
    forms = [
        tensor,
        tensor[None],
        tensor.float() / 255,
        array,
        array[None],
        image,
        tmp_path / "seven.png",
        str(tmp_path / "seven.png"),
    ]
    for form in [*forms, [image], forms[:1]]:
        np.testing.assert_allclose(model.embed(form), expected, atol=1e-5)
    several = model.embed(forms)
    assert several.shape == (len(forms), expected.shape[1]) and several.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(several, axis=1), 1, atol=1e-5)
    gray = Image.fromarray(array).convert("L")
    assert torch.equal(as_images(gray, 64), as_images(np.asarray(gray), 64))
    assert as_images(np.zeros((10, 20, 4), np.uint8), 32).shape == (1, 3, 32, 32)


def test_output_and_layer(model: cl_core.Model) -> None:
    image = model.dataset.images[:3]
    features, embeddings = model.embed(image, output="torch"), model.embed(image, "embedding", output="torch")
    assert isinstance(features, torch.Tensor) and (features.shape, embeddings.shape) == ((3, 1152), (3, 128))


@pytest.mark.parametrize(
    ("images", "what"),
    [
        ([], "no image"),
        (3, "not int"),
        (np.zeros((4, 4, 3)), "dtype uint8"),
        (np.zeros((4, 4, 7), np.uint8), "has the shape"),
        (torch.zeros(4, 4), "has the shape"),
        (torch.full((3, 4, 4), 2.0), r"\[0, 1\]"),
        (torch.full((3, 4, 4), torch.nan), "finite"),
        ("no/such/file.png", "file.png"),
    ],
)
def test_other_forms_get_a_sentence(model: cl_core.Model, images: object, what: str) -> None:
    with pytest.raises(UserError, match=what):
        model.embed(images)


def test_search_is_the_page_s(model: cl_core.Model) -> None:
    answers = model.search(model.dataset.images[20], top=4)
    assert (answers[0].row, answers[0].rank, len(answers)) == (20, 1, 4)
    assert [each.cosine for each in answers] == sorted((each.cosine for each in answers), reverse=True)
    assert answers == model.search_tensor(model.dataset.images[20:21], 4)
    assert model.search(model.dataset.images[20], 1, "pixels")[0].row == 20
    for bad in ({"top": 0}, {"space": "words"}):
        with pytest.raises(UserError, match="must be"):
            model.search(model.dataset.images[20], **bad)
    with pytest.raises(UserError, match="one image at a time"):
        model.search(model.dataset.images[:2])


def test_names_folders_and_what_is_neither(small_run: Path, model: cl_core.Model) -> None:
    assert {NAME, "fashion-supcon"} <= set(cl_core.models())
    assert cl_core.load(small_run).config.dataset == "digits"
    assert cl_core.load(NAME) is model
    with pytest.raises(UserError, match="no-such-model"):
        cl_core.load("no-such-model")


def test_evaluate_gives_the_recorded_accuracy(small_run: Path) -> None:
    small = cl_core.load(small_run)
    reports = small.evaluate()
    assert set(reports) == {"trained", "untrained", "pixels"}
    assert reports["trained"].knn.accuracy == pytest.approx(small.metrics["knn"]["accuracy"], abs=1e-6)


def test_training_stops_resumes_and_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    settings = {"encoder": "mlp", "image_size": 8, "epochs": 2, "snapshots": 2, "batch_size": 256}
    done: list[float] = []
    whole = cl_core.train("digits", "simclr", tmp_path / "whole", "cpu", done.append, **settings)
    assert done[-1] == 1 and done == sorted(done)

    def stop(fraction: float) -> None:
        if fraction >= 0.5:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        cl_core.train("digits", "simclr", tmp_path / "parts", "cpu", stop, **settings)
    record = cl_core.load(tmp_path / "parts").record
    assert (record.state, record.step) == ("stopped", record.total_steps // 2), "not a step is lost"
    assert signal.getsignal(signal.SIGINT) is before
    parts = cl_core.train("digits", "simclr", tmp_path / "parts", "cpu", **settings)
    assert parts.record.state == "finished"
    for name, weight in whole.run.method.state_dict().items():
        assert torch.equal(weight, parts.run.method.state_dict()[name]), name
    again = cl_core.train("digits", "simclr", tmp_path / "parts", "cpu", **settings)
    assert again.version == parts.version, "a finished run is only opened"
    with pytest.raises(UserError, match="temperature"):
        cl_core.train("digits", "simclr", tmp_path / "bad", temperature=-1)
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize("module", ["cl_core", "cl_core.api"])
def test_examples_run(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted > 0 and not found.failed
