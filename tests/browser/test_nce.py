"""NCE and InfoNCE side by side: the browser's numbers are those of the losses that train."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from playwright.sync_api import Page, expect

from cl_core.explore.batch import chosen_batch
from cl_core.explore.model_store import ModelStore
from cl_core.losses import info_nce, info_nce_chance_level, log_partition, nce, nce_chance_level, negative_sampling
from cl_core.ui.tabs.nce import negatives_in_order
from tests.browser.conftest import READY, modules_of, screenshot

pytestmark = pytest.mark.opens("nce")

VIEWS, OWN = 12, 0.2
CALL = """async ([url, cosines, order, views, counts, own, temperatures]) => {
  const { batchLosses, nceChance, infoNceChance } = await import(url);
  const batch = { cosines: Float32Array.from(cosines), order: Int16Array.from(order), views };
  return counts.map((count, i) => ({
    corrected: batchLosses(batch, count, own, temperatures[i], true),
    plain: batchLosses(batch, count, own, temperatures[i], false),
    chances: [nceChance(count), infoNceChance(count)],
  }));
}"""


@pytest.fixture(scope="module")
def embeddings() -> Iterator[torch.Tensor]:
    yield F.normalize(torch.randn(VIEWS, 8, generator=torch.Generator().manual_seed(0)), dim=1)


def losses_of(z: torch.Tensor, order: torch.Tensor, count: int, own: float, temperature: float) -> dict[str, float]:
    """The mean losses by `cl_core.losses`."""
    positives, negatives = z[order[:, 0]], z[order[:, 1 : 1 + count]]
    data = (z * positives).sum(1) / own
    noise = torch.einsum("vd,vkd->vk", z, negatives) / own
    kq = math.log(count)  # uniform noise q = 1 / M, and log Z = log(M mean exp): M cancels
    log_z = float(log_partition(noise, 1))
    one_by_one = [info_nce(z[i : i + 1], positives[i : i + 1], negatives[i], temperature) for i in range(len(z))]
    return {
        "nce": float(nce(data - log_z, noise - log_z, kq, kq)),
        "sampling": float(negative_sampling(data, noise)),
        "info_nce": float(torch.stack(one_by_one).mean()),
    }


def test_the_losses_are_those_of_python(modules: Page, embeddings: torch.Tensor) -> None:
    order, counts, temperatures = negatives_in_order(VIEWS, 3), [1, 4, 10], [0.05, 0.3, 5.0]
    given = [(embeddings @ embeddings.T).flatten().tolist(), order.flatten().tolist(), VIEWS, counts, OWN, temperatures]
    found = modules.evaluate(CALL, [f"{modules_of(modules)}/lib/nce.js", *given])
    for count, temperature, values in zip(counts, temperatures, found, strict=True):
        expected = losses_of(embeddings, order, count, OWN, temperature)
        assert values["corrected"]["nce"] == pytest.approx(expected["nce"], abs=1e-5)
        assert values["plain"]["nce"] == pytest.approx(expected["sampling"], abs=1e-5)
        assert values["corrected"]["infoNce"] == pytest.approx(expected["info_nce"], abs=1e-5)
        assert values["chances"] == pytest.approx([nce_chance_level(count), info_nce_chance_level(count)], abs=1e-9)


def test_one_control_at_a_time(page: Page) -> None:
    model = ModelStore().get("emoji-simclr")
    z = F.normalize(chosen_batch(model, "", 16, 1).trained, dim=1)
    order, own = negatives_in_order(len(z), 1), model.config.temperature

    def number(cell: str, name: str) -> float:
        return float(page.locator(f"#nce-view [data-cell='{cell}'] .cl-number-line").get_attribute(f"data-{name}") or "nan")

    expected = losses_of(z, order, 30, own, own)
    assert abs(number("number.nce", "loss") - expected["nce"]) < 1e-4
    assert abs(number("number.info_nce", "loss") - expected["info_nce"]) < 1e-4
    assert abs(number("number.info_nce", "bound") - (math.log(31) - expected["info_nce"])) < 1e-4
    screenshot(page, "nce")
    page.locator("#nce-view .cl-chip", has_text="Negative sampling").click()
    assert abs(number("number.nce", "loss") - expected["sampling"]) < 1e-4
    page.locator("#nce-view .cl-chip", has_text="Softmax").click()
    assert abs(number("number.nce", "loss") - number("number.info_nce", "loss")) < 1e-6
    assert number("form.nce", "sum") == pytest.approx(1, abs=1e-6)
    page.locator("#nce-view .cl-chip").first.click()
    page.locator("#nce-view .cl-name input[type=range]").first.fill("5")
    page.locator("#nce-view .cl-number").fill("0.5")
    expected = losses_of(z, order, 5, own, 0.5)
    assert abs(number("number.nce", "loss") - expected["nce"]) < 1e-4
    assert abs(number("number.info_nce", "loss") - expected["info_nce"]) < 1e-4
    page.locator("#nce-view .cl-pick").nth(2).click()
    expect(page.locator("#nce-view .cl-pick[aria-pressed=true]")).to_have_count(1)
    page.locator("#nce-view [data-cell='use.nce'] a").click()
    page.wait_for_selector(READY["words"])


def test_all_negatives_are_those_of_the_batch_that_is_shown(page: Page) -> None:
    expect(page.locator("#nce-view .cl-count")).to_have_text("30")
    page.evaluate("contrastiveLink.goTo('loss')")
    page.wait_for_selector(READY["loss"])
    page.locator("input[aria-label*='Images']").first.fill("20")
    expect(page.locator("#loss-view [data-fact=chance] dd")).to_have_text(f"{math.log(39):.3f}")
    page.evaluate("contrastiveLink.goTo('nce')")
    expect(page.locator("#nce-view .cl-count")).to_have_text("38")
