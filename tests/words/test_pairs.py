"""Pairs and noise against naive loops."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from cl_core.words.corpus import Corpus, build_corpus
from cl_core.words.noise import AliasTable, draw_noise
from cl_core.words.pairs import Pairs, Stream, count_pairs, pairs, read_epoch
from cl_core.words.vocabulary import noise_distribution


@pytest.fixture(autouse=True, params=[1, 5, 1_000_000])
def _read_at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch is read in parts of whole sentences; the parts must not show."""
    monkeypatch.setattr("cl_core.words.pairs.CHUNK_WORDS", request.param)


@pytest.fixture
def corpus() -> Corpus:
    generator = torch.Generator().manual_seed(0)
    sentences = [
        [f"w{i}" for i in torch.randint(30, (int(n),), generator=generator).tolist()]
        for n in torch.randint(1, 12, (50,), generator=generator)
    ]
    return build_corpus(sentences, 1, 1000, 10_000)


def naive(stream: Stream) -> list[tuple[int, int]]:
    found = []
    for i in range(len(stream)):
        for j in range(len(stream)):
            if i != j and abs(i - j) <= int(stream.windows[i]) and stream.sentence[i] == stream.sentence[j]:
                found.append((int(stream.ids[i]), int(stream.ids[j])))
    return found


@pytest.mark.parametrize("dynamic", [False, True])
def test_every_pair_of_a_window_and_no_other(corpus: Corpus, dynamic: bool) -> None:
    keep = torch.ones(len(corpus.vocabulary))
    stream = read_epoch(corpus, keep, 3, dynamic, torch.Generator().manual_seed(1))
    found: list[tuple[int, int]] = []
    for start in range(0, len(stream), 7):
        part = pairs(stream, start, min(start + 7, len(stream)), 3)
        assert int(part.sizes.sum()) == len(part)
        assert int(part.sizes.min()) >= 1
        found += zip(part.centers[part.owner].tolist(), part.contexts.tolist(), strict=True)
    assert found == naive(stream)
    assert count_pairs(stream, 3, chunk=11) == len(found)


def test_an_epoch_reads_every_sentence_once_in_another_order(corpus: Corpus) -> None:
    keep = torch.ones(len(corpus.vocabulary))
    streams = [read_epoch(corpus, keep, 3, False, torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    whole = Counter(tuple(part.tolist()) for part in corpus.ids.split(corpus.lengths.tolist()))
    for stream in streams:
        _, lengths = stream.sentence.unique_consecutive(return_counts=True)
        assert Counter(tuple(part.tolist()) for part in stream.ids.split(lengths.tolist())) == whole
    assert streams[0].ids.tolist() != streams[1].ids.tolist()


def test_thinned_out_words() -> None:
    corpus = build_corpus([["a", "b"] * 5000], 1, 10, 100_000)
    stream = read_epoch(corpus, torch.tensor([0.25, 1.0]), 2, False, torch.Generator().manual_seed(0))
    counts = stream.ids.bincount().tolist()
    assert counts[1] == 5000
    assert counts[0] == pytest.approx(1250, abs=120)


@pytest.mark.parametrize("power", [0.0, 0.75, 1.0])
def test_draws_follow_the_distribution(power: float) -> None:
    q = noise_distribution(torch.tensor([1000, 300, 50, 7, 1, 1]), power)
    drawn = AliasTable(q).draw(400_000, torch.Generator().manual_seed(0))
    shares = drawn.bincount(minlength=6).double() / len(drawn)
    assert torch.allclose(shares, q, atol=4 * float((q * (1 - q) / len(drawn)).max().sqrt()))


def test_noise_never_hits_a_positive_of_its_group() -> None:
    q = noise_distribution(torch.tensor([100, 30, 50, 7, 5, 5]), 1)
    batch = Pairs(torch.zeros(200, dtype=torch.long), torch.full((200,), 2), torch.tensor([0, 1]).repeat(200))
    noise, left_out = draw_noise(AliasTable(q), batch, 4, torch.Generator().manual_seed(0))
    assert noise.shape == (200, 4)
    assert not left_out.any()
    assert int(noise.min()) >= 2
    shares = noise.flatten().bincount(minlength=6).double()[2:] / noise.numel()
    assert torch.allclose(shares, q[2:] / q[2:].sum(), atol=0.05)


def test_where_positives_are_all_words_hits_do_not_count() -> None:
    q = noise_distribution(torch.tensor([3, 2]), 1)
    batch = Pairs(torch.tensor([0]), torch.tensor([2]), torch.tensor([0, 1]))
    noise, left_out = draw_noise(AliasTable(q), batch, 5, torch.Generator().manual_seed(0))
    assert left_out.tolist() == [(noise[0] == 0).tolist(), (noise[0] == 1).tolist()]
    alone, left_out = draw_noise(AliasTable(q), batch.ungrouped(), 5, torch.Generator().manual_seed(0))
    assert alone.tolist() == [[1] * 5, [0] * 5]
    assert not left_out.any()
