"""How costs grow, as one image: loss time and memory over pairs, search over the gallery, an epoch over images.

python -m benchmarks.growth
"""

from __future__ import annotations

import json
import tempfile
import time
import urllib.parse
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots

from benchmarks import losses, search
from benchmarks.step import as_dataset, small_images
from cl_core.figures.page import write_page
from cl_core.figures.style import CATEGORIES, layout
from cl_core.runs.config import RunConfig
from cl_core.system.files import write_bytes
from cl_core.system.paths import ASSETS
from cl_core.training.loop import Training

FOLDER = ASSETS / "benchmarks"
MIN_MEMORY = 1e6  # bytes; less is lost in what the process takes at random
NAMES = {"ours": "block by block (ours)", "matrix": "the whole matrix", "lightly": "lightly"}


def epochs(sizes: tuple[int, ...] = (512, 1024, 2048, 3584)) -> list[dict[str, float]]:
    """Seconds of one epoch of SimCLR with the small ResNet at 32 px, the second of two."""
    images, points = small_images(), []
    for size in sizes:
        config = RunConfig(image_size=32, batch_size=256, epochs=2, snapshots=0)
        training = Training(config, as_dataset(images[:size]), torch.device("cpu"))
        began = 0.0
        for _ in training.events():
            if training.step == training.steps_per_epoch and not began:
                began = time.perf_counter()
        points.append({"images": size, "seconds": time.perf_counter() - began})
    return points


def measure() -> dict[str, Any]:
    return {"losses": losses.growth(), "search": search.growth(), "epochs": epochs()}


def figure(found: dict[str, Any]) -> go.Figure:
    titles = ["NT-Xent, forward + backward (s)", "its extra memory (MB)", "one search (ms)", "one epoch, small ResNet (s)"]
    drawn = make_subplots(rows=2, cols=2, subplot_titles=titles, vertical_spacing=0.2, horizontal_spacing=0.12)

    def line(
        points: list[dict[str, float]],
        x: str,
        y: str,
        name: str,
        at: tuple[int, int],
        color: int,
        factor: float = 1,
        least: float = 0,
    ) -> None:
        kept = [p for p in points if y in p and p[y] >= least]
        drawn.add_scatter(
            x=[p[x] for p in kept],
            y=[p[y] * factor for p in kept],
            name=name,
            mode="lines+markers",
            line={"color": CATEGORIES[color], "width": 2},
            legendgroup=name,
            showlegend=at != (1, 2),
            row=at[0],
            col=at[1],
        )

    for i, (kind, points) in enumerate(found["losses"].items()):
        line(points, "pairs", "seconds", NAMES[kind], (1, 1), i)
        line(points, "pairs", "extra_bytes", NAMES[kind], (1, 2), i, 1e-6, MIN_MEMORY)
    line(found["search"], "vectors", "exact_ms", "exact search", (2, 1), 4)
    line(found["search"], "vectors", "index_ms", "search by index", (2, 1), 5)
    line(found["epochs"], "images", "seconds", "an epoch", (2, 2), 6)
    drawn.update_xaxes(type="log", exponentformat="power", dtick=1)
    drawn.update_yaxes(type="log", exponentformat="power", dtick=1)
    for at, name in {(1, 1): "pairs N", (1, 2): "pairs N", (2, 1): "vectors in the gallery", (2, 2): "images"}.items():
        drawn.update_xaxes(title_text=name, row=at[0], col=at[1])
    for row, col in ((2, 2),):
        drawn.update_xaxes(type="linear", dtick=1000, exponentformat="none", row=row, col=col)
        drawn.update_yaxes(type="linear", dtick=None, rangemode="tozero", row=row, col=col)
    drawn.update_annotations(font_size=13)
    drawn.update_layout(
        layout(width=1000, height=720, paper_bgcolor="white", plot_bgcolor="white", legend={"y": -0.12, "orientation": "h"})
    )
    drawn.update_xaxes(gridcolor="#E5E5E5", linecolor="#999", mirror=False)
    drawn.update_yaxes(gridcolor="#E5E5E5", linecolor="#999", zeroline=False)
    return drawn


def draw(found: dict[str, Any], path: Path) -> None:
    """Write the figure as SVG, drawn by plotly's own script in the tests' browser."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import FLAGS
    from tests.browser.install import find_browser

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        write_page(figure(found), Path(folder) / "growth.html")
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        page = browser.new_page()
        page.goto((Path(folder) / "growth.html").as_uri())
        url = page.evaluate(
            "Plotly.toImage(document.querySelector('.plotly-graph-div'), {format: 'svg', width: 1000, height: 720})"
        )
        browser.close()
    write_bytes(path, urllib.parse.unquote(url.split(",", 1)[1]).encode())


def main(found: dict[str, Any] | None = None) -> None:
    found = found or measure()
    write_bytes(FOLDER / "growth.json", json.dumps(found, indent=1).encode())
    draw(found, FOLDER / "growth.svg")


if __name__ == "__main__":
    main()
