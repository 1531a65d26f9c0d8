"""Imported data sets: stored in the cache, the images of each in one memory-mapped file."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError
from torch import Tensor

from cl_core.data.dataset import DATASET_NAME, PUBLIC_SIZES, Dataset, every_fifth_group
from cl_core.errors import UserError, quoted
from cl_core.system.files import OWNER, owner_of, replace_file, write_bytes, write_json
from cl_core.system.paths import cache_dir
from cl_core.system.trash import REMOVED, delete_removed, remove_folder, restore_folder

DESCRIPTION = "description.json"
NEW = "images-new.safetensors"  # until its hash is known
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


def imported_names(viewer: str | None = None) -> list[str]:
    """Names of the imported data sets on this machine, sorted.

    Args:
        viewer: a visitor of the app, who sees data sets without an owner and their own; None sees all.
    """
    folders = (file.parent for file in imported_dir().glob("*/description.json"))
    return sorted(folder.name for folder in folders if viewer is None or owner_of(folder) in ("", viewer))


def imported_owner(name: str) -> str:
    """The visitor who imported a data set; empty where no visitor did."""
    return owner_of(imported_dir() / name)


def imported_version(name: str) -> int:
    """Modification time of the description, in nanoseconds since the epoch, which identifies the version; 0 if there is none."""
    if not DATASET_NAME.fullmatch(name):
        return 0
    try:
        return (imported_dir() / name / DESCRIPTION).stat().st_mtime_ns
    except OSError:
        return 0


def check_name(name: str) -> None:
    if not DATASET_NAME.fullmatch(name):
        raise UserError("data.bad_name", name=quoted(name))


def check_utf8(*texts: str) -> None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UserError("data.not_utf8", given=quoted(text)) from None


def _write_tensors(path: Path, images: Iterable[Tensor], labels: Tensor) -> tuple[str, str]:
    """Write a safetensors file, one part of the images at a time; returns the hash of the images and that of all.

    Args:
        images: parts (B, 3, S, S) uint8 of the N images, in their order.
        labels: (N,) int64.
    """
    contents, digests = hashlib.sha256(), [""]

    def write(temporary: Path) -> None:
        parts = iter(images)
        first = next(parts)
        count, labels_end = len(labels), 8 * len(labels)
        shape = [count, *first.shape[1:]]
        size = count * first[0].numel()
        header = json.dumps(
            {
                "labels": {"dtype": "I64", "shape": [count], "data_offsets": [0, labels_end]},
                "images": {"dtype": "U8", "shape": shape, "data_offsets": [labels_end, labels_end + size]},
            }
        ).encode()
        header += b" " * (-len(header) % 8)  # numbers are aligned
        with temporary.open("wb") as file:
            file.write(len(header).to_bytes(8, "little") + header + labels.numpy().tobytes())
            for part in itertools.chain([first], parts):
                content = part.contiguous().numpy().data
                contents.update(content)
                file.write(content)
        digests[0] = contents.hexdigest()[:16]
        contents.update(labels.numpy().data)

    replace_file(path, write)
    return digests[0], contents.hexdigest()[:16]


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


def write_imported(
    name: str, images: Tensor | Iterable[Tensor], labels: Tensor, description: Description, owner: str = ""
) -> None:
    """Store a data set under `name`, replacing one of this name.

    The replacement is atomic: if this fails or is interrupted, the previous data set is unchanged.

    Args:
        images: (N, 3, S, S) uint8, or parts of them in their order, which need not fit in memory together.
        labels: (N,) int64, -1 for unlabeled images.
        owner: the visitor of the app who imports it, see `imported_names`.

    Raises:
        UserError: the name is invalid, a text is not valid UTF-8, the disk is full, or another process writes this data set.
    """
    check_name(name)
    check_utf8(description.title, description.license, *description.classes, *description.names)
    folder = imported_dir() / name
    with _locked(folder):
        _remove_leftovers(folder)
        try:
            digest, contents = _write_tensors(
                folder / NEW, [images] if isinstance(images, Tensor) else images, labels.contiguous()
            )
            described = description.model_copy(update={"digest": digest, "file": f"images-{contents}.safetensors"})
            (folder / NEW).replace(folder / described.file)
            if owner:
                write_bytes(folder / OWNER, owner.encode())
            write_json(folder / DESCRIPTION, described.model_dump())
        finally:
            _remove_leftovers(folder)


def remove_imported(name: str) -> None:
    """Remove a data set, if there is one; `restore_imported` brings it back, see `system.trash`.

    Raises:
        UserError: another process writes it, or the folder cannot be moved.
    """
    check_name(name)
    folder = imported_dir() / name
    if imported_version(name):
        with _locked(folder):
            if imported_version(name):
                remove_folder(folder)
        remove_unfinished(name)  # another process may have removed it first, and this one made the folder for the lock


def removed_dir(name: str) -> Path:
    """Folder of a data set that was removed; it need not exist."""
    return imported_dir() / REMOVED / name


def remove_unfinished(name: str = "") -> None:
    """Delete what an interrupted import left where no data set was before: of one name, or of all that no process writes."""
    for folder in [imported_dir() / name] if name else list(imported_dir().glob("[a-z0-9]*")):
        lock = FileLock(folder / LOCK)
        if folder.is_dir() and not (folder / DESCRIPTION).exists():
            with contextlib.suppress(Timeout, OSError):
                lock.acquire(timeout=0)
                if not (folder / DESCRIPTION).exists():
                    shutil.rmtree(folder, ignore_errors=True)
                lock.release()


def restore_imported(name: str) -> None:
    """Bring back a data set that was removed.

    Raises:
        UserError: it is gone, or there is another one of this name.
    """
    check_name(name)
    restore_folder(imported_dir() / name)


def remove_expired(seconds: float) -> list[str]:
    """Remove the data sets of visitors that were imported more than `seconds` ago; returns their names."""
    expired = []
    for name in imported_names():
        age = time.time() - imported_version(name) / 1e9
        if imported_owner(name) and age > seconds:
            with contextlib.suppress(UserError):
                remove_imported(name)
                delete_removed(imported_dir() / name)
                expired.append(name)
    return expired


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
