"""Geometry of embeddings on the unit sphere: alignment, uniformity, spread and effective rank."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from cl_core.augment.settings import AugmentConfig
from cl_core.augment.views import make_views
from cl_core.evaluation.protocols import read_stored
from cl_core.losses.similarity import unit_rows
from cl_core.networks.embedding import embed, embed_views
from cl_core.networks.methods import Method
from cl_core.text import text


def alignment(z1: Tensor, z2: Tensor) -> float:
    """Mean squared distance of positive pairs on the unit sphere (Wang and Isola 2020, eq. 1, alpha 2): 0 to 4.

    Args:
        z1, z2: (N, D), two views of N images.
    """
    return float((unit_rows(z1) - unit_rows(z2)).square().sum(1).mean())


def uniformity(z: Tensor) -> float:
    """log of the mean of exp(-2 squared distance) over pairs (Wang and Isola 2020, eq. 2, t 2).

    0 where all points coincide; below about -2 where they spread over a sphere of many dimensions. NaN for fewer than two
    rows, which have no pair.

    Args:
        z: (N, D).
    """
    if len(z) < 2:
        return math.nan
    unit = unit_rows(z)
    return float(torch.pdist(unit).square().mul(-2).logsumexp(0)) - math.log(len(z) * (len(z) - 1) / 2)


def tolerance(z: Tensor, labels: Tensor) -> float:
    """Mean cosine of pairs of images of one class (Wang and Liu 2021, section 3.3): 1 where each class is one point.

    A low temperature lowers it. NaN where no two images share a class.

    Args:
        z: (N, D). labels: (N,) int64; -1 means unlabeled.
    """
    unit = unit_rows(z)
    same = (labels[:, None] == labels[None]) & (labels >= 0)[:, None]
    same.fill_diagonal_(False)
    return float((unit @ unit.T)[same].mean())


def output_std(z: Tensor) -> float:
    """Mean over dimensions of the standard deviation of the normalized rows of z (N, D) (SimSiam, section 4.1).

    About 1 / sqrt(D) where they spread evenly over the sphere, 0 where they have collapsed to one point.
    """
    return float(unit_rows(z).std(0).mean())


def effective_rank(z: Tensor) -> float:
    """exp of the entropy of the normalized singular values (Roy and Vetterli 2007): 1 (a line) to min(N, D).

    Of the normalized, then centered rows of z (N, D); 1 where all points coincide.
    """
    unit = unit_rows(z).double()
    values = torch.linalg.svdvals(unit - unit.mean(0))
    if float(values.sum()) < 1e-12:
        return 1.0
    fractions = values / values.sum()
    return math.exp(-float(torch.special.xlogy(fractions, fractions).sum()))


@dataclasses.dataclass(frozen=True)
class Geometry:
    """Geometry of the embeddings z, of length 1 in `dim` dimensions, of `images` images."""

    alignment: float
    uniformity: float
    std: float
    effective_rank: float
    dim: Annotated[int, Field(gt=0)]
    images: int

    @classmethod
    def from_metrics(cls, metrics: Any) -> Geometry | None:
        """The geometry that `run.json` stores under `geometry`; None where the values are incomplete."""
        return read_stored(cls, metrics)

    def protocol(self) -> str:
        """One line, in the language in effect."""
        return text("evaluation.geometry", images=f"{self.images:,}", dim=self.dim, even=f"{self.dim**-0.5:.3f}")


def measure_geometry(
    method: Method, images: Tensor, views: AugmentConfig, size: int, generator: torch.Generator
) -> tuple[Geometry, Tensor]:
    """Geometry of images, and their embeddings z (P, D) float32 of length 1.

    Args:
        method: on the generator's device. images: (P, 3, H, W) uint8, on the same device.
        views: augmentation settings of the two views for the alignment. size: side of a view in pixels.
    """
    z = embed(method, images, size, generator.device, "embedding")
    z1, z2 = (embed_views(method, make_views(images, views, size, generator)[0], "embedding") for _ in range(2))
    return _geometry(z, z1, z2), z


def _geometry(z: Tensor, z1: Tensor, z2: Tensor) -> Geometry:
    return Geometry(alignment(z1, z2), uniformity(z), output_std(z), effective_rank(z), z.shape[1], len(z))
