"""Copies among images: equal up to compression, scaling and small changes of color."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE, COARSE = 16, 8  # pixels of the thumbnails that are compared, and of those among which candidates are found
LIKELY = 0.95  # cosine of coarse thumbnails; copies are above .99
MAX_DIFFERENCE, MAX_LOCAL = 6.0, 32.0  # mean and largest absolute difference of the thumbnails, of 255
CHUNK = 512  # rows compared at a time


def find_copies(images: Tensor, among: int | None = None) -> Tensor:
    """For each image the row of an earlier image that it is a copy of: (N,) int64, -1 where there is none.

    A candidate is the earlier image whose 8 x 8 gray thumbnail has the highest cosine, mean subtracted. It counts where the
    16 x 16 RGB thumbnails of both differ by at most 6 of 255 on average and by 32 anywhere. Images of one color are left out.

    Args:
        images: (N, 3, H, W) uint8.
        among: only the first `among` images are candidates, such as those of the train split.
    """
    count = len(images)
    found = torch.full((count,), -1)
    if count < 2:
        return found
    small = torch.cat([F.adaptive_avg_pool2d(part.float(), SIDE) for part in images.split(CHUNK)])
    coarse = F.adaptive_avg_pool2d(small.mean(1, keepdim=True), COARSE).flatten(1)
    coarse = F.normalize(coarse - coarse.mean(1, keepdim=True), dim=1)
    for start in range(0, count, CHUNK):
        end = min(start + CHUNK, count)
        last = min(end, among) if among is not None else end
        cosines = coarse[start:end] @ coarse[:last].T
        earlier = torch.arange(last)[None] < torch.arange(start, end)[:, None]
        best, row = cosines.masked_fill(~earlier, -1).max(1)
        likely = (best > LIKELY).nonzero()[:, 0]
        difference = (small[start + likely] - small[row[likely]]).abs().flatten(1)
        copies = likely[(difference.mean(1) <= MAX_DIFFERENCE) & (difference.amax(1) <= MAX_LOCAL)]
        found[start + copies] = row[copies]
    return found
