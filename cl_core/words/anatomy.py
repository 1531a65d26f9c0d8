"""One training step in parts: a center word, its context word and the noise words, each a binary classification."""

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
    """The K + 1 classifications of one pair; the first is the positive. All tensors are (K + 1,) float32.

    Attributes:
        words: the context word and the noise words.
        score: dot product plus bias.
        log_kq: what the loss subtracts from the score; 0 with negative sampling.
        logit: score - log_kq.
        probability: sigmoid(logit), that the word is data.
        term: its term of the loss, in nats.
        contribution: its fraction of the loss.
        push: derivative of the loss with respect to the score; below 0 the word is pulled closer, above 0 pushed away.
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
    """A batch of one pair."""
    return Pairs(torch.tensor([center]), torch.tensor([1]), torch.tensor([context]))


def step_anatomy(
    vectors: WordVectors, config: WordConfig, vocabulary: Vocabulary, center: int, context: int, seed: int
) -> StepAnatomy:
    """The training step of the pair (center, context), computed by the functions of the training loop.

    Args:
        center, context: indices in the vocabulary.
        seed: of the `config.noise_words` noise words.
    """
    pair = one_pair(center, context)
    table = AliasTable(noise_distribution(vocabulary.counts, config.noise_power))
    noise, left_out = draw_noise(table, pair, config.noise_words, torch.Generator().manual_seed(seed))
    correction = log_kq(config, vocabulary.counts)
    positive_score, noise_scores = (value.detach().requires_grad_() for value in scores(vectors, pair, noise))
    subtracted = torch.cat([correction[pair.contexts], correction[noise][0]])
    positive, negative = nce_terms(positive_score, noise_scores, subtracted[:1], subtracted[None, 1:], left_out)
    push = torch.autograd.grad(positive.sum() + negative.sum(), (positive_score, noise_scores))
    score = torch.cat([positive_score, noise_scores[0]]).detach()
    term = torch.cat([positive, negative[0]]).detach()
    return StepAnatomy(
        center=vocabulary.words[center],
        words=[vocabulary.words[number] for number in [context, *noise[0].tolist()]],
        score=score,
        log_kq=subtracted,
        logit=score - subtracted,
        probability=torch.sigmoid(score - subtracted),
        term=term,
        contribution=term / term.sum(),
        push=torch.cat([push[0], push[1][0]]),
    )
