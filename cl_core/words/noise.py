"""Noise words: drawn in constant time each, whatever the distribution, and not the positive itself."""

from __future__ import annotations

import torch
from torch import Tensor

from cl_core.words.pairs import Pairs

REDRAWS = 50


class AliasTable:
    """Draws from a discrete distribution by two lookups (Walker 1977, built as by Vose 1991)."""

    def __init__(self, probabilities: Tensor, device: torch.device | None = None) -> None:
        """probabilities: (V,) on the CPU, >= 0 with sum 1, any floating dtype. device: where to draw, by default the CPU."""
        count = len(probabilities)
        scaled = (probabilities.double() * count).tolist()
        alias = list(range(count))
        share = [1.0] * count
        small = [i for i, value in enumerate(scaled) if value < 1]
        large = [i for i, value in enumerate(scaled) if value >= 1]
        while small and large:
            low, high = small.pop(), large[-1]
            share[low], alias[low] = scaled[low], high
            scaled[high] -= 1 - scaled[low]
            if scaled[high] < 1:
                small.append(large.pop())
        self._share = torch.tensor(share, dtype=torch.float32, device=device)
        self._alias = torch.tensor(alias, device=device)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count,) int64, independent draws."""
        device = self._share.device
        column = torch.randint(len(self._share), (count,), generator=generator, device=device)
        stays = torch.rand(count, generator=generator, device=device) < self._share[column]
        return torch.where(stays, column, self._alias[column])


def draw_noise(table: AliasTable, pairs: Pairs, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """`count` noise words for each group of pairs; those that hit a positive of the group are drawn again.

    Where the positives of a group are nearly all words there are, a hit may remain after `REDRAWS` rounds;
    it does not count for the pair it hits.

    word2vec and the sources redraw; the theory does not. For a pair whose positive w has probability
    p(w | c) the other words are drawn a little more often than q says, so what NCE's scores tend to is
    log p / (1 - p) rather than log p: log Z ends a little above 0.

    Returns:
        (G, count) int64 noise words, and (B, count) bool, what does not count.
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
