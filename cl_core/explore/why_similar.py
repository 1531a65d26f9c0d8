"""Why two images are similar: which regions of each carry the cosine of their features.

Three explanations give a map of contributions for either image: the exact split of the cosine over the positions of the last
feature map (Stylianou et al. 2019, "Visualizing Deep Similarity Networks", section 3), occlusion (Zeiler and Fergus 2014,
section 4.2), and gradient times input (Shrikumar et al. 2016). Deletion and insertion curves say how much of the cosine the
regions really carry (Petsiuk et al. 2018, section 4.2).
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cl_core.augment.views import plain_views
from cl_core.networks.encoders.base import Encoder
from cl_core.networks.encoders.small import VisionTransformer
from cl_core.networks.encoders.timm import CenterCrop
from cl_core.runs.store import Run, on_device
from cl_core.system.device import choose_device

Explanation = Literal["split", "occlusion", "gradient"]
EXPLANATIONS: tuple[Explanation, ...] = ("split", "occlusion", "gradient")
CELLS = 8  # patches in a row of the maps and curves
RANDOM_ORDERS = 4
# A thousand passes take about a second.
QUICK_ENCODERS = ("small-resnet", "medium-resnet", "fast-resnet", "small-vit", "cnn", "mlp")
BATCH = 32  # views that go through the network at once
MAX_POSITIONS = 1024  # of a feature map
MAX_VALUES = 5e7  # of a feature map with each position alone
TOLERANCE = 1e-3  # of the sum of the parts, relative to the feature's length


@dataclasses.dataclass(frozen=True)
class Parts:
    """A feature h as a sum over the positions of the last feature map.

    vectors: (P, D) float32, which add up to h; rows, columns: of the map, P = rows * columns.
    """

    vectors: Tensor
    rows: int
    columns: int


@dataclasses.dataclass(frozen=True)
class Curves:
    """The cosine while patches of one image are taken away or put back, the most important first.

    deletion, insertion: (S,) float32 at equal steps from none to all patches. random_deletion, random_insertion: the same
    in random order, the mean over `RANDOM_ORDERS`.
    """

    deletion: Tensor
    insertion: Tensor
    random_deletion: Tensor
    random_insertion: Tensor

    @property
    def gain(self) -> float:
        """How much sooner than in random order the cosine falls and rises: mean difference of both curves, above 0 is better."""
        falls = (self.random_deletion - self.deletion).mean()
        rises = (self.insertion - self.random_insertion).mean()
        return float(falls + rises) / 2


def cosine(encoder: Encoder, first: Tensor, second: Tensor) -> Tensor:
    """Cosines of the features of views (N, 3, S, S) and of one view (1, 3, S, S), in [0, 1] each -> (N,)."""
    return F.cosine_similarity(torch.cat([encoder(part) for part in first.split(BATCH)]), encoder(second))


@torch.no_grad()
def feature_parts(encoder: Encoder, view: Tensor) -> Parts | None:
    """The feature of a view, (1, 3, S, S) in [0, 1], as a sum over positions.

    What follows the last feature map is affine in many encoders (a mean over positions, a BatchNorm in eval mode, a linear
    layer): then the feature is the sum over positions of its value for this position alone, each with an equal fraction of the
    constant. None where it is not affine, or where positions are mixed by a class token.
    """
    module = _spatial(encoder)
    if module is None:
        return None
    shapes: list[torch.Size] = []
    with _maps_passed_to(module, lambda whole: shapes.append(whole.shape)):
        whole = encoder(view)[0]
    (shape,) = shapes
    if not _can_be_split(module, shape):
        return None
    rows, columns = shape[2:] if len(shape) == 4 else (int(shape[1] ** 0.5),) * 2
    with _maps_passed_to(module, _apart):
        alone = encoder(view)
    constant = alone[-1]
    vectors = alone[:-1] - constant + constant / (len(alone) - 1)
    if len(vectors) != rows * columns or (vectors.sum(0) - whole).norm() > TOLERANCE * whole.norm():
        return None
    return Parts(vectors, rows, columns)


def _apart(whole: Tensor) -> Tensor:
    """Each position alone and none of them: (1, C, H, W) -> (P + 1, C, H, W), or tokens (1, P, D) -> (P + 1, P, D)."""
    if whole.ndim == 4:
        rows, columns = whole.shape[2:]
        masks = torch.eye(rows * columns, device=whole.device).view(-1, 1, rows, columns)
    else:
        masks = torch.eye(whole.shape[1], device=whole.device).unsqueeze(2)
    return torch.cat([whole * masks, torch.zeros_like(whole)])


@contextlib.contextmanager
def _maps_passed_to(module: nn.Module, change: Callable[[Tensor], Tensor | None]) -> Iterator[None]:
    """Replace the map at the module of `_spatial` by what `change` returns for it; None leaves it.

    In this thread alone: other threads may use the same network meanwhile.
    """
    thread = threading.get_ident()

    def before(_: nn.Module, inputs: Any) -> Any:
        changed = change(inputs[0]) if threading.get_ident() == thread else None
        return None if changed is None else (changed, *inputs[1:])

    def after(_: nn.Module, __: Any, output: Tensor) -> Tensor | None:
        return change(output) if threading.get_ident() == thread else None

    is_transformer = isinstance(module, nn.TransformerEncoder)
    hook = module.register_forward_hook(after) if is_transformer else module.register_forward_pre_hook(before)
    try:
        yield
    finally:
        hook.remove()


def _spatial(encoder: Encoder) -> nn.Module | None:
    """The module before which, or after which, positions are averaged or weighted."""
    if isinstance(encoder.backbone, VisionTransformer):
        return encoder.backbone.blocks
    pools = [each for each in encoder.modules() if isinstance(each, nn.AdaptiveAvgPool2d) or _is_pool_of_timm(each)]
    flat = [each for each in encoder.modules() if isinstance(each, nn.Flatten)]
    return (pools or flat or [None])[-1]


def _is_pool_of_timm(module: nn.Module) -> bool:
    return type(module).__name__ == "SelectAdaptivePool2d"


def _can_be_split(module: nn.Module, shape: torch.Size) -> bool:
    """Whether a map of this shape has its channels first and is not too large to be copied for each position."""
    if getattr(module, "input_fmt", "NCHW") not in ("", "NCHW"):
        return False
    positions = math.prod(shape[2:]) if len(shape) == 4 else shape[1]
    is_map = len(shape) == 4 or isinstance(module, nn.TransformerEncoder)
    return is_map and positions <= MAX_POSITIONS and (positions + 1) * shape.numel() <= MAX_VALUES


def pairwise_split(first: Parts, second: Parts) -> Tensor:
    """What each pair of positions contributes to the cosine, (P, Q) float32; all add up to it."""
    lengths = first.vectors.sum(0).norm() * second.vectors.sum(0).norm()
    return first.vectors @ second.vectors.T / lengths


def split_maps(encoder: Encoder, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor] | None:
    """What each position of either view contributes to the cosine, (H, W) each, which adds up to it; None as `feature_parts`.

    The maps cover the whole views, also where the encoder crops them.
    """
    parts = feature_parts(encoder, first), feature_parts(encoder, second)
    if parts[0] is None or parts[1] is None:
        return None
    pairs = pairwise_split(parts[0], parts[1])
    found = pairs.sum(1).view(parts[0].rows, -1), pairs.sum(0).view(parts[1].rows, -1)
    return _on_view(encoder, found[0], first), _on_view(encoder, found[1], second)


def _on_view(encoder: Encoder, values: Tensor, view: Tensor) -> Tensor:
    """A map of the part of the view that the encoder looks at, with zeros for the border that it crops."""
    crop = encoder.backbone[0] if isinstance(encoder.backbone, nn.Sequential) else None
    if not isinstance(crop, CenterCrop) or crop.side >= view.shape[-1]:
        return values
    border = round(values.shape[0] * (view.shape[-1] - crop.side) / crop.side / 2)
    return F.pad(values, (border,) * 4)


@torch.no_grad()
def occlusion_map(encoder: Encoder, first: Tensor, second: Tensor) -> Tensor:
    """By how much the cosine falls if a patch of the first view has the mean color, (CELLS, CELLS).

    The patch is half a cell larger than its cell on each side.
    """
    cells = torch.eye(CELLS**2).view(-1, 1, CELLS, CELLS)
    size = first.shape[-1]
    grown = F.max_pool2d(F.interpolate(cells, size=(2 * CELLS, 2 * CELLS)), 3, 1, 1)
    masks = F.interpolate(grown, size=(size, size)).to(first.device)
    occluded = _covered(encoder, first, masks)
    return (cosine(encoder, first, second) - cosine(encoder, occluded, second)).view(CELLS, CELLS)


def gradient_map(encoder: Encoder, first: Tensor, second: Tensor) -> Tensor:
    """Gradient of the cosine times the difference of the first view to the mean color, summed over channels, (S, S)."""
    pixels = first.detach().clone().requires_grad_()
    with torch.no_grad():
        target = encoder(second)
    (gradient,) = torch.autograd.grad(F.cosine_similarity(encoder(pixels), target).sum(), pixels)
    return (gradient * (first - _mean_color(encoder))).sum(1)[0]


def contribution_maps(
    encoder: Encoder, first: Tensor, second: Tensor, *, quick: bool = False
) -> dict[Explanation, tuple[Tensor, Tensor]]:
    """Maps of contributions for both views, (CELLS, CELLS) each, by explanation.

    Without `split` where it is not exact, without `occlusion` if `quick`.
    """
    found: dict[Explanation, tuple[Tensor, Tensor]] = {}
    split = split_maps(encoder, first, second)
    if split is not None:
        found["split"] = (_on_cells(split[0], "bilinear"), _on_cells(split[1], "bilinear"))
    if not quick:
        found["occlusion"] = occlusion_map(encoder, first, second), occlusion_map(encoder, second, first)
    gradients = gradient_map(encoder, first, second), gradient_map(encoder, second, first)
    found["gradient"] = (_on_cells(gradients[0], "area"), _on_cells(gradients[1], "area"))
    return {kind: (first_map.cpu(), second_map.cpu()) for kind, (first_map, second_map) in found.items()}


def _on_cells(values: Tensor, mode: Literal["bilinear", "area"]) -> Tensor:
    """(H, W) -> (CELLS, CELLS) with the same sum; `mode` as in `interpolate`."""
    if values.shape == (CELLS, CELLS):
        return values
    resized = F.interpolate(values[None, None], (CELLS, CELLS), mode=mode, antialias=mode == "bilinear")[0, 0]
    found = resized * (values.numel() / CELLS**2)
    return found + (values.sum() - found.sum()) / CELLS**2


@torch.no_grad()
def curves(encoder: Encoder, first: Tensor, second: Tensor, importance: Tensor, steps: int = 8, seed: int = 0) -> Curves:
    """How the cosine falls and rises with the patches of the first view, by their importance (CELLS, CELLS).

    Args:
        steps: in which all patches are taken away; the curves have one value more.
    """
    count = CELLS**2
    generator = torch.Generator().manual_seed(seed)
    orders = [importance.flatten().argsort(descending=True).cpu()]
    orders += [torch.randperm(count, generator=generator) for _ in range(RANDOM_ORDERS)]
    gone = torch.stack([_gone(order, steps) for order in orders])  # (orders, steps + 1, count)
    size = first.shape[-1]
    masks = torch.cat([gone, 1 - gone]).view(-1, 1, CELLS, CELLS).to(first.device)
    covered = _covered(encoder, first, F.interpolate(masks, size=(size, size)))
    found = cosine(encoder, covered, second).view(2, len(orders), steps + 1).cpu()
    (deletion, insertion), random = found[:, 0], found[:, 1:].mean(1)
    return Curves(deletion, insertion, random[0], random[1])


def _gone(order: Tensor, steps: int) -> Tensor:
    """Which patches are taken away at each step, (steps + 1, count) float32."""
    rank = order.argsort()
    limits = torch.linspace(0, len(order), steps + 1)
    return (rank < limits[:, None]).float()


def _covered(encoder: Encoder, view: Tensor, masks: Tensor) -> Tensor:
    """The view with the mean color where masks (N, 1, S, S) are 1."""
    return view + masks * (_mean_color(encoder) - view)


def _mean_color(encoder: Encoder) -> Tensor:
    return encoder.normalize.mean


@torch.no_grad()
def without_most(encoder: Encoder, view: Tensor, importance: Tensor, fraction: float = 0.25) -> Tensor:
    """The view with its most important patches in the mean color."""
    gone = _gone(importance.flatten().argsort(descending=True).cpu(), round(1 / fraction))[1]
    mask = gone.view(1, 1, CELLS, CELLS).to(view.device)
    return _covered(encoder, view, F.interpolate(mask, size=(view.shape[-1],) * 2))


@dataclasses.dataclass(frozen=True)
class Explained:
    """One explanation of the cosine of two views.

    maps: contributions of either view, (CELLS, CELLS) float32 each. curves: of either view; None where they would take too
    long. untrained: mean `rank_correlation` of both maps with those of the untrained network; None without one. Adebayo et al.
    2018: an explanation that does not change with the weights explains the image, not the network.
    """

    kind: Explanation
    maps: tuple[Tensor, Tensor]
    curves: tuple[Curves, Curves] | None
    untrained: float | None


def explain(
    encoder: Encoder, first: Tensor, second: Tensor, untrained: Encoder | None = None, *, quick: bool = False
) -> list[Explained]:
    """All explanations of the cosine of two views, (1, 3, S, S) in [0, 1] each.

    Args:
        untrained: the same network before training.
        quick: without occlusion and curves, which need some hundred passes through the network.
    """
    found = contribution_maps(encoder, first, second, quick=quick)
    before = contribution_maps(untrained, first, second, quick=quick) if untrained is not None else {}
    explained = []
    for kind, pair in found.items():
        same = [rank_correlation(a, b) for a, b in zip(pair, before[kind], strict=True)] if kind in before else []
        ways = None if quick else (curves(encoder, first, second, pair[0]), curves(encoder, second, first, pair[1]))
        explained.append(Explained(kind, pair, ways, sum(same) / len(same) if same else None))
    return explained


def explain_images(run: Run, untrained: Run | None, first: Tensor, second: Tensor) -> tuple[float, list[Explained], list[Tensor]]:
    """`explain` for two images, (1, 3, S, S) uint8 each, by a run's encoder on the fastest device.

    Returns:
        The cosine; its explanations, quick ones if the encoder is slow; and for each the first image without its most
        important part, (1, 3, size, size) uint8.
    """
    device = choose_device()
    quick = run.record.config.encoder not in QUICK_ENCODERS
    encoder = on_device(run, device).encoder
    before = on_device(untrained, device).encoder if untrained is not None and not quick else None
    views = [plain_views(image.to(device), run.size) for image in (first, second)]
    found = explain(encoder, views[0], views[1], before, quick=quick)
    with torch.no_grad():
        between = float(cosine(encoder, views[0], views[1]))
    covered = [without_most(encoder, views[0], each.maps[0]) for each in found]
    return between, found, [(255 * each.cpu()).round().clamp(0, 255).byte() for each in covered]


def rank_correlation(first: Tensor, second: Tensor) -> float:
    """Spearman's rank correlation of two maps of the same shape, -1 to 1; 0 where one is constant."""
    ranks = torch.stack([_ranks(values.flatten()) for values in (first, second)])
    return float(torch.corrcoef(ranks)[0, 1].nan_to_num())


def _ranks(values: Tensor) -> Tensor:
    """Ranks from 0; equal values share the mean of theirs."""
    _, place, count = values.unique(return_inverse=True, return_counts=True)
    ends = count.cumsum(0).float()
    return (ends - (count.float() + 1) / 2)[place]
