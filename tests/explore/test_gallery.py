"""Search in galleries: results, groups of variants, stored features."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from cl_core.data import dataset as dataset_module
from cl_core.data.dataset import group_representatives, subset
from cl_core.data.registry import load_dataset
from cl_core.explore import gallery
from cl_core.explore.descriptors import describe
from cl_core.explore.gallery import Gallery, pixel_gallery, run_gallery
from cl_core.networks.embedding import pixel_side
from cl_core.runs.store import load_run, untrained_like


@pytest.fixture(scope="module")
def emoji_pixels() -> Gallery:
    return pixel_gallery(load_dataset("emoji"), 16)


def test_an_image_is_its_own_nearest_result(emoji_pixels: Gallery) -> None:
    data = emoji_pixels.dataset
    rows = torch.tensor([0, 500, 3785])
    for row, found in zip(rows.tolist(), emoji_pixels.search(emoji_pixels.embedder(data.images[rows]), 3), strict=True):
        assert data.groups[found[0].row] == data.groups[row]
        assert found[0].cosine == pytest.approx(1, abs=1e-3)
        assert [n.rank for n in found] == [1, 2, 3]
        assert found[0].cosine >= found[1].cosine >= found[2].cosine


def test_variants_are_one_result_represented_by_the_first(emoji_pixels: Gallery) -> None:
    data = emoji_pixels.dataset
    dark = data.ids.index("1F44D-1F3FF")
    found = emoji_pixels.search(emoji_pixels.features[dark : dark + 1], 20)[0]
    assert found[0].id == "1F44D"
    assert found[0].cosine == pytest.approx(1, abs=1e-3)
    groups = data.groups[[n.row for n in found]]
    assert groups.unique().numel() == 20


def test_the_querys_own_group_can_be_excluded(emoji_pixels: Gallery) -> None:
    data = emoji_pixels.dataset
    found = emoji_pixels.search(emoji_pixels.features[:1], 5000, [data.groups[:1].tolist()])[0]
    assert len(found) == 1910
    assert all(data.groups[n.row] != data.groups[0] for n in found)


def test_answers_from_chosen_images_are_those_of_a_search_of_all_without_the_rest(emoji_pixels: Gallery) -> None:
    data = emoji_pixels.dataset
    queries, among = emoji_pixels.features[:3], data.families == 3
    everything = emoji_pixels.search(queries, 1911)
    limited = emoji_pixels.search(queries, 6, [(), {int(data.groups[5])}, ()], among)
    wanted = [[each.row for each in found if data.families[each.row] == 3][:6] for found in everything]
    assert [[each.row for each in found] for found in limited] == wanted
    best = int(data.groups[limited[0][0].row])
    without = emoji_pixels.search(queries[:1], 5, [{best}], among)[0]
    assert [each.row for each in without] == wanted[0][1:]


def test_only_what_training_whitened_is_not_whitened_again(own_cache: Path) -> None:
    data = subset(load_dataset("emoji"), torch.arange(60))
    whitened = load_run("emoji-simclr-drawings")
    for run, in_training in ((whitened, True), (untrained_like(whitened), False), (load_run("emoji-simclr"), False)):
        found = run_gallery(run, data)
        plain = describe(run.method, data.images, run.size, torch.device("cpu"))
        centered = F.normalize(plain - plain[group_representatives(data)].mean(0), dim=1)
        assert torch.allclose(found.features, centered, atol=1e-3) == in_training
        assert torch.allclose(found.embedder(data.images[:3]), found.features[:3], atol=1e-3)


def test_features_are_cached(small_run: Path, own_cache: Path) -> None:
    run, data = load_run(str(small_run)), load_dataset("digits")
    calls: list[float] = []
    first = run_gallery(run, data, calls.append)
    assert calls
    assert calls[-1] == 1.0
    assert list((own_cache / "galleries").glob("digits-*.safetensors"))
    calls.clear()
    second = run_gallery(run, data, calls.append)
    assert not calls
    assert torch.equal(first.features, second.features)
    query = data.images[:3]
    assert torch.equal(first.embedder(query), second.embedder(query))


def test_who_comes_second_waits_and_computes_nothing(small_run: Path, own_cache: Path) -> None:
    run, data = load_run(str(small_run)), load_dataset("digits")
    calls: list[float] = []
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: run_gallery(run, data, calls.append), range(2))
    assert calls.count(1.0) == 1
    assert torch.equal(first.features, second.features)


def test_a_gallery_is_made_without_a_lock_where_the_cache_is_a_file(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "full").write_text("", encoding="utf-8")
    monkeypatch.setattr(gallery, "cache_dir", lambda: tmp_path / "full")
    run, data = load_run(str(small_run)), load_dataset("digits")
    assert len(run_gallery(run, data).features) == len(data)


def test_a_damaged_cache_is_computed_again(small_run: Path, own_cache: Path) -> None:
    run, data = load_run(str(small_run)), load_dataset("digits")
    run_gallery(run, data)
    for file in (own_cache / "galleries").glob("digits-*.safetensors"):
        file.write_bytes(b"damaged")
    assert run_gallery(run, data).features.shape[0] == len(data)


def test_a_large_set_is_searched_in_its_test_part(monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_dataset("fashion")
    monkeypatch.setattr(dataset_module, "MAX_FULL_GALLERY", 1000)
    gallery = pixel_gallery(data, 8)
    assert torch.equal(gallery.rows, data.test)
    row = int(data.test[7])
    found = gallery.search(gallery.feature(row), 4)[0]
    assert found[0].row == row
    assert all(n.row in data.test for n in found)
    answers = gallery.search(gallery.feature(row), 4, [{int(data.groups[row])}])[0]
    assert [n.row for n in answers][:3] == [n.row for n in found[1:]]


def test_pixels_of_a_large_set_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 images of 224 pixels would take 6 GB; a query is scaled like the gallery."""
    assert [pixel_side(32, 60_000), pixel_side(224, 10_000), pixel_side(224, 1_000_000)] == [32, 91, 9]
    data = subset(load_dataset("emoji"), torch.arange(200))
    monkeypatch.setattr("cl_core.networks.embedding.PIXELS_BYTES", 200 * 3 * 4 * 10.5**2)
    gallery = pixel_gallery(data, 64)
    assert gallery.features.shape == (200, 3 * 10 * 10)
    assert gallery.search(gallery.embedder(data.images[7:8]), 1)[0][0].cosine == pytest.approx(1, abs=1e-4)


def test_progress_counts_features_and_index(small_run: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("gallery", "vector_index"):
        monkeypatch.setattr(f"cl_core.explore.{module}.EXACT_UP_TO", 100)
    reported: list[float] = []
    run_gallery(load_run(str(small_run)), load_dataset("digits"), reported.append)
    assert reported == sorted(reported)
    assert 0 < reported[0] <= 0.5
    assert reported[-1] == 1


def test_search_by_group_equals_comparison_with_all_images(emoji_pixels: Gallery) -> None:
    data = emoji_pixels.dataset
    queries = emoji_pixels.features[[3, 700, 2000]]
    for query, found in zip(queries, emoji_pixels.search(queries, 30), strict=True):
        best: dict[int, float] = {}
        for group, cosine in zip(data.groups.tolist(), (emoji_pixels.features @ query).tolist(), strict=True):
            best[group] = max(best.get(group, -2), cosine)
        expected = sorted(best.values(), reverse=True)[:30]
        assert [n.cosine for n in found] == pytest.approx(expected, abs=1e-4)
        assert [n.cosine for n in found] == pytest.approx([best[int(data.groups[n.row])] for n in found], abs=1e-4)
