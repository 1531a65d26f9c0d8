"""One training step taken apart: a center word, its context word, and the noise words, each a yes-or-no question."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from cl_core.losses import nce_terms
from cl_core.words.config import WordConfig
from cl_core.words.model import WordVectors, scores
from cl_core.words.noise import AliasTable, draw_noise
from cl_core.words.pairs import Pairs
from cl_core.words.training import log_kq
from cl_core.words.vocabulary import Vocabulary, noise_distribution


@dataclasses.dataclass(frozen=True)
class StepAnatomy:
    """K + 1 questions about one center word; the first is the positive. All tensors are (K + 1,).

    words: the context word and the noise words. score: dot product plus bias. log_kq: what the loss takes
    off it (0 with negative sampling). logit: their difference. probability: sigmoid(logit), that the word
    is data. term: its part of the loss, in nats. share: that of the whole loss. push: derivative of the
    loss by the score; below 0 the word is pulled nearer, above 0 pushed away.
    """

    center: str
    words: list[str]
    score: Tensor
    log_kq: Tensor
    logit: Tensor
    probability: Tensor
    term: Tensor
    contribution: Tensor
    push: Tensor

    @property
    def loss(self) -> float:
        return float(self.term.sum())


def one_pair(center: int, context: int) -> Pairs:
    """A batch of a single pair."""
    return Pairs(torch.tensor([center]), torch.tensor([1]), torch.tensor([context]))


def step_anatomy(
    vectors: WordVectors, config: WordConfig, vocabulary: Vocabulary, center: int, context: int, seed: int
) -> StepAnatomy:
    """What the training would do with the pair (center, context) and `noise_words` fresh noise words.

    seed: of the noise words. The numbers come from the functions that train.
    """
    pair = one_pair(center, context)
    table = AliasTable(noise_distribution(vocabulary.counts, config.noise_power))
    noise, left_out = draw_noise(table, pair, config.noise_words, torch.Generator().manual_seed(seed))
    correction = log_kq(config, vocabulary.counts)
    data, against = (value.detach().requires_grad_() for value in scores(vectors, pair, noise))
    off = torch.cat([correction[pair.contexts], correction[noise][0]])
    positive, negative = nce_terms(data, against, off[:1], off[None, 1:], left_out)
    push = torch.autograd.grad(positive.sum() + negative.sum(), (data, against))
    score = torch.cat([data, against[0]]).detach()
    term = torch.cat([positive, negative[0]]).detach()
    return StepAnatomy(
        center=vocabulary.words[center],
        words=[vocabulary.words[number] for number in [context, *noise[0].tolist()]],
        score=score,
        log_kq=off,
        logit=score - off,
        probability=torch.sigmoid(score - off),
        term=term,
        contribution=term / term.sum(),
        push=torch.cat([push[0], push[1][0]]),
    )
