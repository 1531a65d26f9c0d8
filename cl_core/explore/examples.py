"""Queries to begin with: sketches, and images of a data set that were cropped, turned and recolored."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from typing import Any, Literal

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from cl_core.data.dataset import Dataset
from cl_core.system.paths import ASSETS

Kind = Literal["sketch", "crop", "turned", "recolored"]
COUNT = 12
SKETCHED = "emoji"  # the data set that holds what is sketched
SIDE = 128  # pixels of a sketch
FINE = 4  # a sketch is drawn so many times as large, for smooth edges
GRID = 64  # the square of a sketch's coordinates
DEGREES = 24.0
CROPPED = 0.62  # of the side
HUE = 90  # of 256
MIN_IMAGES = 20  # of a coarse label: of a smaller one, such as the skin tones, no image is typical


@dataclasses.dataclass(frozen=True)
class Example:
    """A query.

    Attributes:
        name: of the image or of what is sketched.
        row: of the image that was changed; None for a sketch.
    """

    kind: Kind
    name: str
    image: Image.Image
    row: int | None = None


def examples(data: Dataset) -> list[Example]:
    """Twelve queries for the images of a data set, always the same ones; fewer where it has fewer images."""
    drawn = [Example("sketch", name, image) for name, image in sketches().items()] if data.name == SKETCHED else []
    rows = _spread(data, COUNT - len(drawn))
    kinds: tuple[Kind, ...] = ("crop", "turned", "recolored")
    changed = [
        Example(kinds[i % 3], data.names[row], _changed(data.images[row], kinds[i % 3]), row) for i, row in enumerate(rows)
    ]
    return [*drawn, *changed]


def _spread(data: Dataset, count: int) -> list[int]:
    """Rows of images, one each of different coarse labels as far as there are."""
    rows = data.on_map
    families = data.families[rows]
    found: list[int] = []
    present, sizes = families.unique(return_counts=True)
    large = present[sizes >= min(MIN_IMAGES, int(sizes.max()))].tolist()
    for turn in range(count):
        for family in large:
            members = rows[families == family]
            position = len(members) // 2 + turn
            if position < len(members) and len(found) < count:
                found.append(int(members[position]))
    return found


def _changed(image: Tensor, kind: Kind) -> Image.Image:
    """An image (3, S, S) uint8, changed."""
    side = int(image.shape[-1])
    whole = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    if kind == "crop":
        inner = round(side * CROPPED)
        left, top = (side - inner) // 2, (side - inner) // 3
        return whole.crop((left, top, left + inner, top + inner)).resize((side, side), Image.Resampling.BILINEAR)
    if kind == "turned":
        ground = tuple(image[:, 0, 0].tolist())
        return whole.rotate(DEGREES, Image.Resampling.BILINEAR, fillcolor=ground)
    if bool((image[0] == image[1]).all() and (image[1] == image[2]).all()):  # gray: tint it
        tint = torch.tensor([1.0, 0.62, 0.35])[:, None, None]
        return Image.fromarray((image * tint).byte().permute(1, 2, 0).contiguous().numpy())
    hue, saturation, value = whole.convert("HSV").split()
    return Image.merge("HSV", (hue.point([(i + HUE) % 256 for i in range(256)]), saturation, value)).convert("RGB")


@cache
def sketches() -> dict[str, Image.Image]:
    """The sketches by name, RGB on white."""
    strokes = json.loads((ASSETS / "sketches.json").read_text(encoding="utf-8"))["sketches"]
    return {name: _drawn(each) for name, each in strokes.items()}


def _drawn(strokes: list[list[Any]]) -> Image.Image:
    scale = SIDE * FINE / GRID
    image = Image.new("RGB", (SIDE * FINE, SIDE * FINE), "white")
    pen = ImageDraw.Draw(image)
    for stroke in strokes:
        if stroke[0] == "o":
            _, color, width, box, fill = stroke
            pen.ellipse([each * scale for each in box], fill=fill, outline=color, width=round(width * scale))
            continue
        color, width, points = stroke[:3]
        places = [(x * scale, y * scale) for x, y in points]
        if len(stroke) > 3:
            pen.polygon(places, fill=stroke[3])
        pen.line(places, fill=color, width=round(width * scale), joint="curve")
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
