"""What every encoder is: images (N, 3, S, S) float32 in [0, 1], which it normalizes itself, to features (N, dim)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cl_core.errors import UserError

# Mean and standard deviation of the images an encoder sees, per channel, in [0, 1].
Statistics = tuple[tuple[float, float, float], tuple[float, float, float]]
NEUTRAL: Statistics = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
MOST_VALUES = 500_000_000  # numbers a network may hold, 2 GB of them; what came from elsewhere could ask for any


def check_size(network: nn.Module, name: str) -> None:
    """Before a network is made that may be too large to be made; `network` is it on the device `meta`, which holds nothing.

    Raises:
        UserError: it would hold more than `MOST_VALUES`.
    """
    values = sum(each.numel() for each in network.state_dict().values())
    if values > MOST_VALUES:
        most = f"{MOST_VALUES / 1e6:,.0f} million"
        raise UserError(f"{name} holds {values / 1e6:,.0f} million numbers; networks of up to {most} are opened here.")


class Normalize(nn.Module):
    """Subtract the mean and divide by the standard deviation of the training images."""

    mean: Tensor
    std: Tensor

    def __init__(self, statistics: Statistics) -> None:
        super().__init__()
        for name, values in zip(("mean", "std"), statistics, strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


class Encoder(nn.Module):
    """A normalized backbone; `dim` is the width of its features."""

    def __init__(self, backbone: nn.Module, dim: int, statistics: Statistics) -> None:
        super().__init__()
        self.normalize = Normalize(statistics)
        self.backbone = backbone
        self.dim = dim

    @property
    def statistics(self) -> Statistics:
        """Mean and standard deviation it subtracts and divides by, per channel, in [0, 1]."""
        mean, std = (values.flatten().tolist() for values in (self.normalize.mean, self.normalize.std))
        return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])

    def forward(self, images: Tensor) -> Tensor:
        return self.backbone(self.normalize(images))
