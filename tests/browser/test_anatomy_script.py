"""The browser's anatomy of every loss equals Python's, number by number."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from playwright.sync_api import Page

from cl_core.losses import anatomy
from cl_core.losses.anatomy import Anatomy
from tests.browser.conftest import modules_of
from tests.losses.test_anatomy import TEMPERATURES, pairs_of

CALL = """({table, form}) => {
  const plain = (values) => Array.from(values, (value) => (Number.isFinite(value) ? value : null));
  const parts = anatomy(table, form);
  return {...parts, ...Object.fromEntries(["scaled", "logProbabilities", "contribution", "gradient", "terms"].map(
    (name) => [name, plain(parts[name])]))};
}"""


@pytest.fixture(scope="module")
def script(modules: Page) -> Page:
    """A page with the function `anatomy`."""
    modules.evaluate(
        "async (url) => { globalThis.anatomy = (await import(url)).anatomy; }", f"{modules_of(modules)}/lib/anatomy.js"
    )
    return modules


def in_browser(page: Page, parts: Anatomy) -> dict[str, Any]:
    table = {
        "rows": parts.cosines.shape[0],
        "columns": parts.cosines.shape[1],
        "cosines": parts.cosines.flatten().tolist(),
        "positive": parts.positive.flatten().int().tolist(),
        "negative": parts.negative.flatten().int().tolist(),
    }
    return page.evaluate(CALL, {"table": table, "form": dataclasses.asdict(parts.form)})


def check(page: Page, parts: Anatomy) -> None:
    found = in_browser(page, parts)
    compared = (parts.positive | parts.negative).flatten()
    for name, expected in (
        ("scaled", parts.scaled),
        ("logProbabilities", parts.log_probabilities),
        ("contribution", parts.contribution),
        ("gradient", parts.gradient),
        ("terms", parts.terms),
    ):
        flat = expected.flatten().double()
        values = torch.tensor([float("-inf") if v is None else v for v in found[name]], dtype=torch.float64)
        if name == "logProbabilities":
            assert torch.equal(values == -torch.inf, ~compared)
            flat, values = flat[compared], values[compared]
        assert torch.allclose(values, flat, rtol=1e-9, atol=1e-9), (name, (values - flat).abs().max())
    assert found["loss"] == pytest.approx(parts.loss, rel=1e-9, abs=1e-9)
    assert len(parts.terms) - found["anchors"] == parts.left_out


@pytest.mark.parametrize("t", TEMPERATURES)
def test_every_loss_at_every_temperature(script: Page, t: float) -> None:
    for parts, _ in pairs_of(t).values():
        check(script, parts)


def test_an_anchor_without_positives_and_the_worked_example(script: Page) -> None:
    torch.manual_seed(102)
    z, labels = torch.randn(4, 8), torch.tensor([1, 2, 1, 1])
    for form, loss in (("out", 2.4826), ("in", 1.4402), ("in-sum", 0.7470)):
        parts = anatomy.sup_con_anatomy(z.double(), labels, 1.0, form, normalize=False)  # type: ignore[arg-type]
        assert parts.loss == pytest.approx(loss, abs=1e-4)
        check(script, parts)
