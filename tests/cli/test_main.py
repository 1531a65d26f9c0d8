"""The command line: what it prints, and a sentence with exit code 2 for each mistake."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from cl_core.cli.main import main
from cl_core.data.registry import load_dataset
from cl_core.ui.images import to_image

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("queries")
    data = load_dataset("digits")
    for row in (0, 1, 2):
        to_image(data.images[row]).resize((64, 64)).save(folder / f"{row}.png")
    return folder


def test_list(command: Command, small_run: Path) -> None:
    done = command("list", "--json", "--runs", small_run.parent)
    assert done.returncode == 0
    listing = json.loads(done.stdout)
    assert [row["name"] for row in listing["datasets"]] == ["emoji", "fashion", "mnist", "digits", "iris"]
    assert {"emoji-simclr", "fashion-simclr"} <= {row["name"] for row in listing["checkpoints"]}
    assert listing["runs"][0]["name"] == str(small_run)
    assert listing["runs"][0]["state"] == "finished"


def test_a_damaged_data_set_is_listed_as_such(command: Command, own_cache: Path, small_run: Path) -> None:
    folder = own_cache / "collections" / "mine"
    folder.mkdir(parents=True)
    (folder / "description.json").write_text("{")
    done = command("list", "--json", "--runs", small_run.parent)
    assert done.returncode == 0
    (mine,) = [row for row in json.loads(done.stdout)["datasets"] if row["name"] == "mine"]
    assert mine["state"] == "damaged" and "mine" in mine["problem"]


@pytest.mark.slow
def test_evaluate(command: Command, small_run: Path) -> None:
    done = command("evaluate", "--checkpoint", small_run, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer["knn"]) == {"trained", "untrained", "pixels"}
    assert answer["layer"] == "feature h"
    for result in answer["knn"].values():
        assert 0 < result["accuracy"] <= 1
        assert "359 queries against 1,438 images" in result["protocol"]
    assert answer["knn"]["trained"]["accuracy"] > answer["knn"]["untrained"]["accuracy"]
    assert "frozen" in answer["linear"]["trained"]["protocol"]
    assert answer["linear"]["trained"]["accuracy"] > 0.9
    assert [result["method"] for result in answer["clustering"]["pixels"]] == ["k-means", "Gaussian mixture"]
    assert answer["geometry"]["trained"]["dim"] == 128
    assert answer["geometry"]["pixels"] is None


def test_search_a_folder(command: Command, small_run: Path, queries: Path) -> None:
    done = command("search", queries, "--checkpoint", small_run, "--top", 3, "--json")
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert [Path(a["query"]).name for a in answers] == ["0.png", "1.png", "2.png"]
    for answer in answers:
        assert [n["rank"] for n in answer["neighbors"]] == [1, 2, 3]
        assert all(set(n) == {"rank", "id", "name", "label", "cosine"} for n in answer["neighbors"])
        cosines = [n["cosine"] for n in answer["neighbors"]]
        assert cosines == sorted(cosines, reverse=True)
    assert sum(a["neighbors"][0]["label"] == str(i) for i, a in enumerate(answers)) >= 2


def test_search_goes_on_past_a_bad_file(command: Command, small_run: Path, queries: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("not an image")
    done = command("search", queries / "0.png", bad, "--checkpoint", small_run, "--json")
    assert done.returncode == 2
    assert len(json.loads(done.stdout)) == 1
    assert done.stderr.strip() == "error: bad.png is not an image; PNG, JPEG, WebP, GIF, BMP and TIFF files are read."


def test_an_animation_is_searched_by_its_first_frame(command: Command, small_run: Path, tmp_path: Path) -> None:
    frames = [Image.new("L", (32, 32), value) for value in (0, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    done = command("search", tmp_path / "moving.gif", "--checkpoint", small_run)
    assert done.returncode == 0
    assert "moving.gif is animated: its first frame is the query." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["train", "--run", "r", "--dataset", "cats"],
            "There is no data set 'cats': choose one of emoji, fashion, mnist, digits, or import your own with `data add cats",
        ),
        (["train", "--run", "r", "--dataset", "iris"], "dataset: must be a set of images"),
        (
            ["train", "--run", "r", "--method", "dino"],
            "supcon, cross-entropy, but it was 'dino'.",
        ),
        (["train", "--run", "r", "--lr", "-1"], "lr: input should be greater than 0, but it was '-1'."),
        (["train", "--run", "r", "--image-size", "2"], "image_size: must be 0 or at least 8, but it was '2'."),
        (["train", "--run", "r", "--epochs", "many"], "epochs: input should be a whole number"),
        (["train", "--run", "r", "--augment.flip-prob", "2"], "augment.flip_prob: input should be less than or equal to 1"),
        (["train", "--run", "r", "--device", "tpu"], "This machine has no device 'tpu': choose auto or one of"),
        (["train", "--run", "r", "--like", "nobody"], "There is no checkpoint or run folder 'nobody'"),
        (["evaluate", "--checkpoint", "nobody"], "There is no checkpoint or run folder 'nobody': choose one of"),
        (["evaluate", "--checkpoint", "."], "is not a run: it has no run.json"),
        (["data", "add", "cifar100", "."], "cifar100 is a public data set, which `data get cifar100` downloads: choose another"),
        (["data", "add", "iris", "."], "iris comes with the project: choose another name"),
        (["search", "x.png", "--checkpoint", "nobody"], "There is no checkpoint or run folder 'nobody'"),
    ],
)
def test_mistakes_get_a_sentence(command: Command, arguments: list[str], sentence: str) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


LONG = "a" * 300  # characters; file systems take 255


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--run", LONG],
        ["sweep", "--run", LONG, "--lr", "1e-3", "2e-3"],
        ["export", "--run", "emoji-simclr-small", "--to", LONG],
        ["search", LONG, "--checkpoint", "emoji-simclr-small"],
        ["search", "dog.png", "--checkpoint", LONG],
        ["evaluate", "--checkpoint", f"{LONG}/{LONG}"],
        ["data", "add", "own", LONG],
        ["data", "add", LONG, "."],
        ["pull", f"{LONG}/{LONG}"],
        ["encoder", LONG],
        ["words", "train", "--run", LONG],
        ["words", "train", "--run", "own", "--text", LONG],
        ["words", "similar", "dog", "--checkpoint", LONG],
    ],
)
def test_a_name_too_long_gets_a_sentence(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    (sentence,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert LONG[:81] not in sentence


def test_a_missing_image_and_a_wrong_count(command: Command, small_run: Path) -> None:
    done = command("search", "nowhere.png", "--checkpoint", small_run)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: There is no file nowhere.png; give the path of an image.\n"
    done = command("search", "x.png", "--checkpoint", small_run, "--top", "0")
    assert done.returncode == 2
    assert "a whole number of at least 1 is needed, not '0'" in done.stderr
