"""Data sets that are fetched on request, with torchvision, into the cache."""

from __future__ import annotations

import torch

from cl_core.data.catalog import Dataset, digit_dataset
from cl_core.errors import UserError
from cl_core.paths import cache_dir


def full_mnist() -> Dataset:
    """All 70,000 digits of MNIST, 60,000 to train; fetched once (12 MB), checked by torchvision against its digests.

    Raises:
        UserError: the files cannot be fetched, or are not what they should be.
    """
    from torchvision.datasets import MNIST

    folder = cache_dir() / "torchvision"
    try:
        parts = [MNIST(folder, train=train, download=True) for train in (True, False)]
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0].rstrip(".:")
        raise UserError(
            f"MNIST could not be fetched ({reason}): try again with a network, or without --full, on the 10,000 digits at hand."
        ) from None
    pictures = torch.cat([part.data for part in parts])[:, None].repeat(1, 3, 1, 1)
    labels = torch.cat([part.targets for part in parts])
    return digit_dataset("mnist-full", pictures, labels, len(parts[0].data), "MNIST (LeCun, Cortes and Burges), CC BY-SA 3.0")
