"""Points drawn with WebGL, with the canvas, and after the GPU is lost."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import modules_of

# Draws discs and images with both painters and compares the pixels.
COMPARE = """async ({ modules, what }) => {
  const { PointCanvas } = await import(modules + "/render/point_canvas.js");
  const { Sheet } = await import(modules + "/render/sheet.js");
  const [width, height, count] = [120, 80, 60];
  const tile = document.createElement("canvas");
  [tile.width, tile.height] = [8 * 16, 8 * 16];
  const pen = tile.getContext("2d");
  for (let i = 0; i < 64; i++) {
    pen.fillStyle = `hsl(${(i * 47) % 360} 70% 50%)`;
    pen.fillRect((i % 8) * 16, Math.floor(i / 8) * 16, 16, 16);
  }
  const image = new Image();
  image.src = tile.toDataURL();
  await image.decode();
  const sheet = new Sheet(image, 8);
  let seed = 1;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  // In the frame's inner part; for images on whole pixels, where no resampling differs.
  const place = (most) => Math.floor(12 + random() * (most - 24));
  const places = (most) => Float32Array.from({ length: count }, () => place(most));
  const points = { xs: places(width), ys: places(height) };
  const color = () => (0xff000000 | Math.floor(random() * 0xffffff)) >>> 0;
  const colors = Uint32Array.from({ length: count }, (_, i) => (i % 7 === 0 ? 0 : color()));
  const drawn = ["canvas", "webgl"].map((kind) => {
    const canvas = new PointCanvas(() => {}, kind);
    canvas.painter.resize(width, height);
    for (let times = 0; times < 2; times++) { // a second drawing begins on empty ground
      if (what === "discs") canvas.painter.drawDiscs(points, colors, 3);
      else canvas.painter.drawImages(points, colors, sheet, 16);
    }
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [width, height];
    copy.getContext("2d").drawImage(canvas.node, 0, 0);
    const { data } = copy.getContext("2d").getImageData(0, 0, width, height);
    const name = canvas.painter.constructor.name;
    canvas.end();
    return { data, name };
  });
  const [a, b] = drawn.map(({ data }) => data);
  let [different, filled] = [0, 0];
  for (let i = 0; i < a.length; i += 4) {
    if (a[i + 3]) filled++;
    if ([0, 1, 2, 3].some((c) => Math.abs(a[i + c] - b[i + c]) > 3)) different++;
  }
  return { names: drawn.map(({ name }) => name), different, filled };
}"""

LOSE = """async ({ modules }) => {
  const { PointCanvas } = await import(modules + "/render/point_canvas.js");
  const frame = document.createElement("div");
  const points = { xs: Float32Array.of(5), ys: Float32Array.of(5) };
  let canvas;
  const drawn = new Promise((resolve) => {
    canvas = new PointCanvas(() => {
      canvas.painter.drawDiscs(points, Uint32Array.of(0xff0000ff), 1);
      resolve([...canvas.node.getContext("2d").getImageData(5, 5, 1, 1).data]);
    }, "webgl");
  });
  canvas.painter.resize(10, 10);
  frame.append(canvas.node);
  const before = canvas.node;
  before.getContext("webgl2").getExtension("WEBGL_lose_context").loseContext();
  const pixel = await drawn;
  return { pixel, replaced: frame.firstChild !== before && frame.firstChild === canvas.node };
}"""


@pytest.mark.parametrize("what", ["discs", "images"])
def test_both_painters_draw_the_same(modules: Page, what: str) -> None:
    found: dict[str, Any] = modules.evaluate(COMPARE, {"modules": modules_of(modules), "what": what})
    assert found["names"] == ["CanvasPainter", "WebGLPainter"]
    assert found["filled"] > 1000
    assert found["different"] == 0


def test_the_canvas_takes_over_when_the_gpu_is_lost(modules: Page) -> None:
    found = modules.evaluate(LOSE, {"modules": modules_of(modules)})
    assert found == {"pixel": [255, 0, 0, 255], "replaced": True}
