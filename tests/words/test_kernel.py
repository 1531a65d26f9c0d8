"""The compiled step against the step in torch operations."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from cl_core.words.config import WordConfig
from cl_core.words.corpus import Corpus, build_corpus
from cl_core.words.kernel import CompiledStep, _random, u64
from cl_core.words.model import WordVectors
from cl_core.words.noise import AliasTable
from cl_core.words.optimizers import build_word_optimizer
from cl_core.words.pairs import Pairs, Stream, pairs, read_epoch
from cl_core.words.step import TorchStep
from cl_core.words.training import log_kq
from cl_core.words.vocabulary import noise_distribution
from tests.words.conftest import SETTINGS

SPAN = (3, 60)


def corpus(words: int = 30) -> Corpus:
    generator = torch.Generator().manual_seed(0)
    drawn = [
        torch.randint(words, (int(n),), generator=generator).tolist() for n in torch.randint(1, 12, (30,), generator=generator)
    ]
    return build_corpus([[f"w{i}" for i in sentence] for sentence in drawn], 1, 1000, 10_000)


def compiled(**changes: Any) -> tuple[CompiledStep, WordVectors, Stream]:
    text = corpus(changes.pop("words", 30))
    config = WordConfig.model_validate(SETTINGS | {"repeat_limit": 3.0} | changes)
    counts, generator = text.vocabulary.counts, torch.Generator().manual_seed(1)
    size = len(counts), config.dim
    vectors = WordVectors(*(torch.randn(shape, generator=generator) for shape in (size, size, size[:1])))
    noise = AliasTable(noise_distribution(counts, config.noise_power))
    stream = read_epoch(text, torch.ones(len(counts)), config.window, True, generator)
    return CompiledStep(config, vectors, noise, log_kq(config, counts)), vectors, stream


def test_splitmix64_is_its_authors() -> None:
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [int(_random(u64(1234567), u64(i))) for i in range(4)] == expected


@pytest.mark.parametrize("shared", [True, False])
def test_pairs_are_the_same(shared: bool) -> None:
    step, _, stream = compiled(shared_noise=shared)
    batch, expected = step.draw(stream, SPAN, 1), pairs(stream, *SPAN, step._config.window)
    expected = expected if shared else expected.ungrouped()
    assert batch.centers.tolist() == expected.centers.tolist()
    assert batch.contexts.tolist() == expected.contexts.tolist()
    assert batch.starts.tolist() == [0, *expected.sizes.cumsum(0).tolist()]


def test_noise_follows_its_distribution() -> None:
    step, vectors, stream = compiled(shared_noise=False, noise_words=20)
    q = noise_distribution(corpus().vocabulary.counts, step._config.noise_power)
    drawn, expected = torch.zeros(len(vectors)), torch.zeros(len(vectors))
    for number in range(40):
        batch = step.draw(stream, SPAN, number)
        assert not (batch.noise == batch.contexts[:, None]).any()
        drawn += torch.from_numpy(batch.noise).flatten().bincount(minlength=len(vectors))
        contexts = torch.from_numpy(batch.contexts)
        without = q.repeat(len(contexts), 1).scatter(1, contexts[:, None], 0)
        expected += 20 * (without / without.sum(1, keepdim=True)).sum(0).float()
    assert torch.allclose(drawn, expected, atol=5 * float(expected.max().sqrt()))


@pytest.mark.parametrize("words", [30, 4])  # of four words, noise words are often positives
@pytest.mark.parametrize("changes", [{}, {"loss": "negative-sampling", "bias": False}, {"shared_noise": False}])
def test_a_step_is_the_same(changes: dict[str, Any], words: int, monkeypatch: pytest.MonkeyPatch) -> None:
    step, vectors, stream = compiled(words=words, **changes)
    config, batch = step._config, step.draw(stream, SPAN, 1)
    left_out = []

    def drawn(table: AliasTable, pairs: Pairs, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        noise = torch.from_numpy(batch.noise)
        left_out.append(noise[pairs.owner] == pairs.contexts[:, None])
        return noise, left_out[0]

    monkeypatch.setattr("cl_core.words.step.draw_noise", drawn)
    expected = WordVectors(**{name: value.clone() for name, value in vectors.tensors().items()})
    optimizer = build_word_optimizer(config, expected)
    reference = TorchStep(config, expected, AliasTable(torch.ones(1)), torch.from_numpy(step._log_kq), optimizer)
    sums = reference(stream, SPAN, 1, 0.1, None).tolist()
    assert list(step.update(batch, 0.1)) == pytest.approx(sums, rel=1e-5)
    assert left_out[0].any() == (words == 4 and config.shared_noise)
    for name, value in vectors.tensors().items():
        assert torch.allclose(value, expected.tensors()[name], atol=1e-5), name


def test_preparing_the_next_step_changes_nothing() -> None:
    ended = []
    for ahead in (False, True):
        step, vectors, stream = compiled()
        for number in range(6):
            following = (10 * number + 10, 10 * number + 20) if ahead and number < 5 else None
            step(stream, (10 * number, 10 * number + 10), number, 0.05, following)
        ended.append(vectors)
    assert all(torch.equal(one, other) for one, other in zip(*(v.tensors().values() for v in ended), strict=True))


def test_another_step_than_the_prepared_one() -> None:
    step, _, stream = compiled()
    step(stream, (0, 10), 1, 0.05, (10, 20))
    assert step(stream, (20, 40), 2, 0.05, None)[5] == len(step.draw(stream, (20, 40), 2).contexts)


def test_words_that_stand_alone_change_nothing() -> None:
    step, vectors, _ = compiled()
    before = vectors.center.clone()
    alone = Stream(torch.arange(3).int(), torch.arange(3).int(), torch.ones(3, dtype=torch.uint8))
    assert step(alone, (0, 3), 1, 0.1, None).tolist() == [0] * 6
    assert torch.equal(vectors.center, before)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_seen(value: float) -> None:
    step, vectors, stream = compiled()
    vectors.center.fill_(value)
    assert not step(stream, SPAN, 1, 0.1, None)[:2].isfinite().all()
