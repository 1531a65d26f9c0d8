"""Training curves as an image, for pages without scripts such as model cards."""

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
    """One panel of the chart.

    Attributes:
        points: (epoch, value) pairs.
        guide: baseline, drawn as a dashed line.
    """

    title: str
    points: list[tuple[float, float]]
    guide: float | None = None
    guide_name: str = ""


def curves_of(points: list[dict[str, Any]], metrics: dict[str, Any]) -> list[Curve]:
    """Loss with its chance level, kNN accuracy with that of raw pixels, std of the embeddings with 1/sqrt(d).

    Args:
        points: lines of `metrics.jsonl`. metrics: those of `run.json`. What was not measured is left out.
    """
    losses = [point for point in points if point["kind"] == "loss"]
    snapshots = [point for point in points if point["kind"] == "snapshot"]
    knn = [(point["epoch"], 100 * point["knn"]["accuracy"]) for point in snapshots if point.get("knn")]
    std = [(point["epoch"], point["geometry"]["std"]) for point in snapshots if point.get("geometry")]
    pixels = metrics.get("pixels")
    curves = [
        Curve("loss", [(p["epoch"], p["loss"]) for p in losses], losses[-1].get("chance") if losses else None, "chance"),
        Curve("kNN accuracy, %", knn, 100 * pixels["accuracy"] if pixels else None, "raw pixels"),
        Curve("std of the embeddings", std, snapshots[-1]["geometry"]["dim"] ** -0.5 if std else None, "1/sqrt(d)"),
    ]
    return [curve for curve in curves if len(curve.points) > 1]


def draw_curves(curves: list[Curve]) -> bytes:
    """Draw one panel per curve, side by side; returns a PNG file."""
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
    visible = [*values, *([curve.guide] if curve.guide is not None else [])]
    low, high = min(visible), max(visible)
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
