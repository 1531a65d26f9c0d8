"""The map between t-SNE and UMAP: the browser's rounds are those of a reference written out here."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import modules_of, screenshot

NEGATIVES, CLIP = 5, 4.0
RESTING = "#spectrum-view .cl-root[data-drawn]:not([data-moving])"
CALL = """async ([url, xs, ys, edges, loss, logZ, rates, neighbors]) => {
  const { NeighborEmbedding, measureLayout } = await import(url);
  const points = { xs: Float64Array.from(xs), ys: Float64Array.from(ys) };
  const embedding = new NeighborEmbedding(points, Int16Array.from(edges), 7);
  embedding.logZ = logZ;
  for (const rate of rates) embedding.round(loss, rate);
  const measured = measureLayout(points, Int16Array.from(neighbors));
  return { xs: [...points.xs], ys: [...points.ys], loss: embedding.loss, logZ: embedding.logZ, ...measured };
}"""


def mulberry32(seed: int) -> Any:
    """The generator of the browser: 32-bit integers."""
    state, mask = seed, 0xFFFFFFFF

    def draw() -> float:
        nonlocal state
        state = (state + 0x6D2B79F5) & mask
        mixed = ((state ^ (state >> 15)) * (state | 1)) & mask
        mixed = (mixed ^ (mixed + (((mixed ^ (mixed >> 7)) * (mixed | 61)) & mask))) & mask
        return (mixed ^ (mixed >> 14)) / 2**32

    return draw


def reference(
    points: np.ndarray[Any, Any], edges: list[tuple[int, int]], loss: str, log_z: float, rates: list[float]
) -> tuple[np.ndarray[Any, Any], float, float]:
    """Stochastic gradient descent, each pair's gradient by the chain rule; the last mean loss; ln Z."""
    draw, y, count, mean = mulberry32(7), points.copy(), len(points), math.nan

    def log_phi(i: int, j: int) -> float:
        return -math.log1p(float(((y[i] - y[j]) ** 2).sum()))

    def move(i: int, j: int, slope: float, rate: float) -> None:
        """Descend a loss whose derivative by ln phi of the pair is `slope`."""
        gradient = slope * -2 * (y[i] - y[j]) / (1 + ((y[i] - y[j]) ** 2).sum())
        step = rate * np.clip(-gradient, -CLIP, CLIP)
        y[i] += step
        y[j] -= step

    for rate in rates:
        total = 0.0
        for pair in edges:
            i, j = pair if draw() < 0.5 else reversed(pair)
            others = [math.floor(draw() * count) for _ in range(NEGATIVES)]
            if loss == "info_nce":
                scores = np.array([log_phi(i, j), *(-np.inf if k == i else log_phi(i, k) for k in others)])
                p = np.exp(scores) / np.exp(scores).sum()
                total -= math.log(p[0])
                move(i, j, p[0] - 1, rate)
                for k, probability in zip(others, p[1:], strict=True):
                    if k != i:
                        move(i, k, probability, rate)
                continue
            correction, slope = log_z + math.log(NEGATIVES / (count * (count - 1))), 0.0
            for k, positive in ((j, True), *((k, False) for k in others)):
                if k == i:
                    continue
                p = 1 / (1 + math.exp(-(log_phi(i, k) - correction)))
                total -= math.log(p if positive else 1 - p)
                slope -= (p - 1) if positive else p
                move(i, k, p - 1 if positive else p, rate)
            if loss == "nce":
                log_z -= rate / len(edges) * slope
        mean = total / len(edges)
    return y, mean, log_z


@pytest.mark.parametrize("loss", ["sampling", "nce", "info_nce"])
def test_rounds_are_those_of_the_reference(modules: Page, loss: str) -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(20, 2))
    edges = [(i, j) for i in range(20) for j in range(i) if (i - j) % 3 == 0]
    neighbors = [[(i + 1) % 20, (i + 3) % 20] for i in range(20)]
    log_z, rates = math.log(20 * 19 / NEGATIVES) - 0.5, [0.5, 0.3, 0.1]
    given = [points[:, 0].tolist(), points[:, 1].tolist(), np.array(edges).flatten().tolist(), loss, log_z, rates]
    url = f"{modules_of(modules)}/lib/neighbor_embedding.js"
    found = modules.evaluate(CALL, [url, *given, np.array(neighbors).flatten().tolist()])
    y, mean, learned = reference(points, edges, loss, log_z, rates)
    assert np.stack([found["xs"], found["ys"]], 1) == pytest.approx(y, abs=1e-6)
    assert found["loss"] == pytest.approx(mean, abs=1e-6)
    assert found["logZ"] == pytest.approx(learned, abs=1e-9) and (loss == "nce") == (learned != log_z)
    squared = ((y[:, None] - y[None]) ** 2).sum(2)
    np.fill_diagonal(squared, np.inf)
    assert found["logSum"] == pytest.approx(math.log((1 / (1 + squared)).sum()), abs=1e-5)
    nearest = squared.argsort(1)[:, :2]
    kept = np.mean([len({*nearest[i].tolist()} & {*neighbors[i]}) / 2 for i in range(20)])
    assert found["kept"] == pytest.approx(kept)


def fact(page: Page, name: str) -> float:
    return float(page.locator(f"#spectrum-view [data-fact={name}] dd").get_attribute("title") or "nan")


@pytest.mark.moves
@pytest.mark.opens("spectrum")
def test_the_map_learns_and_the_slider_reaches_tsne(page: Page) -> None:
    kept = fact(page, "kept")
    page.wait_for_selector(RESTING)
    assert fact(page, "kept") > kept + 0.1
    assert abs(fact(page, "correction")) < 1e-9
    umap = fact(page, "kept")
    page.locator("#spectrum-view input[type=range]").fill("0")
    page.wait_for_selector("#spectrum-view .cl-root[data-moving]")
    page.wait_for_selector(RESTING)
    assert fact(page, "correction") < -1 and fact(page, "kept") > umap  # more is kept towards t-SNE
    expect(page.locator("#spectrum-view .cl-about")).to_contain_text("Towards t-SNE")
    screenshot(page, "spectrum")
    page.locator("#spectrum-view .cl-chip", has_text="NCE: learns").click()
    page.locator("#spectrum-view .cl-own", has_text="Start again").click()
    page.wait_for_selector(RESTING)
    assert abs(fact(page, "log_z") - fact(page, "log_sum")) < 0.5  # what NCE learns is t-SNE's normalizer


@pytest.mark.moves
@pytest.mark.opens("spectrum")
def test_the_map_rests_where_nobody_sees_it(page: Page) -> None:
    page.wait_for_selector("#spectrum-view .cl-root[data-moving]")
    page.evaluate("contrastiveLink.goTo('views')")
    page.wait_for_selector("#spectrum-view .cl-root:not([data-moving])", state="attached")
    page.evaluate("contrastiveLink.goTo('spectrum')")
    play = page.locator("#spectrum-view .cl-own").first
    expect(play).to_have_text("Play")
    play.click()
    expect(play).to_have_text("Pause")


@pytest.mark.opens("spectrum")
def test_for_those_who_prefer_stillness_nothing_moves_until_play(page: Page) -> None:
    """There is no loss before the first round."""
    page.wait_for_selector(RESTING)
    facts = page.locator("#spectrum-view .cl-facts")
    expect(facts.locator("[data-fact=round] dd")).to_have_text("0 of 300")
    expect(facts).not_to_contain_text("NaN")
    page.locator("#spectrum-view .cl-own").first.click()
    expect(facts.locator("[data-fact=loss] dd")).to_have_text(re.compile(r"^\d+\.\d{3}$"))
