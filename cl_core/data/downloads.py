"""Public data sets, downloaded on request, with the addresses, checksums and formats of torchvision."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from cl_core.data.dataset import PUBLIC_SIZES
from cl_core.data.decoding import decode_image
from cl_core.data.http_files import fetch_file
from cl_core.data.imported import Description, imported_names, write_imported
from cl_core.data.pixels import to_tensor
from cl_core.errors import UserError, quoted
from cl_core.system.paths import cache_dir

Progress = Callable[[float], None]
Fetched = tuple[Tensor | Iterable[Tensor], Tensor, Description]
PHOTO_SIDE = 224  # pixels, what public encoders take
PART = 256  # photos that are in memory together


@dataclasses.dataclass(frozen=True)
class Remote:
    """A file to download. url: of the file. path: below the folder of the download. md5: its checksum."""

    url: str
    path: str
    md5: str


@dataclasses.dataclass(frozen=True)
class Download:
    """A data set of torchvision.

    Attributes:
        size: bytes to download.
        count: number of images. side: of the stored images in pixels.
        files: what to download.
        read: images (N, 3, S, S) uint8, labels (N,) int64 and the description, from the folder with the files.
    """

    name: str
    title: str
    size: int
    count: int
    side: int
    files: Callable[[], list[Remote]]
    read: Callable[[Path], Fetched]

    def missing_error(self) -> UserError:
        """Error for using this data set before it is downloaded."""
        return UserError(
            "data.not_downloaded", title=self.title, name=self.name, mb=f"{self.size / 1e6:.0f}", copy=_copy(self.name)
        )


def _copy(name: str) -> str:
    """A name for a copy of one's own: `data add` takes that of CIFAR-10, whose models need it, but of no other download."""
    return name if name in PUBLIC_SIZES else f"my-{name}"


def _cifar_files(kind: str) -> list[Remote]:
    from torchvision import datasets

    source = getattr(datasets, kind)
    return [Remote(source.url, source.filename, source.tgz_md5)]


def _mnist_files(kind: str) -> list[Remote]:
    from torchvision import datasets

    source = getattr(datasets, kind)
    return [Remote(f"{source.mirrors[0]}{name}", f"{kind}/raw/{name}", md5) for name, md5 in source.resources]


def _flowers_files() -> list[Remote]:
    from torchvision.datasets import Flowers102

    return [
        Remote(f"{Flowers102._download_url_prefix}{name}", f"flowers-102/{name}", md5)
        for name, md5 in Flowers102._file_dict.values()
    ]


def _pet_files() -> list[Remote]:
    from torchvision.datasets import OxfordIIITPet

    return [Remote(url, f"oxford-iiit-pet/{url.rpartition('/')[2]}", md5) for url, md5 in OxfordIIITPet._RESOURCES]


def _by_class(
    parts: Sequence[tuple[Tensor, Any]], classes: Sequence[str], title: str, license: str
) -> tuple[Tensor, Tensor, Description]:
    """Images and labels of the splits, each sorted by class: the order of an imported folder."""
    images, labels = [], []
    for pixels, given in parts:
        targets = torch.as_tensor(given).long()
        order = targets.argsort(stable=True)
        images.append(pixels[order])
        labels.append(targets[order])
    return torch.cat(images), torch.cat(labels), _description(title, license, classes, labels)


def _description(title: str, license: str, classes: Sequence[str], labels: Sequence[Tensor]) -> Description:
    names = [classes[i] for i in torch.cat([*labels]).tolist()]
    return Description(title=title, license=license, classes=list(classes), names=names, train=len(labels[0]))


def _cifar(folder: Path, kind: str, title: str) -> Fetched:
    from torchvision import datasets

    parts = [getattr(datasets, kind)(str(folder), train=train, download=True) for train in (True, False)]
    pixels = [(torch.from_numpy(part.data).permute(0, 3, 1, 2), part.targets) for part in parts]
    return _by_class(pixels, parts[0].classes, title, f"{title} (Krizhevsky 2009), free for research")


def _mnist(folder: Path, kind: str, title: str, license: str) -> Fetched:
    from torchvision import datasets

    parts = [getattr(datasets, kind)(str(folder), train=train, download=True) for train in (True, False)]
    pixels = [(part.data[:, None].repeat(1, 3, 1, 1), part.targets) for part in parts]
    return _by_class(pixels, [name.rpartition(" - ")[2] for name in parts[0].classes], title, license)


def _stl10(folder: Path) -> Fetched:
    from torchvision.datasets import STL10

    parts = [STL10(str(folder), split=split, download=True) for split in ("train", "test")]
    pixels = [(torch.from_numpy(np.ascontiguousarray(part.data)), part.labels) for part in parts]
    return _by_class(pixels, parts[0].classes, "STL-10", "STL-10 (Coates, Ng and Lee 2011), free for research")


def _flowers(folder: Path) -> Fetched:
    from torchvision.datasets import Flowers102

    train, validation, test = (Flowers102(str(folder), split=split, download=True) for split in ("train", "val", "test"))
    splits = [
        ([*train._image_files, *validation._image_files], [*train._labels, *validation._labels]),
        (test._image_files, test._labels),
    ]
    license = "Oxford 102 Flowers (Nilsback and Zisserman 2008), free for research"
    return _photos(splits, Flowers102.classes, "Oxford Flowers", license)


def _pets(folder: Path) -> Fetched:
    from torchvision.datasets import OxfordIIITPet

    parts = [OxfordIIITPet(str(folder), split=split, download=True) for split in ("trainval", "test")]
    splits = [(part._images, part._labels) for part in parts]
    license = "Oxford-IIIT Pet (Parkhi, Vedaldi, Zisserman and Jawahar 2012), CC BY-SA 4.0"
    return _photos(splits, parts[0].classes, "Oxford Pets", license)


def _photos(splits: Sequence[tuple[Sequence[Path], Sequence[int]]], classes: Sequence[str], title: str, license: str) -> Fetched:
    """Photos of several sizes, each split sorted by class, read while they are stored."""
    files: list[Path] = []
    labels = []
    for paths, given in splits:
        targets = torch.tensor(given)
        order = targets.argsort(stable=True)
        files += [Path(paths[i]) for i in order.tolist()]
        labels.append(targets[order])
    return _read_photos(files), torch.cat(labels), _description(title, license, classes, labels)


def _read_photos(files: Sequence[Path]) -> Iterator[Tensor]:
    for first in range(0, len(files), PART):
        decoded = (decode_image(file, most=PHOTO_SIDE) for file in files[first : first + PART])
        yield torch.cat([to_tensor(image, PHOTO_SIDE) for image in decoded])


MNIST_LICENSE = "MNIST (LeCun, Cortes and Burges), CC BY-SA 3.0"
FASHION_LICENSE = "Fashion-MNIST (Zalando SE), MIT"
# Sizes are those of the servers' files.
DOWNLOADS = {
    each.name: each
    for each in (
        Download(
            "cifar10",
            "CIFAR-10",
            170_498_071,
            60_000,
            32,
            lambda: _cifar_files("CIFAR10"),
            lambda folder: _cifar(folder, "CIFAR10", "CIFAR-10"),
        ),
        Download(
            "cifar100",
            "CIFAR-100",
            169_001_437,
            60_000,
            32,
            lambda: _cifar_files("CIFAR100"),
            lambda folder: _cifar(folder, "CIFAR100", "CIFAR-100"),
        ),
        Download(
            "mnist-full",
            "MNIST",
            11_594_722,
            70_000,
            28,
            lambda: _mnist_files("MNIST"),
            lambda folder: _mnist(folder, "MNIST", "MNIST", MNIST_LICENSE),
        ),
        Download(
            "fashion-full",
            "Fashion-MNIST",
            30_878_645,
            70_000,
            28,
            lambda: _mnist_files("FashionMNIST"),
            lambda folder: _mnist(folder, "FashionMNIST", "Fashion-MNIST", FASHION_LICENSE),
        ),
        Download("stl10", "STL-10", 2_640_397_119, 13_000, 96, lambda: _cifar_files("STL10"), _stl10),
        Download("flowers102", "Oxford Flowers", 344_878_000, 8_189, PHOTO_SIDE, _flowers_files, _flowers),
        Download("pets", "Oxford Pets", 811_092_049, 7_349, PHOTO_SIDE, _pet_files, _pets),
    )
}


def _reason(error: Exception) -> str:
    message = str(getattr(error, "reason", None) or error)  # str() of urllib's errors is in angle brackets
    return message.splitlines()[0].rstrip(".:") if message else type(error).__name__


def get(name: str, progress: Progress | None = None) -> bool:
    """Download a data set of `DOWNLOADS` and store it as an imported one; an interrupted download is resumed.

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
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):  # one process at a time: the others find it done
            if name in imported_names():
                return False
            _fetch_files(chosen, folder, progress)
            write_imported(name, *chosen.read(folder))
            shutil.rmtree(folder, ignore_errors=True)  # the imported copy is enough
    except (OSError, RuntimeError) as error:
        raise UserError("data.download_failed", title=chosen.title, copy=_copy(name), reason=_reason(error)) from None
    return True


def _fetch_files(chosen: Download, folder: Path, progress: Progress | None) -> None:
    before = 0
    for remote in chosen.files():

        def report(here: int, _total: int, before: int = before) -> None:
            if progress:
                progress(min(1.0, (before + here) / chosen.size))

        file = folder / remote.path
        fetch_file(remote.url, file, remote.md5, report)
        before += file.stat().st_size
