"""Collections: picture sets brought onto this machine once, kept as one memory-mapped file each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from torch import Tensor

from cl_core.data.archives import PictureFile, read_pictures
from cl_core.data.catalog import Dataset, every_fifth_group
from cl_core.data.decoding import decode_picture, to_tensor
from cl_core.data.names import NAME, PUBLIC
from cl_core.errors import UserError
from cl_core.files import write_bytes, write_json
from cl_core.paths import cache_dir

LARGEST_SIDE = 64  # pixels kept of a picture unless more are asked for
TEST_FOLDERS = ("test", "val", "validation", "valid")


class Description(BaseModel):
    """What stands beside the pictures. train: how many of the pictures, the first, are to train on."""

    model_config = ConfigDict(extra="forbid")

    title: str
    licence: str
    classes: list[str]
    names: list[str]
    train: int
    digest: str = ""


def collections_dir() -> Path:
    return cache_dir() / "collections"


def collection_names() -> list[str]:
    """Collections on this machine."""
    return sorted(file.parent.name for file in collections_dir().glob("*/description.json"))


def write_collection(name: str, pictures: Tensor, labels: Tensor, description: Description) -> None:
    """Keep pictures (N, 3, S, S) uint8 and labels (N,) int64, -1 where there is none, under `name`.

    Raises:
        UserError: the name is not a plain one, or the disk is full.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"{name!r} cannot name a collection: use small letters, digits, dots and dashes.")
    folder = collections_dir() / name
    content = {"pictures": pictures.contiguous(), "labels": labels}
    # The description comes last: a collection without one is not there yet.
    (folder / "description.json").unlink(missing_ok=True)
    write_bytes(folder / "pictures.safetensors", safetensors.torch.save(content))
    digest = hashlib.sha256(content["pictures"].numpy().tobytes()).hexdigest()[:16]
    write_json(folder / "description.json", description.model_copy(update={"digest": digest}).model_dump())


def read_collection(name: str) -> Dataset:
    """A collection as a data set; its pictures are memory-mapped.

    Raises:
        UserError: it is not there, or its files are damaged.
    """
    folder = collections_dir() / name
    try:
        description = Description.model_validate(json.loads((folder / "description.json").read_text(encoding="utf-8")))
        tensors = safetensors.torch.load_file(folder / "pictures.safetensors")
        pictures, labels = tensors["pictures"], tensors["labels"]
    except FileNotFoundError:
        raise UserError(f"There is no collection {name!r} on this machine: bring it with `data add {name} FOLDER`.") from None
    except (OSError, KeyError, ValueError, ValidationError, SafetensorError):
        raise UserError(f"The collection in {folder} is damaged: delete that folder and add it again.") from None
    everything = torch.arange(len(pictures))
    train, test = everything[: description.train], everything[description.train :]
    # Without a class a picture belongs to a last, nameless one, so that it still has a colour.
    families = torch.where(labels >= 0, labels, len(description.classes))
    family_names = [*description.classes, "no class"] if bool((labels < 0).any()) else description.classes
    return Dataset(
        name=name,
        title=description.title,
        pictures=pictures,
        labels=labels,
        families=families,
        groups=everything,
        train=train,
        test=test,
        held_out=test if len(test) else every_fifth_group(families, everything),
        shown=test if len(test) else everything,
        classes=description.classes,
        family_names=family_names,
        ids=[str(i) for i in range(len(pictures))],
        names=description.names,
        licence=description.licence,
        label_kind="class",
        digest="" if name in PUBLIC else description.digest,
    )


def _is_test(file: PictureFile) -> bool:
    return len(file.folders) > 0 and file.folders[0].lower() in TEST_FOLDERS


def _is_train(file: PictureFile) -> bool:
    return len(file.folders) > 0 and file.folders[0].lower() in ("train", "training")


def _without_common_folders(files: list[PictureFile]) -> list[PictureFile]:
    """Drop leading folders that all files share: an archive often holds one folder that holds everything."""
    while files and all(len(f.folders) > 1 for f in files) and len({f.folders[0] for f in files}) == 1:
        files = [PictureFile(f.name, f.folders[1:], f.read) for f in files]
    return files


def _sorted(files: Iterable[PictureFile]) -> list[PictureFile]:
    return sorted(files, key=lambda f: (f.folders, f.name))


def add_collection(
    name: str,
    source: Path,
    title: str = "",
    licence: str = "",
    size: int = 0,
    progress: Callable[[float], None] | None = None,
) -> list[str]:
    """Read a folder or an archive of pictures once and keep them under `name`.

    The layout is the usual one: a folder a class; where the outermost folders are `train` and `test` (or `val`),
    they are the parts. Pictures that lie in no folder have no class.

    Args:
        size: side in pixels that pictures are brought to, padded to a square; 0 takes that of the largest, at most 64.
        progress: called with the share done, 0 to 1.

    Returns:
        A sentence for each file that could not be read and was left out.

    Raises:
        UserError: nothing to read there, or fewer than two pictures could be read.
    """
    files = _without_common_folders(list(read_pictures(source)))
    parted = any(map(_is_test, files)) and any(map(_is_train, files))
    train = _sorted(f for f in files if not parted or _is_train(f))
    test = _sorted(f for f in files if parted and _is_test(f))
    if PUBLIC.get(name, (len(train), len(test))) != (len(train), len(test)):
        expected = "{:,} pictures to train and {:,} to test".format(*PUBLIC[name])
        raise UserError(
            f"{name} has {expected}, and {source} holds {len(train):,} and {len(test):,}: choose another name for your pictures."
        )
    class_of = {id(f): "/".join(f.folders[1:] if parted else f.folders) for f in files}
    classes = sorted({class_of[id(f)] for f in [*train, *test]} - {""})
    index = {label: i for i, label in enumerate(classes)}
    pictures, labels, names, problems, trained = [], [], [], [], 0
    ordered = [*train, *test]
    size = size or _side(ordered)
    for at, file in enumerate(ordered):
        try:
            pictures.append(to_tensor(decode_picture(file.read(), file.name), size))
        except UserError as error:
            problems.append(str(error))
            continue
        label = class_of[id(file)]
        labels.append(index.get(label, -1))
        names.append(f"{label} {Path(file.name).stem}".strip())
        trained += at < len(train)
        if progress and at % 100 == 0:
            progress(at / len(ordered))
    if len(pictures) < 2:
        raise UserError(f"{source} holds fewer than two pictures that can be read: PNG, JPEG, WebP, GIF, BMP and TIFF are.")
    description = Description(title=title or name, licence=licence or "not stated", classes=classes, names=names, train=trained)
    write_collection(name, torch.cat(pictures), torch.tensor(labels), description)
    return problems


def _side(files: list[PictureFile]) -> int:
    """The longest side among some of the pictures, at most `LARGEST_SIDE`."""
    sides = []
    for file in files[:: max(1, len(files) // 50)]:
        try:
            sides.append(max(decode_picture(file.read(), file.name).size))
        except UserError:
            continue
    return min(max(sides, default=LARGEST_SIDE), LARGEST_SIDE)
