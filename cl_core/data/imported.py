"""Imported data sets: images of a folder or an archive, stored in the cache as one memory-mapped file each."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import safetensors.torch
import torch
from filelock import FileLock, Timeout
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError
from torch import Tensor

from cl_core.data.archives import read_images
from cl_core.data.dataset import DATASET_NAME, PUBLIC_SIZES, Dataset, every_fifth_group
from cl_core.data.decoding import decode_image, to_tensor
from cl_core.errors import UserError, quoted, readable
from cl_core.system.files import replace_file, write_json
from cl_core.system.paths import cache_dir

DEFAULT_MAX_SIDE = 64  # pixels
TEST_FOLDERS = ("test", "val", "validation", "valid")
DESCRIPTION = "description.json"
LOCK = ".lock"  # held by the writing process; released when it ends
LOCK_TIMEOUT_S = 60.0
READ_ATTEMPTS = 5  # while another process replaces the data set


class Description(BaseModel):
    """Metadata of an imported data set, stored as `description.json`.

    Attributes:
        train: size of the train split; its images come first.
        digest: hash of the images.
        file: name of the file with images and labels. Replacing the description replaces the whole data set atomically.
    """

    model_config = ConfigDict(extra="forbid")

    title: str
    license: str
    classes: list[str]
    names: list[str]
    train: int
    digest: str = ""
    file: str = Field("images.safetensors", pattern=r"^(images|pictures)(-[0-9a-f]{16})?\.safetensors$")

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, values: Any) -> Any:
        if isinstance(values, dict) and "licence" in values:  # spelling of earlier versions
            values = {"license" if name == "licence" else name: value for name, value in values.items()}
        return values


def imported_dir() -> Path:
    """Folder that holds one folder per imported data set."""
    return cache_dir() / "collections"


def imported_names() -> list[str]:
    """Names of the imported data sets on this machine, sorted."""
    return sorted(file.parent.name for file in imported_dir().glob("*/description.json"))


def _check_name(name: str) -> None:
    if not DATASET_NAME.fullmatch(name):
        raise UserError("data.bad_name", name=quoted(name))


def _check_utf8(*texts: str) -> None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UserError("data.not_utf8", given=quoted(text)) from None


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    def write(temporary: Path) -> None:
        try:
            safetensors.torch.save_file(tensors, temporary)
        except SafetensorError as error:
            number = re.search(r"os error (\d+)", str(error))  # the message holds the error number of the system
            code = int(number[1]) if number else errno.EIO
            raise OSError(code, os.strerror(code)) from None

    replace_file(path, write)


def _remove_leftovers(folder: Path) -> None:
    """Remove temporary files of interrupted imports and image files that the description does not name."""
    try:
        current = _read_description(folder).file
    except FileNotFoundError:
        current = ""
    except (OSError, ValueError):
        return  # damaged description: the current file is unknown
    for pattern in ("images*.safetensors", "pictures*.safetensors", ".*.tmp"):
        for file in folder.glob(pattern):
            if file.name != current:
                with contextlib.suppress(OSError):  # a file in use is removed by a later import
                    file.unlink()


def write_imported(name: str, images: Tensor, labels: Tensor, description: Description) -> None:
    """Store a data set under `name`, replacing one of this name.

    The replacement is atomic: if this fails or is interrupted, the previous data set is unchanged.

    Args:
        images: (N, 3, S, S) uint8.
        labels: (N,) int64, -1 for unlabeled images.

    Raises:
        UserError: the name is invalid, a text is not valid UTF-8, the disk is full, or another process writes this data set.
    """
    _check_name(name)
    _check_utf8(description.title, description.license, *description.classes, *description.names)
    content = {"images": images.contiguous(), "labels": labels.contiguous()}
    contents = hashlib.sha256(content["images"].numpy().data)
    digest = contents.hexdigest()[:16]
    contents.update(content["labels"].numpy().data)
    changes = {"digest": digest, "file": f"images-{contents.hexdigest()[:16]}.safetensors"}
    described = description.model_copy(update=changes)
    folder = imported_dir() / name
    with _locked(folder):
        _remove_leftovers(folder)
        try:
            _write_tensors(folder / described.file, content)
            write_json(folder / DESCRIPTION, described.model_dump())
        finally:
            _remove_leftovers(folder)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a data set: one process writes it at a time."""
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=LOCK_TIMEOUT_S)
    except Timeout:
        raise UserError("data.being_written", folder=folder) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError("data.cache_not_writable", folder=folder, reason=reason) from None
    try:
        yield
    finally:
        lock.release()


def _read_description(folder: Path) -> Description:
    return Description.model_validate_json((folder / DESCRIPTION).read_bytes())


def _open(folder: Path) -> tuple[Description, dict[str, Tensor]]:
    """Read the description and its tensors; retried while another process replaces them."""
    for _ in range(READ_ATTEMPTS):
        description = _read_description(folder)
        with contextlib.suppress(FileNotFoundError):
            return description, safetensors.torch.load_file(folder / description.file)
    raise ValueError("the images are missing")


def read_imported(name: str) -> Dataset:
    """Load an imported data set; its images are memory-mapped.

    Raises:
        UserError: there is no such data set, or its files are damaged.
    """
    folder = imported_dir() / name
    try:
        description, tensors = _open(folder)
        images, labels = tensors.get("images", tensors.get("pictures")), tensors["labels"]
        if images is None:
            raise KeyError("images")
    except FileNotFoundError:
        raise UserError("data.not_imported", name=quoted(name)) from None
    except (OSError, KeyError, ValueError, ValidationError, SafetensorError):
        raise UserError("data.damaged", folder=folder) from None
    everything = torch.arange(len(images))
    train, test = everything[: description.train], everything[description.train :]
    # Unlabeled images form an extra last family, so that they have a color.
    families = torch.where(labels >= 0, labels, len(description.classes))
    family_names = [*description.classes, "no class"] if bool((labels < 0).any()) else description.classes
    return Dataset(
        name=name,
        title=description.title,
        images=images,
        labels=labels,
        families=families,
        groups=everything,
        train=train,
        test=test,
        held_out=test if len(test) else every_fifth_group(families, everything),
        shown=test if len(test) else everything,
        classes=description.classes,
        family_names=family_names,
        ids=[str(i) for i in range(len(images))],
        names=description.names,
        license=description.license,
        label_kind="class",
        digest="" if name in PUBLIC_SIZES else description.digest,
    )


@dataclasses.dataclass(frozen=True)
class _Tile:
    """A decoded, downscaled image: file name, folders as in `ImageFile`, pixels (1, 3, S, S) uint8."""

    name: str
    folders: tuple[str, ...]
    pixels: Tensor


def _is_test(tile: _Tile) -> bool:
    return len(tile.folders) > 0 and tile.folders[0].lower() in TEST_FOLDERS


def _is_train(tile: _Tile) -> bool:
    return len(tile.folders) > 0 and tile.folders[0].lower() in ("train", "training")


def _without_common_folders(tiles: list[_Tile]) -> list[_Tile]:
    """Drop leading folders that all files share: archives often contain a single top-level folder."""
    while tiles and all(len(t.folders) > 1 for t in tiles) and len({t.folders[0] for t in tiles}) == 1:
        tiles = [dataclasses.replace(t, folders=t.folders[1:]) for t in tiles]
    return tiles


def _sorted(tiles: Iterable[_Tile]) -> list[_Tile]:
    return sorted(tiles, key=lambda t: (t.folders, t.name))


def _display_names(names: Iterable[str]) -> dict[str, str]:
    """Map names to their `readable` forms; a number is appended where two forms would be equal."""
    display: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for name in names:
        text = plain = readable(name)
        while counts[text]:
            counts[plain] += 1
            text = f"{plain} ({counts[plain]})"
        counts[text] += 1
        display[name] = text
    return display


def import_images(
    name: str,
    source: Path,
    title: str = "",
    license: str = "",
    size: int = 0,
    progress: Callable[[float], None] | None = None,
) -> list[str]:
    """Import a folder or an archive of images as a data set.

    Each folder is a class. If the outermost folders are `train` and `test` (or `val`), they are the splits. Images outside
    any folder are unlabeled. Unreadable files are skipped.

    Args:
        source: a folder, a zip archive or a tar archive.
        size: side in pixels to which images are resized, padded to a square; 0 takes the largest side, at most 64.
        progress: called with the fraction done, 0 to 1.

    Returns:
        One message for each skipped file, sorted.

    Raises:
        UserError: the source cannot be read or holds fewer than two readable images; an existing data set is unchanged.
    """
    _check_name(name)
    _check_utf8(title, license)
    read, skipped = _read_tiles(source, size, progress)
    tiles = _without_common_folders(read)
    has_splits = any(map(_is_test, tiles)) and any(map(_is_train, tiles))
    train = _sorted(t for t in tiles if not has_splits or _is_train(t))
    test = _sorted(t for t in tiles if has_splits and _is_test(t))
    _check_counts(name, source, len(train), len(test), skipped)
    ordered = [*train, *test]
    labels = ["/".join(t.folders[1:] if has_splits else t.folders) for t in ordered]
    classes = _display_names(sorted({*labels} - {""}))
    index = {label: i for i, label in enumerate(classes)}
    description = Description(
        title=title or name,
        license=license or "not stated",
        classes=list(classes.values()),
        names=[_item_name(classes.get(label, ""), tile) for label, tile in zip(labels, ordered, strict=True)],
        train=len(train),
    )
    images = _stacked(ordered, size)
    write_imported(name, images, torch.tensor([index.get(label, -1) for label in labels]), description)
    return [str(error) for error in skipped]


def _check_counts(name: str, source: Path, train: int, test: int, skipped: list[UserError]) -> None:
    expected = PUBLIC_SIZES.get(name, (train, test))
    if expected != (train, test):
        sizes = {"train": f"{expected[0]:,}", "test": f"{expected[1]:,}", "found_train": f"{train:,}", "found_test": f"{test:,}"}
        raise UserError("data.public_sizes", name=name, source=quoted(source), **sizes)
    if train + test < 2:
        reason = skipped[0] if skipped else UserError("data.formats")
        raise UserError("data.too_few_images", source=quoted(source), reason=reason)


def _item_name(label: str, tile: _Tile) -> str:
    return f"{label} {readable(PurePosixPath(tile.name).stem)}".strip()


def _read_tiles(source: Path, size: int, progress: Callable[[float], None] | None) -> tuple[list[_Tile], list[UserError]]:
    """Read and downscale images one at a time; also returns the errors of unreadable files, sorted by message."""
    tiles, skipped = [], []
    for at, file in enumerate(read_images(source)):
        try:
            image = decode_image(file.read(), quoted(file.name))
        except UserError as error:
            skipped.append(UserError(error.key, **error.values))  # without its traceback, which holds the file's bytes
        else:
            side = size or min(max(image.size), DEFAULT_MAX_SIDE)
            tiles.append(_Tile(file.name, file.folders, to_tensor(image, side)))
        if progress and at % 100 == 0:
            progress(file.fraction)
    if progress:
        progress(1.0)
    return tiles, sorted(skipped, key=str)


def _stacked(tiles: list[_Tile], size: int) -> Tensor:
    """Stack tiles as (N, 3, S, S) uint8; S is `size`, or the largest side if it is 0."""
    size = size or max(tile.pixels.shape[-1] for tile in tiles)
    images = torch.empty(len(tiles), 3, size, size, dtype=torch.uint8)
    for row, tile in zip(images, tiles, strict=True):
        if tile.pixels.shape[-1] == size:
            row[:] = tile.pixels[0]
        else:
            row[:] = to_tensor(Image.fromarray(tile.pixels[0].permute(1, 2, 0).numpy()), size)[0]
    return images
