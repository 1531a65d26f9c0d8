"""What one asks of word vectors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cl_core.errors import UserError
from cl_core.words.anatomy import one_pair, step_anatomy
from cl_core.words.cost import measure_cost
from cl_core.words.evaluation import log_partition_over_contexts, rating_correlation, read_ratings
from cl_core.words.folder import WordRun
from cl_core.words.maps import clusters
from cl_core.words.model import WordVectors, scores
from cl_core.words.similarity import WordSpace, parse_analogy
from cl_core.words.training import log_kq
from cl_core.words.vocabulary import Vocabulary


@pytest.fixture
def space() -> WordSpace:
    words = ["king", "man", "woman", "queen", "apple"]
    unit = torch.nn.functional.normalize(torch.tensor([[1.0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 1], [-1, 0.1, 0]]), dim=1)
    return WordSpace(Vocabulary(words, torch.arange(5, 0, -1)), unit)


def test_cosine_and_neighbors(space: WordSpace) -> None:
    assert space.cosine("king", "MAN ") == pytest.approx(0.5**0.5)
    found = space.similar("king", 2)
    assert [answer.word for answer in found] == ["man", "queen"]
    assert found[0].cosine == pytest.approx(space.cosine("king", "man"))
    assert len(space.similar("king", 100)) == 4


def test_analogy(space: WordSpace) -> None:
    assert space.analogy(["king", "woman"], ["man"], 1)[0].word == "queen"


def test_unknown_words_get_near_spellings(space: WordSpace) -> None:
    with pytest.raises(UserError, match="'qeen' is not in the vocabulary; did you mean queen"):
        space.similar("qeen", 1)
    with pytest.raises(UserError, match="'xyzzy' is not in the vocabulary; try another word"):
        space.cosine("king", "xyzzy")


def test_analogies_are_read() -> None:
    assert parse_analogy(["king", "-", "man", "+", "woman"]) == (["king", "woman"], ["man"])
    assert parse_analogy(["king - well-known +woman"]) == (["king", "woman"], ["well-known"])
    for wrong in ("king -", "- king", "king man", "king - + man", ""):
        with pytest.raises(UserError, match="is no analogy: write words with"):
            parse_analogy([wrong])


def test_topics_are_near(topic_run: WordRun) -> None:
    space = WordSpace.of(topic_run.vocabulary, topic_run.vectors)
    assert {answer.word for answer in space.similar("cat", 3)} == {"dog", "horse", "sheep"}


def test_log_z_against_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = WordVectors(*(torch.randn(shape, generator=generator) for shape in ((6, 3), (6, 3), (6,))))
    counts = torch.tensor([1, 0, 0, 0, 0, 0])
    expected = sum(torch.exp(vectors.context[w] @ vectors.center[0] + vectors.bias[w]) for w in range(6)).log()
    found = log_partition_over_contexts(vectors, counts)
    assert found.mean == pytest.approx(float(expected), rel=1e-5)
    assert found.std == pytest.approx(0, abs=1e-6)


def test_agreement_with_people(space: WordSpace, tmp_path: Path) -> None:
    file = tmp_path / "pairs.tsv"
    file.write_text("Word 1\tWord 2\tHuman\n# note\nking\tman\t9\nking\tqueen\t6\nking\tapple\t1\nking\tknave\t5\n")
    found = rating_correlation(space, read_ratings(file), "small")
    assert (found.in_vocabulary, found.pairs) == (3, 4)
    assert found.spearman == pytest.approx(1.0)
    file.write_text("king,man,9\nking queen\n")
    with pytest.raises(UserError, match="line 2: give two words and a number"):
        read_ratings(file)
    file.write_text("nothing\n")
    with pytest.raises(UserError, match="has no ratings: give two words and a number per line"):
        read_ratings(file)


def test_a_step_taken_apart(topic_run: WordRun) -> None:
    vocabulary, config = topic_run.vocabulary, topic_run.record.config
    center, context = vocabulary.index_of("cat"), vocabulary.index_of("dog")
    parts = step_anatomy(topic_run.vectors, config, vocabulary, center, context, seed=3)
    assert parts.words[0] == "dog"
    assert len(parts.words) == 1 + config.noise_words
    assert "dog" not in parts.words[1:]
    noise = torch.tensor([[vocabulary.index_of(word) for word in parts.words[1:]]])
    data, against = scores(topic_run.vectors, one_pair(center, context), noise)
    assert torch.allclose(parts.score, torch.cat([data, against[0]]))
    assert torch.allclose(parts.log_kq, log_kq(config, vocabulary.counts)[[context, *noise[0].tolist()]])
    is_data = torch.tensor([1.0] + [0.0] * config.noise_words)
    assert torch.allclose(parts.push, parts.probability - is_data, atol=1e-6)
    told_right = torch.where(is_data == 1, parts.probability, 1 - parts.probability)
    assert torch.allclose(parts.term, -told_right.log(), atol=1e-5)
    assert float(parts.contribution.sum()) == pytest.approx(1)


def test_the_cost_is_measured() -> None:
    small, large = measure_cost((500, 20_000), repeats=3)
    assert (small.vocabulary, large.vocabulary) == (500, 20_000)
    assert large.softmax > 4 * small.softmax  # forty times the work
    assert large.softmax > large.nce


def test_clusters_have_names(topic_run: WordRun) -> None:
    found = clusters(topic_run)
    assert len(found.members) == 8
    assert sum(len(name.split(", ")) for name in found.names) >= 8
