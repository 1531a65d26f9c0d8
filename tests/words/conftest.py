"""A small text with a structure that can be learned, and a model of it."""

from __future__ import annotations

import pytest
import torch

from cl_core.words.folder import WordFolder, WordRun, open_words
from cl_core.words.recorder import start

# Two topics whose words never meet; within a topic all words are used alike.
TOPICS = (["cat", "dog", "horse", "sheep"], ["red", "blue", "green", "white"])
SETTINGS = {"text": "-", "min_count": 1, "dim": 16, "epochs": 30, "window": 3, "noise_words": 3, "subsample": 0, "lr": 0.1}


def two_topics(sentences: int = 400) -> str:
    generator = torch.Generator().manual_seed(0)
    lines = []
    for number in range(sentences):
        topic = TOPICS[number % 2]
        lines.append(" ".join(topic[i] for i in torch.randint(len(topic), (6,), generator=generator).tolist()))
    return ". ".join(lines)


@pytest.fixture(scope="session")
def topic_run(tmp_path_factory: pytest.TempPathFactory) -> WordRun:
    folder = tmp_path_factory.mktemp("words") / "topics"
    session = start(folder, SETTINGS, torch.device("cpu"), pasted=two_topics())
    assert session is not None
    for _ in session.events():
        pass
    return open_words(WordFolder(folder))
