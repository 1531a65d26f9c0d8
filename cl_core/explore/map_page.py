"""A map of images as one HTML file that opens without a server or a network."""

from __future__ import annotations

import base64
import html
import io
import json
import math
from pathlib import Path

from PIL import Image
from torch import Tensor

from cl_core.errors import UserError
from cl_core.explore.model import Model
from cl_core.explore.projection import Projector
from cl_core.system.files import write_bytes
from cl_core.text import language, text

TEMPLATE = Path(__file__).with_suffix(".html")
SIDE = 40  # pixels of an image
MAX_IMAGES = 20_000  # images; a sheet of so many has 5,680 pixels a side


def write_map_page(model: Model, path: Path, projector: Projector = "tsne") -> None:
    """Write the map of a model's images, with the images themselves, their names and classes.

    Raises:
        UserError: there are more than `MAX_IMAGES` images on the map, or the file cannot be written.
    """
    data = model.dataset
    rows = data.on_map.tolist()
    if len(rows) > MAX_IMAGES:
        raise UserError("model.map_too_large", count=f"{len(rows):,}", most=f"{MAX_IMAGES:,}")
    points = model.map_points(projector)
    middle, extent = (points.amin(0) + points.amax(0)) / 2, (points.amax(0) - points.amin(0)).max().clamp(min=1e-9)
    places = ((points - middle) / extent).numpy().round(4)
    columns = math.ceil(math.sqrt(len(rows)))
    labels = (data.label_name(row) for row in rows)
    content = {
        "side": SIDE,
        "columns": columns,
        "names": [f"{data.names[row]} ({label})" if label else data.names[row] for row, label in zip(rows, labels, strict=True)],
        "xs": places[:, 0].tolist(),
        "ys": (-places[:, 1]).tolist(),
        "about": text("model.map_page", count=f"{len(rows):,}", data=data.title),
        "sheet": _sheet(data.images[data.on_map], columns),
    }
    encoded = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")  # a name cannot end the script
    values = {"language": language(), "title": html.escape(model.name), "about": html.escape(str(content["about"]))}
    page = TEMPLATE.read_text(encoding="utf-8")
    for name, value in {**values, "data": encoded}.items():
        page = page.replace(f"{{{name}}}", value)
    write_bytes(path, page.encode())


def _sheet(images: Tensor, columns: int) -> str:
    """All images on one sheet, as a data URL."""
    sheet = Image.new("RGB", (columns * SIDE, math.ceil(len(images) / columns) * SIDE), "white")
    for i, image in enumerate(images):
        tile = Image.fromarray(image.permute(1, 2, 0).numpy()).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        sheet.paste(tile, ((i % columns) * SIDE, i // columns * SIDE))
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
