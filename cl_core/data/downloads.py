"""Data sets that are fetched on request, with torchvision, which checks them against their digests."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cl_core.data.bundled import digit_dataset
from cl_core.data.dataset import Dataset
from cl_core.data.imported import Description, collection_names, write_collection
from cl_core.errors import UserError
from cl_core.system.paths import cache_dir

Progress = Callable[[float], None]
POLL_S = 0.2


@dataclasses.dataclass(frozen=True)
class Download:
    """A data set of torchvision. size: of what is fetched, in bytes; archive: the file's name while it comes."""

    name: str
    title: str
    size: int
    archive: str
    fetch: Callable[[Path], tuple[Tensor, Tensor, Description]]

    def missing(self) -> str:
        """What to say while it is not on this machine."""
        return (
            f"{self.title} is not on this machine: `python -m cl_core data get {self.name}` fetches it "
            f"({self.size / 1e6:.0f} MB), or `python -m cl_core data add {self.name} FOLDER` takes a copy of yours."
        )


def _cifar10(folder: Path) -> tuple[Tensor, Tensor, Description]:
    """Images by class, in the original order within each: the order in which a folder a class holds them."""
    from torchvision.datasets import CIFAR10

    parts = [CIFAR10(str(folder), train=train, download=True) for train in (True, False)]
    images, labels = [], []
    for part in parts:
        targets = torch.tensor(part.targets)
        order = targets.argsort(stable=True)
        images.append(torch.from_numpy(part.data)[order].permute(0, 3, 1, 2))
        labels.append(targets[order])
    label = torch.cat(labels)
    names = [parts[0].classes[i] for i in label.tolist()]
    return (
        torch.cat(images),
        label,
        Description(
            title="CIFAR-10",
            license="CIFAR-10 (Krizhevsky 2009), free for research",
            classes=parts[0].classes,
            names=names,
            train=len(labels[0]),
        ),
    )


DOWNLOADS = {
    "cifar10": Download("cifar10", "CIFAR-10", 170_498_071, "cifar-10-python.tar.gz", _cifar10),
}


def _watched(work: Callable[[], Any], file: Path, size: int, progress: Progress | None) -> Any:
    """Run `work` while the size of the file it fetches is reported as a share of `size`; torchvision itself tells nobody."""
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="download", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(POLL_S)
        if progress and file.is_file():
            progress(min(1.0, file.stat().st_size / size))
    if failure:
        raise failure[0]
    return outcome[0]


def _reason(error: Exception) -> str:
    said = str(getattr(error, "reason", None) or error)  # urllib's own text stands in angle brackets
    return said.splitlines()[0].rstrip(".:") if said else type(error).__name__


def get(name: str, progress: Progress | None = None) -> bool:
    """Bring a data set of `DOWNLOADS` onto this machine; False if it is there already.

    Args:
        progress: called with the fraction fetched, 0 to 1.

    Raises:
        UserError: it cannot be fetched, or is not what it should be.
    """
    if name in collection_names():
        return False
    if name not in DOWNLOADS:
        raise UserError(f"{name!r} cannot be fetched: choose one of {', '.join(DOWNLOADS)}, or add your own with `data add`.")
    chosen, folder = DOWNLOADS[name], cache_dir() / "torchvision" / name
    try:
        fetched = _watched(lambda: chosen.fetch(folder), folder / chosen.archive, chosen.size, progress)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"{chosen.title} could not be fetched ({_reason(error)}): try again with a network, "
            f"or bring a copy of your own with `python -m cl_core data add {name} FOLDER`."
        ) from None
    write_collection(name, *fetched)
    shutil.rmtree(folder, ignore_errors=True)  # what was fetched is kept as a collection
    return True


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
        raise UserError(
            f"MNIST could not be fetched ({_reason(error)}): try again with a network, or without --full, "
            "on the 10,000 digits at hand."
        ) from None
    images = torch.cat([part.data for part in parts])[:, None].repeat(1, 3, 1, 1)
    labels = torch.cat([part.targets for part in parts])
    license = "MNIST (LeCun, Cortes and Burges), CC BY-SA 3.0"
    return digit_dataset("mnist-full", "MNIST", images, labels, len(parts[0].data), license)
