"""Import images of a folder or an archive as a data set."""

from __future__ import annotations

import dataclasses
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

import torch
from PIL import Image
from torch import Tensor

from cl_core.data.archives import read_images
from cl_core.data.dataset import PUBLIC_SIZES
from cl_core.data.decoding import decode_image
from cl_core.data.entries import ImageFile
from cl_core.data.imported import Description, check_name, check_utf8, write_imported
from cl_core.data.pixels import to_tensor
from cl_core.errors import UserError, quoted, readable
from cl_core.system.paths import cache_dir

NOT_STATED = "not stated"
DEFAULT_MAX_SIDE = 64  # pixels
TEST_FOLDERS = ("test", "val", "validation", "valid")
TRAIN_FOLDERS = ("train", "training")
REPORT_EVERY = 100  # images
PART = 1_000  # images that are in memory together

Progress = Callable[[float], None]


@dataclasses.dataclass(frozen=True)
class Tile:
    """A decoded image in a spool. name, folders: as in `ImageFile`; start: position of its pixels; side: in pixels."""

    name: str
    folders: tuple[str, ...]
    start: int
    side: int


class Spool:
    """Pixels of decoded images in a temporary file, so that memory does not grow with their number."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._end = file, 0

    def add(self, file: ImageFile, pixels: Tensor) -> Tile:
        """Store the pixels (1, 3, S, S) uint8 of an image."""
        tile = Tile(file.name, file.folders, self._end, pixels.shape[-1])
        self._end += self._file.write(pixels.numpy().data)
        return tile

    def parts(self, tiles: list[Tile], side: int) -> Iterator[Tensor]:
        """The images in the order of `tiles`, scaled to one side: parts (B, 3, side, side) uint8."""
        for first in range(0, len(tiles), PART):
            part = tiles[first : first + PART]
            images = torch.empty(len(part), 3, side, side, dtype=torch.uint8)
            for row, tile in zip(images, part, strict=True):
                row[:] = self._read(tile, side)
            yield images

    def _read(self, tile: Tile, side: int) -> Tensor:
        self._file.seek(tile.start)
        content = bytearray(self._file.read(3 * tile.side**2))
        pixels = torch.frombuffer(content, dtype=torch.uint8).view(3, tile.side, tile.side)
        return pixels if tile.side == side else to_tensor(Image.fromarray(pixels.permute(1, 2, 0).numpy()), side)[0]


def import_images(
    name: str,
    source: Path,
    title: str = "",
    license: str = "",
    size: int = 0,
    progress: Progress | None = None,
    owner: str = "",
    most: int = 0,
) -> list[UserError]:
    """Import a folder or an archive of images as a data set.

    Each folder is a class. If outermost folders are named `train` and `test` (or `val`), they are the splits, and images
    outside of them are unlabeled images to train on. Images outside any folder are unlabeled. Unreadable files are skipped.

    Args:
        source: a folder, a zip archive or a tar archive.
        size: side in pixels to which images are resized, padded to a square; 0 takes the largest side, at most 64.
        progress: called with the fraction done, 0 to 1.
        owner: the visitor of the app who imports it.
        most: number of images; 0 for no limit.

    Returns:
        One error for each skipped file, sorted.

    Raises:
        UserError: the source cannot be read, holds fewer than two readable images or more than `most`; an existing data set is
            unchanged.
    """
    return import_files(name, read_images(source), str(source), title, license, size, progress, owner, most)


def import_files(
    name: str,
    files: Iterable[ImageFile],
    source: str,
    title: str = "",
    license: str = "",
    size: int = 0,
    progress: Progress | None = None,
    owner: str = "",
    most: int = 0,
) -> list[UserError]:
    """`import_images` of files from anywhere; errors call it `source`."""
    check_name(name)
    check_utf8(title, license)
    try:
        with tempfile.TemporaryFile(dir=cache_dir()) as file:
            spool = Spool(file)
            read, skipped = _read_tiles(files, source, size, spool, progress, most)
            tiles, train, labels = _in_order(read)
            _check_counts(name, source, train, len(tiles) - train, skipped)
            classes = _display_names(sorted({*labels} - {""}))
            index = {label: i for i, label in enumerate(classes)}
            description = Description(
                title=title or name,
                license=license or NOT_STATED,
                classes=list(classes.values()),
                names=[_item_name(classes.get(label, ""), tile) for label, tile in zip(labels, tiles, strict=True)],
                train=train,
            )
            chosen = torch.tensor([index.get(label, -1) for label in labels])
            side = size or max(tile.side for tile in tiles)
            write_imported(name, spool.parts(tiles, side), chosen, description, owner)
    except OSError as error:  # of the temporary file
        raise UserError("system.not_written", path=cache_dir(), reason=error.strerror or quoted(error)) from None
    return skipped


def _in_order(tiles: list[Tile]) -> tuple[list[Tile], int, list[str]]:
    """Tiles with the train split first, each split by class and name; size of the train split; class of each, "" for none."""
    tiles = _without_common_folders(tiles)
    has_splits = any(map(_is_test, tiles)) and any(map(_is_train, tiles))
    if not has_splits:
        tiles = _sorted(tiles)
        return tiles, len(tiles), ["/".join(tile.folders) for tile in tiles]
    train, test = _sorted(filter(_is_train, tiles)), _sorted(filter(_is_test, tiles))
    rest = _sorted(tile for tile in tiles if not _is_train(tile) and not _is_test(tile))
    labels = ["/".join(tile.folders[1:]) for tile in [*train, *test]]
    labels[len(train) : len(train)] = [""] * len(rest)
    return [*train, *rest, *test], len(train) + len(rest), labels


def _is_test(tile: Tile) -> bool:
    return len(tile.folders) > 0 and tile.folders[0].lower() in TEST_FOLDERS


def _is_train(tile: Tile) -> bool:
    return len(tile.folders) > 0 and tile.folders[0].lower() in TRAIN_FOLDERS


def _without_common_folders(tiles: list[Tile]) -> list[Tile]:
    """Drop leading folders that all files share: archives often contain a single top-level folder."""
    while tiles and all(len(t.folders) > 1 for t in tiles) and len({t.folders[0] for t in tiles}) == 1:
        tiles = [dataclasses.replace(t, folders=t.folders[1:]) for t in tiles]
    return tiles


def _sorted(tiles: Iterable[Tile]) -> list[Tile]:
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


def _check_counts(name: str, source: str, train: int, test: int, skipped: list[UserError]) -> None:
    expected = PUBLIC_SIZES.get(name, (train, test))
    if expected != (train, test):
        sizes = {"train": f"{expected[0]:,}", "test": f"{expected[1]:,}", "found_train": f"{train:,}", "found_test": f"{test:,}"}
        raise UserError("data.public_sizes", name=name, source=quoted(source), **sizes)
    if train + test < 2:
        reason = skipped[0] if skipped else UserError("data.formats")
        raise UserError("data.too_few_images", source=quoted(source), reason=reason)


def _item_name(label: str, tile: Tile) -> str:
    return f"{label} {readable(PurePosixPath(tile.name).stem)}".strip()


def _read_tiles(
    files: Iterable[ImageFile], source: str, size: int, spool: Spool, progress: Progress | None, most: int
) -> tuple[list[Tile], list[UserError]]:
    """Read and downscale images one at a time; also returns the errors of unreadable files, sorted by message."""
    tiles: list[Tile] = []
    skipped: list[UserError] = []
    for at, file in enumerate(files):
        if most and at == most:
            raise UserError("data.too_many_images", source=quoted(source), most=f"{most:,}")
        try:
            image = decode_image(file.read(), quoted(file.name), size or DEFAULT_MAX_SIDE)
        except UserError as error:
            skipped.append(UserError(error.key, **error.values))  # without its traceback, which holds the file's bytes
        else:
            tiles.append(spool.add(file, to_tensor(image, size or max(image.size))))
        if progress and at % REPORT_EVERY == 0:
            progress(file.fraction)
    if progress:
        progress(1.0)
    return tiles, sorted(skipped, key=str)
