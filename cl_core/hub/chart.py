"""The curves of a training as one image, for pages that cannot run a script."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

from PIL import Image, ImageDraw, ImageFont

INK, LINE, GUIDE, PAPER = "#333333", "#0072b2", "#999999", "#ffffff"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, TEXT = 900, 480, 120, 40, 70, 70, 26
TICKS = 4


@dataclasses.dataclass(frozen=True)
class Curve:
    """A line over epochs with, dotted, what it is to be held against."""

    title: str
    points: list[tuple[float, float]]
    guide: float | None = None
    guide_name: str = ""


def curves_of(points: list[dict[str, Any]], metrics: dict[str, Any]) -> list[Curve]:
    """Loss beside chance, kNN beside raw pixels, spread beside 1/sqrt(d): those that were measured."""
    losses = [point for point in points if point["kind"] == "loss"]
    taken = [point for point in points if point["kind"] == "snapshot"]
    knn = [(point["epoch"], 100 * point["knn"]["accuracy"]) for point in taken if point.get("knn")]
    spread = [(point["epoch"], point["geometry"]["std"]) for point in taken if point.get("geometry")]
    pixels = metrics.get("pixels")
    curves = [
        Curve("loss", [(p["epoch"], p["loss"]) for p in losses], losses[-1].get("chance") if losses else None, "chance"),
        Curve("kNN accuracy, %", knn, 100 * pixels["accuracy"] if pixels else None, "raw pixels"),
        Curve("std of the outputs", spread, taken[-1]["geometry"]["dim"] ** -0.5 if spread else None, "spread evenly"),
    ]
    return [curve for curve in curves if len(curve.points) > 1]


def draw_curves(curves: list[Curve]) -> bytes:
    """One panel a curve, side by side, as PNG."""
    image = Image.new("RGB", (WIDTH * len(curves), HEIGHT), PAPER)
    for i, curve in enumerate(curves):
        image.paste(_panel(curve), (i * WIDTH, 0))
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _panel(curve: Curve) -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(TEXT)
    epochs, values = zip(*curve.points, strict=True)
    shown = [*values, *([curve.guide] if curve.guide is not None else [])]
    low, high = min(shown), max(shown)
    last, span = max(max(epochs), 1e-9), (high - low) or 1.0

    def at(epoch: float, value: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * epoch / last
        return x, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / span

    pen.text((WIDTH / 2, 12), curve.title, INK, font, anchor="ma")
    for i in range(TICKS + 1):
        value = low + span * i / TICKS
        x, y = at(0, value)
        pen.line([(x, y), (WIDTH - RIGHT, y)], "#e5e5e5", 2)
        pen.text((x - 12, y), f"{value:.3g}", INK, font, anchor="rm")
        x, _ = at(last * i / TICKS, low)
        pen.text((x, HEIGHT - BOTTOM + 10), f"{last * i / TICKS:.3g}", INK, font, anchor="ma")
    pen.text((WIDTH - RIGHT, HEIGHT - 32), "epoch", INK, font, anchor="ra")
    if curve.guide is not None:
        x, y = at(0, curve.guide)
        for dash in range(round(x), WIDTH - RIGHT, 16):
            pen.line([(dash, y), (dash + 8, y)], GUIDE, 3)
        pen.text(
            (WIDTH - RIGHT, y + (8 if y < HEIGHT / 2 else -8)),
            curve.guide_name,
            GUIDE,
            font,
            anchor="ra" if y < HEIGHT / 2 else "rs",
        )
    pen.line([at(epoch, value) for epoch, value in curve.points], LINE, 4, joint="curve")
    return image
