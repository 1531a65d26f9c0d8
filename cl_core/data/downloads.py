"""Data sets downloaded on request by torchvision, which verifies their checksums."""

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
from cl_core.data.imported import Description, imported_names, write_imported
from cl_core.errors import UserError, quoted
from cl_core.system.paths import cache_dir

Progress = Callable[[float], None]
POLL_S = 0.2


@dataclasses.dataclass(frozen=True)
class Download:
    """A data set of torchvision.

    Attributes:
        size: bytes to download.
        archive: name of the downloaded file.
        fetch: download into a folder and return images (N, 3, H, W) uint8, labels (N,) int64 and the description.
    """

    name: str
    title: str
    size: int
    archive: str
    fetch: Callable[[Path], tuple[Tensor, Tensor, Description]]

    def missing_error(self) -> UserError:
        """Error for using this data set before it is downloaded."""
        return UserError("data.not_downloaded", title=self.title, name=self.name, mb=f"{self.size / 1e6:.0f}")


def _cifar10(folder: Path) -> tuple[Tensor, Tensor, Description]:
    """CIFAR-10 sorted by class, in the original order within each class: the order of an imported folder."""
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


def _with_progress(work: Callable[[], Any], file: Path, size: int, progress: Progress | None) -> Any:
    """Run `work` in a thread and report the size of the file it downloads as a fraction of `size`.

    torchvision offers no progress callback.
    """
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
    message = str(getattr(error, "reason", None) or error)  # str() of urllib's errors is in angle brackets
    return message.splitlines()[0].rstrip(".:") if message else type(error).__name__


def get(name: str, progress: Progress | None = None) -> bool:
    """Download a data set of `DOWNLOADS` and store it as an imported one.

    Args:
        progress: called with the fraction downloaded, 0 to 1.

    Returns:
        False if the data set is on this machine already.

    Raises:
        UserError: there is no such download, it fails, or a checksum does not match.
    """
    if name in imported_names():
        return False
    if name not in DOWNLOADS:
        raise UserError("data.no_download", name=quoted(name), choices=", ".join(DOWNLOADS))
    chosen, folder = DOWNLOADS[name], cache_dir() / "torchvision" / name
    try:
        fetched = _with_progress(lambda: chosen.fetch(folder), folder / chosen.archive, chosen.size, progress)
    except (OSError, RuntimeError) as error:
        raise UserError("data.download_failed", title=chosen.title, name=name, reason=_reason(error)) from None
    write_imported(name, *fetched)
    shutil.rmtree(folder, ignore_errors=True)  # the imported copy is enough
    return True


def full_mnist() -> Dataset:
    """All 70,000 digits of MNIST, 60,000 of them for training; downloaded once (12 MB).

    Raises:
        UserError: the download fails, or a checksum does not match.
    """
    from torchvision.datasets import MNIST

    folder = cache_dir() / "torchvision"
    try:
        parts = [MNIST(folder, train=train, download=True) for train in (True, False)]
    except (OSError, RuntimeError) as error:
        raise UserError("data.mnist_failed", reason=_reason(error)) from None
    images = torch.cat([part.data for part in parts])[:, None].repeat(1, 3, 1, 1)
    labels = torch.cat([part.targets for part in parts])
    license = "MNIST (LeCun, Cortes and Burges), CC BY-SA 3.0"
    return digit_dataset("mnist-full", "MNIST", images, labels, len(parts[0].data), license)
