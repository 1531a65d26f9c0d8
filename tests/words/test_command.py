"""`python -m cl_core words ...`, killed, resumed and asked, in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cl_core.words.folder import WordFolder, WordRun
from tests.conftest import ROOT
from tests.program import Program
from tests.words.conftest import two_topics

pytestmark = pytest.mark.slow

Command = Callable[..., subprocess.CompletedProcess[str]]
OPTIONS = ["--min-count", "1", "--dim", "8", "--noise-words", "3", "--epochs", "15", "--subsample", "0"]
OPTIONS += ["--save-every", "0", "--device", "cpu"]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("text") / "topics.txt"
    file.write_text(two_topics())
    return file


def begin(folder: Path, text: Path) -> Program:
    arguments = ["words", "train", "--run", str(folder), "--text", str(text), *OPTIONS]
    return Program(arguments, folder.with_name(f"{folder.name}-printed"))


def lines(folder: Path) -> int:
    return len(WordFolder(folder).read_metrics())


def test_killed_and_stopped_runs_end_like_the_uninterrupted_one(tmp_path: Path, text: Path) -> None:
    whole = begin(tmp_path / "whole", text)
    assert whole.communicate(timeout=120) and whole.returncode == 0
    parts = tmp_path / "parts"
    for number, (sent, code) in enumerate([(signal.SIGKILL, -9), (signal.SIGINT, 130)]):
        process = begin(parts, text)
        deadline = time.monotonic() + 60
        while lines(parts) < 20 * (number + 1) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(sent)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == code, errors
    assert "the same command resumes from there" in errors
    assert WordFolder(parts).read_record().state == "stopped"
    last = begin(parts, text)
    assert last.communicate(timeout=120) and last.returncode == 0
    one, other = WordFolder(tmp_path / "whole"), WordFolder(parts)
    tensors = [folder.read_resume()[0] for folder in (one, other)]
    assert all(torch.equal(tensors[0][name], tensors[1][name]) for name in tensors[0])
    curves = [[(p["step"], p["loss"]) for p in folder.read_metrics()] for folder in (one, other)]
    assert curves[0] == curves[1]
    assert one.read_record().metrics["log_z"] == other.read_record().metrics["log_z"]


def test_pasted_text_and_questions(command: Command, tmp_path: Path) -> None:
    done = command("words", "train", "--run", "run", "--text", "-", *OPTIONS, input=two_topics())
    assert done.returncode == 0, done.stderr
    assert "log Z" in done.stdout
    done = command("words", "similar", "cat", "--checkpoint", "run", "--top", "3")
    assert {line.split()[1] for line in done.stdout.splitlines()[1:]} == {"dog", "horse", "sheep"}
    done = command("words", "analogy", "cat - dog + red", "--checkpoint", "run", "--top", "2", "--json")
    assert len(json.loads(done.stdout)["cat - dog + red"]) == 2
    (tmp_path / "pairs.tsv").write_text("cat\tdog\t9\ncat\tred\t1\nblue\tred\t8\nblue\tsheep\t2\n")
    done = command("words", "evaluate", "--checkpoint", "run", "--pairs", "pairs.tsv", "--json")
    found = json.loads(done.stdout)
    assert found["agreement"][0]["in_vocabulary"] == 4
    assert found["agreement"][0]["spearman"] > 0.7
    done = command("list", "--json", "--runs", ".")
    listing = json.loads(done.stdout)
    last = listing["words"][-1]
    assert (last["name"], last["state"], last["text"], last["loss"], last["words"]) == ("run", "finished", "-", "nce", 2400)
    assert not listing["runs"]


def test_a_image_is_no_text(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "cl_core", "words", "train", "--run", str(tmp_path / "run"), "--text", "-"]
    done = subprocess.run(
        arguments, input=b"\x89PNG abc \xff\xfe def", env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.decode() == "error: Standard input is not a text in UTF-8: give a plain text file.\n"
    assert not (tmp_path / "run").exists()


def test_the_shipped_words(command: Command) -> None:
    done = command("words", "similar", "dog", "cat")
    assert -1 <= float(done.stdout) <= 1
    done = command("words", "similar", "Violin", "--top", "8")
    assert "piano" in done.stdout


def test_a_run_knows_what_it_is(command: Command, topic_run: WordRun) -> None:
    done = command("evaluate", "--checkpoint", topic_run.folder.path)
    assert done.returncode == 2
    assert "is a run on words, not on images: use python -m cl_core words." in done.stderr
    done = command("words", "similar", "cat", "--checkpoint", ROOT / "checkpoints" / "emoji-simclr")
    assert done.returncode == 2
    assert "is a run on images, not on words" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "--run", "r", "--text", "-"], "The text has no words: give one with at least two different words."),
        (["train", "--run", "r", "--text", "nowhere.txt"], "nowhere.txt cannot be read (No such file or directory)"),
        (
            ["train", "--run", "r", "--noise-power", "1.5"],
            "noise_power: input should be less than or equal to 1",
        ),
        (["train", "--run", "r", "--noise-power", "-0.1"], "noise_power: input should be greater than or equal to 0"),
        (
            ["train", "--run", "r", "--text", "synthetic", "--synthetic-vocabulary", "4", "--min-count", "1"],
            "noise_words: 5 noise words per pair need a larger vocabulary than the text's 4 words",
        ),
        (["train", "--run", "r", "--max-words", "1000"], "The text has more than max_words = 1,000 words"),
        (["similar", "vilion"], "'vilion' is not in the vocabulary; did you mean vision, violin, violation?"),
        (["analogy", "king -"], "'king -' is no analogy: write words with + and - between"),
        (["evaluate", "--checkpoint", "nobody"], "There is no checkpoint or run folder 'nobody': choose one of words-wordnet"),
    ],
)
def test_mistakes_get_a_sentence(command: Command, tmp_path: Path, arguments: list[str], sentence: str) -> None:
    done = command("words", *arguments, input="")
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "r").exists()
