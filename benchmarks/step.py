"""One SimCLR step on a CPU: ResNet-18 with its stock stem, 32 px, batch 256, 128-d head, beside what people use.

    python -m benchmarks.step

The peers: Pillow transforms in two worker processes with float32 (the usual tutorial), lightly's transforms, head and
loss in two worker processes, and steps on ready tensors without any data: plain, channels last, bfloat16, and with our
convolutions. All in one run, each a few steps to warm up and then timed, the whole round twice.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from benchmarks.table import Row
from cl_core.augment.settings import AugmentConfig
from cl_core.augment.views import make_views, plain_views
from cl_core.data.dataset import Dataset
from cl_core.data.registry import load_dataset
from cl_core.losses import nt_xent
from cl_core.networks.encoders.small_map_conv import with_small_map_conv
from cl_core.networks.heads import projection_head
from cl_core.runs.config import RunConfig
from cl_core.runs.events import StepDone
from cl_core.training.loop import Training

SIZE, BATCH, HIDDEN, DIM, TEMPERATURE, LR = 32, 256, 512, 128, 0.5, 1e-3
WARM, TIMED, ROUNDS = 4, 8, 2
Step = Callable[[], None]


def small_images() -> Tensor:
    """Some thousand color images of 32 px that come with the project, (N, 3, 32, 32) uint8."""
    return (plain_views(load_dataset("emoji").images, SIZE) * 255).round().byte()


def as_dataset(images: Tensor) -> Dataset:
    count = len(images)
    rows, labels, names = torch.arange(count), torch.zeros(count, dtype=torch.long), [str(i) for i in range(count)]
    none = rows[:0]
    return Dataset(
        "benchmark",
        "benchmark",
        images,
        labels,
        labels,
        rows,
        rows,
        none,
        none,
        rows,
        ["any"],
        ["any"],
        names,
        names,
        "",
        "none",
    )


class Pairs(TorchDataset[tuple[Tensor, Tensor]]):
    """Two views of each image, by a transform of Pillow images, as tutorials write it."""

    def __init__(self, images: Tensor, pair: Callable[[Image.Image], tuple[Tensor, Tensor]]) -> None:
        self.images, self.pair = images.permute(0, 2, 3, 1).numpy(), pair

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        return self.pair(Image.fromarray(np.ascontiguousarray(self.images[row])))


class TutorialPair:
    """The usual recipe by torchvision's transforms."""

    transform: Callable[[Image.Image], Tensor]

    def __init__(self) -> None:
        from torchvision import transforms as T

        self.transform = T.Compose(
            [
                T.RandomResizedCrop(SIZE, scale=(0.2, 1.0)),
                T.RandomHorizontalFlip(),
                T.RandomApply([T.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
                T.RandomGrayscale(p=0.2),
                T.RandomApply([T.GaussianBlur(3)], p=0.5),
                T.ToTensor(),
                T.Normalize((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
            ]
        )

    def __call__(self, image: Image.Image) -> tuple[Tensor, Tensor]:
        return self.transform(image), self.transform(image)


class LightlyPair:
    """lightly's SimCLR transform, as its documentation sets it for 32 px, with blur."""

    def __init__(self) -> None:
        from lightly.transforms import SimCLRTransform

        self.transform: Any = SimCLRTransform(input_size=SIZE, cj_strength=0.5, min_scale=0.2, gaussian_blur=0.5)

    def __call__(self, image: Image.Image) -> tuple[Tensor, Tensor]:
        first, second = self.transform(image)
        return first, second


def network(head: nn.Module | None = None) -> nn.Sequential:
    """torchvision's ResNet-18 as it is, and a head."""
    from torchvision.models import resnet18

    torch.manual_seed(0)
    backbone = resnet18(weights=None)
    backbone.fc = nn.Identity()
    return nn.Sequential(backbone, head or projection_head(512, HIDDEN, DIM))


def _forever(loader: DataLoader[Any]) -> Generator[Any]:
    while True:
        yield from loader


@contextlib.contextmanager
def with_processes(images: Tensor, pair: Any, loss: Callable[[Tensor, Tensor], Tensor], head: nn.Module | None) -> Iterator[Step]:
    """Pillow in two worker processes, float32."""
    loader = DataLoader(Pairs(images, pair), BATCH, shuffle=True, num_workers=2, drop_last=True)
    model = network(head)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    batches = _forever(loader)

    def step() -> None:
        first, second = next(batches)
        z1, z2 = model(torch.cat([first, second])).chunk(2)
        value = loss(z1, z2)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    yield step
    batches.close()


@contextlib.contextmanager
def bare(views: Tensor, channels_last: bool, bf16: bool, quick: bool) -> Iterator[Step]:
    """Forward, backward and optimizer on views that are ready."""
    model = network()
    if quick:
        with_small_map_conv(model)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
        views = views.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=quick)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            z1, z2 = model(views).chunk(2)
        value = nt_xent(z1, z2, TEMPERATURE)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    yield step


@contextlib.contextmanager
def ours(images: Tensor) -> Iterator[Step]:
    """The training that the command line starts: drawing, augmenting, stepping, keeping."""
    config = RunConfig(
        encoder="resnet18",
        image_size=SIZE,
        projection_hidden=HIDDEN,
        projection_dim=DIM,
        temperature=TEMPERATURE,
        optimizer="adam",
        lr=LR,
        batch_size=BATCH,
        snapshots=0,
        epochs=10_000,
    )
    events = (e for e in Training(config, as_dataset(images), torch.device("cpu")).events() if isinstance(e, StepDone))

    def step() -> None:
        next(events)

    yield step


def seconds(step: Step) -> float:
    """Median seconds of a step after warming up."""
    for _ in range(WARM):
        step()
    times = []
    for _ in range(TIMED):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    # Worker processes hand over in bursts, so peers with workers are timed as a whole.
    return max(statistics.median(times), sum(times) / len(times) if max(times) > 2 * min(times) else 0.0)


def augmentation_seconds(images: Tensor) -> float:
    """Both views of a batch."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randperm(len(images), generator=generator)[:BATCH]

    def step() -> None:
        for _ in range(2):
            make_views(images[rows], AugmentConfig(), SIZE, generator)

    return seconds(step)


def measure() -> dict[str, Any]:
    """Pairs a second of every contender, best of the rounds, and the share of augmentation in our step."""
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead

    images = small_images()
    views = torch.cat([make_views(images[:BATCH], AugmentConfig(), SIZE, torch.Generator())[0] for _ in range(2)])
    lightly_loss = NTXentLoss(TEMPERATURE)
    contenders: dict[str, Callable[[], contextlib.AbstractContextManager[Step]]] = {
        "tutorial: Pillow in 2 workers, float32": lambda: with_processes(
            images, TutorialPair(), lambda a, b: nt_xent(a, b, TEMPERATURE), None
        ),
        "lightly: its transforms, head and loss, 2 workers": lambda: with_processes(
            images, LightlyPair(), lightly_loss, SimCLRProjectionHead(512, HIDDEN, DIM)
        ),
        "bare: float32": lambda: bare(views.contiguous(), False, False, False),
        "bare: channels last": lambda: bare(views, True, False, False),
        "bare: bf16, channels last": lambda: bare(views, True, True, False),
        "bare: bf16, channels last, our convolutions": lambda: bare(views, True, True, True),
        "ours, all of it": lambda: ours(images),
    }
    rates = dict.fromkeys(contenders, 0.0)
    for _ in range(ROUNDS):
        for name, open_contender in contenders.items():
            with open_contender() as step:
                rates[name] = max(rates[name], BATCH / seconds(step))
    mine = rates["ours, all of it"]
    return {
        "pairs_per_s": {name: round(rate, 1) for name, rate in rates.items()},
        "augmentation_share": round(augmentation_seconds(images) * mine / BATCH, 4),
    }


def rows() -> list[Row]:
    detail = measure()
    rates = detail["pairs_per_s"]
    tutorial, lightly, *bares, mine = rates.values()
    fastest = max(bares)
    share = detail["augmentation_share"]
    listed = "; ".join(f"{name} {rate:.0f}" for name, rate in rates.items())
    return [
        Row(
            "SimCLR ResNet-18, 32 px, batch 256, CPU: at least 1.75 x the tutorial's pipeline and lightly's",
            f"{mine / tutorial:.2f} x and {mine / lightly:.2f} x (pairs/s: {listed})",
            mine >= 1.75 * max(tutorial, lightly),
            detail,
        ),
        Row(
            "... at least 92 % of the fastest bare forward + backward + step",
            f"{mine / fastest:.0%} of the fastest, {mine / max(bares[:-1]):.0%} of the fastest without our convolutions",
            mine >= 0.92 * fastest,
        ),
        Row("Augmentation at most 5 % of the step", f"{share:.1%}", share <= 0.05),
    ]


if __name__ == "__main__":
    for row in rows():
        print(row.line())
        if row.detail:
            print(json.dumps(row.detail, indent=1))
