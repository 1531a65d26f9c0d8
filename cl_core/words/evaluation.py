"""Evaluation of word vectors: log Z of the scores, and agreement of cosines with human ratings."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import Tensor

from cl_core.errors import UserError, quoted
from cl_core.words.corpus import read_text
from cl_core.words.model import WordVectors
from cl_core.words.similarity import WordSpace

CONTEXTS = 1000  # center words for which log Z is computed
BLOCK = 50  # of them at a time: their scores are BLOCK x V


@dataclasses.dataclass(frozen=True)
class LogPartition:
    """log Z(c) = log of the sum over the vocabulary of exp(score(w, c)), over center words c; 0 if normalized."""

    mean: float
    std: float
    contexts: int

    def protocol(self) -> str:
        return f"log Z exact over the vocabulary, {self.contexts:,} center words drawn by their frequency in the text"


def log_partition_over_contexts(vectors: WordVectors, counts: Tensor, correction: Tensor | float = 0.0) -> LogPartition:
    """Mean and standard deviation of log Z over center words drawn by frequency with a fixed seed.

    Args:
        counts: (V,) word counts.
        correction: (V,), added to the scores. Negative sampling estimates log(p / (k q)); adding log(k q) gives log p.
    """
    generator = torch.Generator().manual_seed(0)
    drawn = torch.multinomial(counts.double().cpu(), CONTEXTS, replacement=True, generator=generator)
    blocks = drawn.to(vectors.center.device).split(BLOCK)
    log_z = torch.cat([(vectors.all_scores(block) + correction).logsumexp(1).cpu() for block in blocks])
    return LogPartition(float(log_z.mean()), float(log_z.std()), CONTEXTS)


@dataclasses.dataclass(frozen=True)
class RatingCorrelation:
    """Correlation of cosines with human ratings of word pairs.

    Attributes:
        spearman: Spearman's rank correlation; None with fewer than three pairs in the vocabulary.
        in_vocabulary: pairs of which both words are in the vocabulary.
        pairs: all pairs of the file.
    """

    name: str
    spearman: float | None
    in_vocabulary: int
    pairs: int


def read_ratings(path: Path) -> list[tuple[str, str, float]]:
    """Read word pairs with ratings, such as WordSim-353: two words and a number per line, separated by tabs or commas.

    A header line, lines that start with # and empty lines are skipped.

    Raises:
        UserError: a line has another format.
    """
    ratings: list[tuple[str, str, float]] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        parts = [part.strip() for part in line.replace(",", "\t").split("\t")]
        if line.startswith("#") or not line.strip():
            continue
        try:
            ratings.append((parts[0], parts[1], float(parts[2])))
        except (IndexError, ValueError):
            if ratings:
                raise UserError("words.bad_rating", path=quoted(path), line=number) from None
    if not ratings:
        raise UserError("words.no_ratings", path=quoted(path))
    return ratings


def rating_correlation(space: WordSpace, ratings: list[tuple[str, str, float]], name: str) -> RatingCorrelation:
    """Rank correlation of the cosines of `space` with the ratings of word pairs."""
    index = space.vocabulary.word_to_index
    rated = [(index[a.lower()], index[b.lower()], r) for a, b, r in ratings if a.lower() in index and b.lower() in index]
    if len(rated) < 3:
        return RatingCorrelation(name, None, len(rated), len(ratings))
    from scipy.stats import spearmanr

    first, second = (space.unit[[pair[i] for pair in rated]] for i in (0, 1))
    cosines = (first * second).sum(1)
    return RatingCorrelation(name, float(spearmanr(cosines, [rating for *_, rating in rated])[0]), len(rated), len(ratings))
