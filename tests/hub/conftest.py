"""A Hub on loopback, this process as a client of it, and encoders in timm's layout to put there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import timm
import torch
from timm.models import save_for_hf

from tests.hub.server import WRITER, Hub, serving


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """An empty Hub; the client has a token that may write, and nothing pulled yet."""
    monkeypatch.setenv("CL_CACHE_DIR", str(tmp_path / "cache"))
    for module in ("runs.hub_cache", "system.paths", "runs.feature_cache", "explore.gallery", "explore.projection"):
        monkeypatch.setattr(f"cl_core.{module}.cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setenv("HF_TOKEN", WRITER)
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", server.endpoint)
        template = server.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        # The server takes large files by the Hub's older way, git-lfs.
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
        yield server


def files_of(folder: Path) -> dict[str, bytes]:
    """The files of a run as a repository holds them."""
    names = ("run.json", "metrics.jsonl", "model.safetensors", "snapshots.safetensors")
    return {name: (folder / name).read_bytes() for name in names}


SIDE = 32  # pixels, of what the toys were "trained" on


def in_layout(folder: Path, architecture: str, side: int = SIDE, **options: Any) -> None:
    """Write to `folder` what timm itself publishes of a model; here one with random weights, for images of `side` pixels."""
    torch.manual_seed(7)
    model = timm.create_model(architecture, pretrained=False, **options)
    with torch.no_grad():  # statistics as a trained network has them
        for each in model.modules():
            if isinstance(each, torch.nn.BatchNorm2d):
                each.running_mean.normal_(0, 0.1)
                each.running_var.uniform_(0.5, 1.5)
    model.pretrained_cfg = model.pretrained_cfg | {"input_size": (3, side, side), "crop_pct": 0.8, "license": "mit", "tag": "toy"}
    save_for_hf(model, folder, safe_serialization=True)


@pytest.fixture(scope="session")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resnet")
    in_layout(folder, "resnet10t", num_classes=5)
    return folder


@pytest.fixture(scope="session")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vit")
    in_layout(folder, "test_vit", num_classes=0, img_size=SIDE)
    return folder


def published(folder: Path) -> dict[str, bytes]:
    """The files that `in_layout` wrote."""
    return {name: (folder / name).read_bytes() for name in ("config.json", "model.safetensors")}
