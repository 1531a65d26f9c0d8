"""How good word vectors are: do scores normalize themselves, do cosines agree with people."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import Tensor

from cl_core.errors import UserError
from cl_core.words.corpus import read_text
from cl_core.words.model import WordVectors
from cl_core.words.questions import WordSpace

CONTEXTS = 1000  # center words that log Z is looked at for
BLOCK = 50  # of them at a time: the scores of a block are BLOCK x V


@dataclasses.dataclass(frozen=True)
class LogPartition:
    """log Z(c) = log of the sum over the vocabulary of exp(score(w, c)), over center words c; 0 is normalized."""

    mean: float
    std: float
    contexts: int

    def protocol(self) -> str:
        return f"log Z exact over the vocabulary, {self.contexts:,} center words drawn by their frequency in the text"


def log_partition_over_contexts(vectors: WordVectors, counts: Tensor, correction: Tensor | float = 0.0) -> LogPartition:
    """Mean and standard deviation of log Z over center words drawn by their frequency, the same at every call.

    Args:
        counts: (V,) of the words. correction: added to the scores, (V,); log(k q) turns those of
            negative sampling, which estimate log(p / (k q)), into log-probabilities.
    """
    generator = torch.Generator().manual_seed(0)
    drawn = torch.multinomial(counts.double().cpu(), CONTEXTS, replacement=True, generator=generator)
    blocks = drawn.to(vectors.center.device).split(BLOCK)
    log_z = torch.cat([(vectors.all_scores(block) + correction).logsumexp(1).cpu() for block in blocks])
    return LogPartition(float(log_z.mean()), float(log_z.std()), CONTEXTS)


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Spearman's rank correlation of cosines with people's judgments; None with fewer than three known pairs.

    known: pairs whose words are both in the vocabulary; pairs: all in the file.
    """

    name: str
    spearman: float | None
    known: int
    pairs: int


def read_judgments(path: Path) -> list[tuple[str, str, float]]:
    """Lines of two words and a number with tabs or commas between, such as WordSim-353's; a heading and # lines are left out.

    Raises:
        UserError: a line is something else.
    """
    found = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        parts = [part.strip() for part in line.replace(",", "\t").split("\t")]
        if line.startswith("#") or not line.strip():
            continue
        try:
            found.append((parts[0], parts[1], float(parts[2])))
        except (IndexError, ValueError):
            if found:
                raise UserError(f"{path}, line {number}: a line needs two words and a number with tabs between.") from None
    if not found:
        raise UserError(f"{path} has no line of two words and a number with tabs between.")
    return found


def agreement(space: WordSpace, judgments: list[tuple[str, str, float]], name: str) -> Agreement:
    """How the cosines of `space` rank the judged pairs."""
    index = space.vocabulary.index
    known = [(index[a.lower()], index[b.lower()], s) for a, b, s in judgments if a.lower() in index and b.lower() in index]
    if len(known) < 3:
        return Agreement(name, None, len(known), len(judgments))
    from scipy.stats import spearmanr

    first, second = (space.unit[[pair[i] for pair in known]] for i in (0, 1))
    cosines = (first * second).sum(1)
    return Agreement(name, float(spearmanr(cosines, [score for *_, score in known])[0]), len(known), len(judgments))
