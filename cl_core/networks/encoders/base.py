"""Base class of encoders."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cl_core.errors import UserError
from cl_core.networks.whitening import Whitening

# Mean and standard deviation of the training images per channel, in [0, 1].
Statistics = tuple[tuple[float, float, float], tuple[float, float, float]]
NEUTRAL: Statistics = ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
MAX_VALUES = 500_000_000  # parameters and buffers of a network (2 GB); a downloaded run could request any size


def check_size(network: nn.Module, name: str | UserError) -> None:
    """Check the size of a network built on the device `meta`, before its memory is allocated.

    Args:
        name: name of the network in the error message.

    Raises:
        UserError: the network has more than `MAX_VALUES` parameters and buffers.
    """
    values = sum(each.numel() for each in network.state_dict().values())
    if values > MAX_VALUES:
        raise UserError("models.too_large", name=name, values=f"{values / 1e6:,.0f}", most=f"{MAX_VALUES / 1e6:,.0f}")


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
    """A backbone preceded by normalization: images (N, 3, S, S) float32 in [0, 1] -> features h (N, dim).

    Attributes:
        whitening: applied to the features, None without.

    Args:
        statistics: mean and standard deviation for the normalization.
    """

    def __init__(self, backbone: nn.Module, dim: int, statistics: Statistics) -> None:
        super().__init__()
        self.normalize = Normalize(statistics)
        self.backbone = backbone
        self.dim = dim
        self.whitening: Whitening | None = None

    @property
    def statistics(self) -> Statistics:
        """Mean and standard deviation of the normalization, per channel, in [0, 1]."""
        mean, std = (values.flatten().tolist() for values in (self.normalize.mean, self.normalize.std))
        return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])

    def forward(self, images: Tensor) -> Tensor:
        features = self.backbone(self.normalize(images))
        return features if self.whitening is None else self.whitening(features)
