"""Noise words, drawn in constant time each, excluding the positives."""

from __future__ import annotations

import torch
from torch import Tensor

from cl_core.words.pairs import Pairs

REDRAWS = 50


class AliasTable:
    """Draws from a discrete distribution by two lookups (Walker 1977, built as by Vose 1991).

    Attributes:
        accept: (V,) float32, probability that a drawn column stands for itself.
        alias: (V,) int64, the item that it stands for otherwise.
    """

    def __init__(self, probabilities: Tensor, device: torch.device | None = None) -> None:
        """
        Args:
            probabilities: (V,) on the CPU, any floating dtype, >= 0 with sum 1.
            device: on which to draw, by default the CPU.
        """
        count = len(probabilities)
        scaled = (probabilities.double() * count).tolist()
        alias = list(range(count))
        accept = [1.0] * count
        small = [i for i, value in enumerate(scaled) if value < 1]
        large = [i for i, value in enumerate(scaled) if value >= 1]
        while small and large:
            low, high = small.pop(), large[-1]
            accept[low], alias[low] = scaled[low], high
            scaled[high] -= 1 - scaled[low]
            if scaled[high] < 1:
                small.append(large.pop())
        self.accept = torch.tensor(accept, dtype=torch.float32, device=device)
        self.alias = torch.tensor(alias, device=device)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count,) int64, independent draws."""
        device = self.accept.device
        column = torch.randint(len(self.accept), (count,), generator=generator, device=device)
        accepted = torch.rand(count, generator=generator, device=device) < self.accept[column]
        return torch.where(accepted, column, self.alias[column])


def draw_noise(table: AliasTable, pairs: Pairs, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw `count` noise words for each group of pairs; a noise word that is a positive of the group is drawn again.

    If the positives of a group are nearly the whole vocabulary, some remain after `REDRAWS` rounds; they are excluded
    from the loss of the pair with this positive.

    Redrawing follows word2vec; the theory of NCE has none. The other words are then drawn slightly more often than q,
    and the scores converge to log(p / (1 - p)) instead of log p, with p = p(w | c) of the positive w: log Z is slightly
    above 0.

    Returns:
        Noise words (G, count) int64, and (B, count) bool, True where a noise word is excluded for a pair.
    """
    owner = pairs.owner
    drawn = table.draw(len(pairs.centers) * count, generator).view(-1, count)
    for _ in range(REDRAWS):
        pair, slot = (drawn[owner] == pairs.contexts[:, None]).nonzero(as_tuple=True)
        if len(pair) == 0:
            break
        hits = (owner[pair] * count + slot).unique()
        drawn.view(-1)[hits] = table.draw(len(hits), generator)
    return drawn, drawn[owner] == pairs.contexts[:, None]
