"""Data sets, imports and visitors for the tests of the tab Images."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import torch
from PIL import Image

from cl_core.data.imported import Description, write_imported
from cl_core.imports.jobs import ImportJob
from cl_core.ui.access import COOKIE, Access, Options

KEY = bytes(32)
STRANGERS, LOCAL = Access(Options(host="0.0.0.0"), KEY), Access(Options(), KEY)


def request(cookie: str) -> gr.Request:
    return gr.Request(SimpleNamespace(cookies={COOKIE: cookie}), username=None)  # type: ignore[arg-type]


def store(name: str, labels: list[int], train: int = 0, owner: str = "", classes: list[str] | None = None) -> None:
    """A data set of noise, each image another."""
    pixels = torch.randint(256, (len(labels), 3, 32, 32), generator=torch.Generator().manual_seed(len(labels))).byte()
    if train:
        pixels[-1] = pixels[0]  # a leak
    described = Description(
        title=f"Title of {name}",
        license="mine",
        classes=["a", "b"] if classes is None else classes,
        names=[f"image {i}" for i in range(len(labels))],
        train=train or len(labels),
    )
    write_imported(name, pixels, torch.tensor(labels), described, owner)


def folder_of_images(root: Path, count: int = 6) -> Path:
    folder = root / "photos"
    folder.mkdir()
    for i in range(count):
        Image.new("RGB", (24, 24), (40 * i, 90, 200)).save(folder / f"{i}.png")
    return folder


def ended(job: ImportJob) -> ImportJob:
    until = time.monotonic() + 60
    while job.active:
        assert time.monotonic() < until
        time.sleep(0.05)
    return job
