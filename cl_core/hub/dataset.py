"""Import a data set of images from the Hub: its parquet files, as the Hub stores or converts them."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetInfo, RepoFile, hf_hub_download

from cl_core.data.entries import ImageFile
from cl_core.data.image_limits import MAX_BYTES, too_large
from cl_core.data.importing import import_files
from cl_core.errors import UserError, quoted
from cl_core.hub.client import api, hub_errors, token
from cl_core.hub.fetch import check_hash
from cl_core.runs.hub_names import NEWEST, HubName, hub_name
from cl_core.system.paths import cache_dir

CONVERTED = "refs/convert/parquet"  # where the Hub keeps what it converts
MAX_DOWNLOAD = 20_000_000_000  # bytes
BATCH = 8  # rows that are read together: each may hold an image of `MAX_BYTES`
SPLIT = re.compile(r"(?:^|[/_.-])(train|test|validation|valid|val)(?=[/_.-])")
DOWNLOADING = 0.5  # fraction of the progress

Progress = Callable[[float], None]


def import_hub_dataset(given: str, name: str, size: int = 0, progress: Progress | None = None, most: int = 0) -> list[UserError]:
    """Download a data set of the Hub and import its images; an interrupted download is resumed.

    The images are those of its first column of images, the classes those of its first column of class labels. Of several
    subsets the default one is imported.

    Args:
        given: OWNER/NAME[@REVISION]. name: of the data set here.
        size, progress, most: as in `import_images`.

    Returns:
        One error for each image that cannot be read.

    Raises:
        UserError: there is no such data set, it has no images in parquet files, is too large, or a file is damaged.
    """
    repository = hub_name(given.strip())
    folder = cache_dir() / "hub-datasets" / name
    revision, entries, license = _listing(repository)
    files: list[tuple[str, Path]] = []
    total, here = sum(entry.size for entry in entries), 0
    for entry in entries:
        with hub_errors(str(repository)):
            path = hf_hub_download(
                repository.repository, entry.path, repo_type="dataset", revision=revision, cache_dir=folder, token=token()
            )
        check_hash(repository, Path(path), entry)
        files.append((_split(entry.path), Path(path)))
        here += entry.size
        if progress:
            progress(DOWNLOADING * here / max(1, total))
    try:
        found = import_files(
            name,
            _images(files, str(repository)),
            str(repository),
            title=str(repository),
            license=license,
            size=size,
            progress=(lambda fraction: progress(DOWNLOADING + (1 - DOWNLOADING) * fraction)) if progress else None,
            most=most,
        )
    except UserError as error:
        if error.key.startswith("hub."):  # its files are at fault: the next try would read the same ones
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)  # the imported copy is enough
    return found


def _listing(repository: HubName) -> tuple[str, list[RepoFile], str]:
    """Commit, parquet files of one subset, and license."""
    info, files = _parquet_files(repository, repository.revision)
    if not files and repository.revision == NEWEST:
        with contextlib.suppress(UserError):  # the Hub has not converted it
            info, files = _parquet_files(repository, CONVERTED)
    chosen = _of_one_subset(files)
    if not chosen:
        raise UserError("hub.no_parquet", name=str(repository))
    size = sum(entry.size for entry in chosen)
    if size > MAX_DOWNLOAD:
        raise UserError("hub.too_large", name=str(repository), mb=f"{size / 1e6:,.0f}", most=f"{MAX_DOWNLOAD / 1e6:,.0f}")
    card = info.card_data
    license = card.get("license") if card else None
    assert info.sha
    return info.sha, chosen, license if isinstance(license, str) else ""


def _parquet_files(repository: HubName, revision: str) -> tuple[DatasetInfo, list[RepoFile]]:
    with hub_errors(str(repository)):
        info = api().dataset_info(repository.repository, revision=revision)
        listed = api().list_repo_tree(repository.repository, recursive=True, revision=info.sha, repo_type="dataset")
        return info, [entry for entry in listed if isinstance(entry, RepoFile) and entry.path.endswith(".parquet")]


def _of_one_subset(files: list[RepoFile]) -> list[RepoFile]:
    """The files of the default subset, else of the first; a subset is the part of the path before the split."""
    subsets: dict[str, list[RepoFile]] = {}
    for entry in sorted(files, key=lambda each: each.path):
        found = SPLIT.search(entry.path)
        subsets.setdefault(entry.path[: found.start()] if found else entry.path.rpartition("/")[0], []).append(entry)
    names = sorted(subsets, key=lambda name: (name not in ("", "data", "default"), name))
    return subsets[names[0]] if names else []


def _split(path: str) -> str:
    found = SPLIT.search(path)
    return found[1] if found else ""


def _images(files: list[tuple[str, Path]], source: str) -> Iterator[ImageFile]:
    """The images of parquet files: each in the folder of its split, if there are several, and of its class."""
    import pyarrow
    import pyarrow.parquet

    splits = {split for split, _ in files}
    try:
        opened = [(split, pyarrow.parquet.ParquetFile(path)) for split, path in files]
        total, at = sum(file.metadata.num_rows for _, file in opened), 0
        for split, file in opened:
            image, label, classes = _columns(file.schema_arrow, source)
            for batch in file.iter_batches(BATCH, columns=[image, *([label] if label else [])]):
                cells, labels = batch.column(image), batch.column(label) if label else None
                for row in range(len(batch)):
                    value = None if labels is None else labels[row].as_py()
                    folders = ((split,) if len(splits) > 1 else ()) + _folder(value, classes)
                    yield ImageFile(f"{at}.png", folders, _reader(cells[row].as_py(), f"{at}"), at / max(1, total))
                    at += 1
    except MemoryError:  # Arrow's own is one of its errors, too
        raise
    except (pyarrow.ArrowException, OSError, ValueError, LookupError, TypeError, OverflowError) as error:
        raise UserError("hub.damaged_parquet", name=source, reason=quoted(error)) from None


def _columns(schema: Any, source: str) -> tuple[str, str, list[str]]:
    """Names of the columns of images and of labels, and the names of the classes; "" and none without labels."""
    features: Mapping[str, Any] = {}
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        kinds = {name: kind.get("_type") for name, kind in features.items() if isinstance(kind, dict)}
    except (KeyError, TypeError, ValueError, AttributeError):
        kinds = {}
    image = next((name for name, kind in kinds.items() if kind == "Image"), "") or next(
        (each.name for each in schema if "bytes" in [field.name for field in getattr(each.type, "fields", [])]), ""
    )
    if image not in schema.names:
        raise UserError("hub.no_image_column", name=source)
    label = next((name for name, kind in kinds.items() if kind == "ClassLabel" and name in schema.names), "")
    names = features[label].get("names") if label else None
    classes = [str(each) for each in names] if isinstance(names, list) else []
    return image, label or ("label" if "label" in schema.names else ""), classes


def _folder(value: Any, classes: list[str]) -> tuple[str, ...]:
    """The folder that names a class; nothing for an image without one."""
    if value is None or (isinstance(value, int) and value < 0):
        return ()
    if isinstance(value, int) and value < len(classes):
        return (classes[value],)
    return (str(value),)


def _reader(cell: Any, name: str) -> Callable[[], bytes]:
    def read() -> bytes:
        content = cell.get("bytes") if isinstance(cell, dict) else cell
        if not isinstance(content, bytes) or not content:
            raise UserError("data.empty", name=name)
        if len(content) > MAX_BYTES:
            raise too_large(name)
        return content

    return read
