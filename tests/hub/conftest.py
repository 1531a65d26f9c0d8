"""A Hub on loopback, and this process as a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest

from tests.hub.server import WRITER, Hub, serving


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """An empty Hub; the client has a token that may write, and nothing pulled yet."""
    monkeypatch.setenv("CL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("cl_core.hub.pulled.cache_dir", lambda: tmp_path / "cache")
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
