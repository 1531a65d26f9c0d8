"""Collections: image sets brought onto this machine once, kept as one memory-mapped file each."""

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
from cl_core.data.dataset import Dataset, every_fifth_group
from cl_core.data.decoding import decode_image, to_tensor
from cl_core.data.names import NAME, PUBLIC
from cl_core.errors import UserError, quoted, readable
from cl_core.system.files import replace_file, write_json
from cl_core.system.paths import cache_dir

LARGEST_SIDE = 64  # pixels kept of an image unless more are asked for
TEST_FOLDERS = ("test", "val", "validation", "valid")
DESCRIPTION = "description.json"
LOCK = ".lock"  # held by the process that writes the collection; who dies lets it go
WAITED_S = 60.0  # for another process that writes the same collection
ATTEMPTS = 5  # at reading a collection that is replaced meanwhile


class Description(BaseModel):
    """What stands beside the images.

    train: how many of the images, the first, are to train on.
    digest: of the images.
    file: the name of the file that holds images and labels. Whoever replaces the description replaces the collection at once.
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
        if isinstance(values, dict) and "licence" in values:  # as earlier versions spelled it
            values = {"license" if name == "licence" else name: value for name, value in values.items()}
        return values


def collections_dir() -> Path:
    return cache_dir() / "collections"


def collection_names() -> list[str]:
    """Collections on this machine."""
    return sorted(file.parent.name for file in collections_dir().glob("*/description.json"))


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise UserError(f"{quoted(name)!r} cannot name a collection: use small letters, digits, dots and dashes.")


def _check_text(*texts: str) -> None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UserError(f"{quoted(text)!r} is not text in UTF-8: write it without the signs that cannot be shown.") from None


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    def write(temporary: Path) -> None:
        try:
            safetensors.torch.save_file(tensors, temporary)
        except SafetensorError as error:
            number = re.search(r"os error (\d+)", str(error))  # what the operating system said is a part of the text
            code = int(number[1]) if number else errno.EIO
            raise OSError(code, os.strerror(code)) from None

    replace_file(path, write)


def _sweep(folder: Path) -> None:
    """Remove what a stopped `data add` left, and images that the description names no more."""
    try:
        kept = _read_description(folder).file
    except FileNotFoundError:
        kept = ""
    except (OSError, ValueError):
        return  # damaged: what belongs to it cannot be told
    for pattern in ("images*.safetensors", "pictures*.safetensors", ".*.tmp"):
        for file in folder.glob(pattern):
            if file.name != kept:
                with contextlib.suppress(OSError):  # one that is in use stays until the next time
                    file.unlink()


def write_collection(name: str, images: Tensor, labels: Tensor, description: Description) -> None:
    """Keep images (N, 3, S, S) uint8 and labels (N,) int64, -1 where there is none, under `name`.

    A collection of that name is replaced at once, at the end: until then, and if this fails, it is there as it was.

    Raises:
        UserError: the name is not a plain one, a text is not UTF-8, or the disk is full.
    """
    _check_name(name)
    _check_text(description.title, description.license, *description.classes, *description.names)
    content = {"images": images.contiguous(), "labels": labels.contiguous()}
    contents = hashlib.sha256(content["images"].numpy().data)
    digest = contents.hexdigest()[:16]
    contents.update(content["labels"].numpy().data)
    changes = {"digest": digest, "file": f"images-{contents.hexdigest()[:16]}.safetensors"}
    described = description.model_copy(update=changes)
    folder = collections_dir() / name
    with _locked(folder):
        _sweep(folder)
        try:
            _write_tensors(folder / described.file, content)
            write_json(folder / DESCRIPTION, described.model_dump())
        finally:
            _sweep(folder)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time write a collection."""
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=WAITED_S)
    except Timeout:
        raise UserError(f"Another process is writing the collection in {folder}: wait for it, then try again.") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(f"{folder} cannot be written ({reason}): set CL_CACHE_DIR to a folder that can be.") from None
    try:
        yield
    finally:
        lock.release()


def _read_description(folder: Path) -> Description:
    return Description.model_validate_json((folder / DESCRIPTION).read_bytes())


def _open(folder: Path) -> tuple[Description, dict[str, Tensor]]:
    """The description and the tensors it names, also where another process replaces them meanwhile."""
    for _ in range(ATTEMPTS):
        description = _read_description(folder)
        with contextlib.suppress(FileNotFoundError):
            return description, safetensors.torch.load_file(folder / description.file)
    raise ValueError("the images are missing")


def read_collection(name: str) -> Dataset:
    """A collection as a data set; its images are memory-mapped.

    Raises:
        UserError: it is not there, or its files are damaged.
    """
    folder = collections_dir() / name
    try:
        description, tensors = _open(folder)
        images, labels = tensors.get("images", tensors.get("pictures")), tensors["labels"]
        if images is None:
            raise KeyError("images")
    except FileNotFoundError:
        raise UserError(f"There is no collection {name!r} on this machine: bring it with `data add {name} FOLDER`.") from None
    except (OSError, KeyError, ValueError, ValidationError, SafetensorError):
        raise UserError(f"The collection in {folder} is damaged: delete that folder and add it again.") from None
    everything = torch.arange(len(images))
    train, test = everything[: description.train], everything[description.train :]
    # Without a class an image belongs to a last, nameless one, so that it still has a color.
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
        digest="" if name in PUBLIC else description.digest,
    )


@dataclasses.dataclass(frozen=True)
class _Tile:
    """An image, small, and where it lay: name, folders as `ImageFile` has them, pixels (1, 3, S, S) uint8."""

    name: str
    folders: tuple[str, ...]
    pixels: Tensor


def _is_test(tile: _Tile) -> bool:
    return len(tile.folders) > 0 and tile.folders[0].lower() in TEST_FOLDERS


def _is_train(tile: _Tile) -> bool:
    return len(tile.folders) > 0 and tile.folders[0].lower() in ("train", "training")


def _without_common_folders(tiles: list[_Tile]) -> list[_Tile]:
    """Drop leading folders that all files share: an archive often holds one folder that holds everything."""
    while tiles and all(len(t.folders) > 1 for t in tiles) and len({t.folders[0] for t in tiles}) == 1:
        tiles = [dataclasses.replace(t, folders=t.folders[1:]) for t in tiles]
    return tiles


def _sorted(tiles: Iterable[_Tile]) -> list[_Tile]:
    return sorted(tiles, key=lambda t: (t.folders, t.name))


def _readable_apart(names: Iterable[str]) -> dict[str, str]:
    """`readable` names by names, with a number where two would look the same."""
    shown: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for name in names:
        text = plain = readable(name)
        while counts[text]:
            counts[plain] += 1
            text = f"{plain} ({counts[plain]})"
        counts[text] += 1
        shown[name] = text
    return shown


def add_collection(
    name: str,
    source: Path,
    title: str = "",
    license: str = "",
    size: int = 0,
    progress: Callable[[float], None] | None = None,
) -> list[str]:
    """Read a folder or an archive of images once and keep them under `name`.

    The layout is the usual one: a folder a class; where the outermost folders are `train` and `test` (or `val`),
    they are the parts. Images that lie in no folder have no class. Files that cannot be read are left out.

    Args:
        size: side in pixels that images are brought to, padded to a square; 0 takes that of the largest, at most 64.
        progress: called with the fraction done, 0 to 1.

    Returns:
        A sentence for each file that could not be read and was left out.

    Raises:
        UserError: nothing to read there, or fewer than two images could be read; a collection of that name stays as it was.
    """
    _check_name(name)
    _check_text(title, license)
    found, problems = _read_tiles(source, size, progress)
    tiles = _without_common_folders(found)
    parted = any(map(_is_test, tiles)) and any(map(_is_train, tiles))
    train = _sorted(t for t in tiles if not parted or _is_train(t))
    test = _sorted(t for t in tiles if parted and _is_test(t))
    if PUBLIC.get(name, (len(train), len(test))) != (len(train), len(test)):
        expected = "{:,} images to train and {:,} to test".format(*PUBLIC[name])
        holds = f"{quoted(source)} holds {len(train):,} and {len(test):,}"
        raise UserError(f"{name} has {expected}, and {holds}: choose another name for your images.")
    ordered = [*train, *test]
    if len(ordered) < 2:
        reason = problems[0] if problems else "PNG, JPEG, WebP, GIF, BMP and TIFF are."
        raise UserError(f"{quoted(source)} holds fewer than two images that can be read: {reason}")
    labels = ["/".join(t.folders[1:] if parted else t.folders) for t in ordered]
    classes = _readable_apart(sorted({*labels} - {""}))
    index = {label: i for i, label in enumerate(classes)}
    description = Description(
        title=title or name,
        license=license or "not stated",
        classes=list(classes.values()),
        names=[_item_name(classes.get(label, ""), tile) for label, tile in zip(labels, ordered, strict=True)],
        train=len(train),
    )
    images = _stacked(ordered, size)
    write_collection(name, images, torch.tensor([index.get(label, -1) for label in labels]), description)
    return problems


def _item_name(label: str, tile: _Tile) -> str:
    return f"{label} {readable(PurePosixPath(tile.name).stem)}".strip()


def _read_tiles(source: Path, size: int, progress: Callable[[float], None] | None) -> tuple[list[_Tile], list[str]]:
    """The images, each shrunk before the next is read, and a sentence for each that cannot be read."""
    tiles, problems = [], []
    for at, file in enumerate(read_images(source)):
        try:
            image = decode_image(file.read(), quoted(file.name))
        except UserError as error:
            problems.append(str(error))
        else:
            tiles.append(_Tile(file.name, file.folders, to_tensor(image, size or min(max(image.size), LARGEST_SIDE))))
        if progress and at % 100 == 0:
            progress(file.fraction)
    if progress:
        progress(1.0)
    return tiles, sorted(problems)


def _stacked(tiles: list[_Tile], size: int) -> Tensor:
    """(N, 3, S, S) uint8. size: S; 0 takes that of the largest."""
    size = size or max(tile.pixels.shape[-1] for tile in tiles)
    images = torch.empty(len(tiles), 3, size, size, dtype=torch.uint8)
    for row, tile in zip(images, tiles, strict=True):
        if tile.pixels.shape[-1] == size:
            row[:] = tile.pixels[0]
        else:
            row[:] = to_tensor(Image.fromarray(tile.pixels[0].permute(1, 2, 0).numpy()), size)[0]
    return images
