"""Images for the browser: data URLs for a few, sheets for many."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cl_core.data.dataset import Dataset
from cl_core.errors import UserError
from cl_core.system.files import write_bytes
from cl_core.system.memo import Memo
from cl_core.system.paths import cache_dir
from cl_core.ui.cutouts import cut_out, ground, scaled
from cl_core.ui.urls import file_url

SHEET_TILE = 40  # pixels
MAX_TILE = 96  # pixels, of a batch's images
LOOKED_AT = 500  # images that tell on what all of them stand
GROUNDS: dict[int | None, str] = {255: "white", 0: "black", None: ""}
SHEET_PIXELS = 20e6  # of a whole sheet: what a phone's browser takes


def sprite_folder() -> Path:
    """Folder of the sheets and of the files of `json_file`, which the app serves to every visitor."""
    folder = cache_dir() / "sprites"
    with contextlib.suppress(OSError):  # a full disk: what is not written is served without a file
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def json_file(name: str, content: Any) -> str:
    """Address of JSON that the app serves, written once; its name has a hash of the content. On a full disk, a data URL."""
    body = json.dumps(content, ensure_ascii=False).encode()
    file = sprite_folder() / f"{name}-{hashlib.sha256(body).hexdigest()[:16]}.json"
    try:
        if not file.is_file() or file.stat().st_size != len(body):
            write_bytes(file, body)
    except (UserError, OSError):  # a full disk: the content is the address
        return "data:application/json;base64," + base64.b64encode(body).decode()
    return file_url(file)


def to_image(image: Tensor) -> Image.Image:
    """(3, H, W), uint8 or float in [0, 1] -> RGB image."""
    if image.is_floating_point():
        image = (image * 255).round().clamp(0, 255).byte()
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def data_url(image: Image.Image) -> str:
    """An image as a PNG inside the page."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def thumbnail(dataset: Dataset, row: int) -> str:
    """An image of a data set inside the page, lossless and a third smaller than a PNG; recent ones are cached."""
    return _thumbnails.get((dataset.name, dataset.digest, row), lambda: _small(to_image(dataset.images[row])))


def _small(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", lossless=True, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


_thumbnails: Memo[str] = Memo(5_000, 5e7)


def _sheet(tiles: list[Image.Image], columns: int, side: int) -> Image.Image:
    """Images of one mode, all RGB or all RGBA, on one sheet."""
    mode = tiles[0].mode
    sheet = Image.new(mode, (columns * side, math.ceil(len(tiles) / columns) * side), "white" if mode == "RGB" else (0, 0, 0, 0))
    for i, tile in enumerate(tiles):
        if mode == "RGBA":
            tile = scaled(tile, side)
        elif tile.size != (side, side):
            tile = tile.resize((side, side), Image.Resampling.BILINEAR)
        sheet.paste(tile, (i % columns * side, i // columns * side))
    return sheet


def sprites(images: Tensor) -> dict[str, object]:
    """A batch of (M, 3, S, S) images as one sheet for `FigureView`."""
    tiles = [to_image(image) for image in images]
    columns = math.ceil(math.sqrt(len(tiles)))
    url = data_url(_sheet(tiles, columns, min(int(images.shape[-1]), MAX_TILE)))
    return {"url": url, "columns": columns, "count": len(tiles), "ground": ""}


def dataset_sprites(dataset: Dataset) -> dict[str, object]:
    """All images of a data set on the map as one sheet, made once and served as a file."""
    return cached_sprites(dataset, dataset.on_map)


_grounds: Memo[tuple[int | None]] = Memo(64)


def cached_sprites(dataset: Dataset, rows: Tensor) -> dict[str, object]:
    """Images (P,) of a data set as one sheet, made once and served as a file.

    `ground`: "white" or "black" where the images stand on that color, which the sheet leaves out; else "".
    """
    some = dataset.shown[:: 1 + len(dataset.shown) // LOOKED_AT]
    (color,) = _grounds.get((dataset.name, dataset.digest), lambda: (ground(dataset.images[some]),))
    count = len(rows)
    columns = math.ceil(math.sqrt(count))
    side = min(SHEET_TILE, int(math.sqrt(SHEET_PIXELS / count)))
    which = hashlib.sha256(rows.numpy().tobytes()).hexdigest()[:12]
    file = sprite_folder() / f"{dataset.name}-{dataset.digest}{which}-{side}-{color}.webp"
    url = file_url(file)
    if not _is_whole(file):
        images = dataset.images[rows]
        tiles = [to_image(image) for image in images] if color is None else cut_out(images, color)
        buffer = io.BytesIO()
        _sheet(tiles, columns, side).save(buffer, "WEBP", quality=80, method=2)
        try:
            write_bytes(file, buffer.getvalue())
        except UserError:  # a full disk costs time, not the answer
            url = f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return {"url": url, "columns": columns, "count": count, "ground": GROUNDS[color]}


def _is_whole(file: Path) -> bool:
    """Whether a WebP file is complete."""
    try:
        with file.open("rb") as opened:
            head = opened.read(12)
        return head[:4] == b"RIFF" and head[8:] == b"WEBP" and int.from_bytes(head[4:8], "little") + 8 == file.stat().st_size
    except OSError:
        return False


def as_tensor(image: Image.Image) -> Tensor:
    """RGB image -> (1, 3, H, W) uint8, its shape kept."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].contiguous()
