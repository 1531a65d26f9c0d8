"""Folders of colored images for the tests of imports."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from cl_core.data.imported import imported_dir

COLORS = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250)}


def image(color: str, size: tuple[int, int] = (20, 20), kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, COLORS[color]).save(buffer, kind)
    return buffer.getvalue()


FILES = {
    "photos/train/red/b.png": image("red"),
    "photos/train/red/a.jpg": image("red", kind="JPEG"),
    "photos/train/green/0.png": image("green"),
    "photos/test/green/0.png": image("green"),
    "photos/test/blue/0.png": image("blue"),
    "photos/train/green/notes.txt": b"not an image, and not meant to be one",
    "photos/train/red/.hidden.png": image("blue"),
    "__MACOSX/photos/train/red/b.png": b"metadata that macOS adds to archives",
}


def files_of(name: str = "mine") -> dict[str, bytes]:
    """The files of an imported data set."""
    return {file.name: file.read_bytes() for file in (imported_dir() / name).iterdir() if file.name != ".lock"}


def image_folder(color: str, count: int, root: Path, folder: str = "") -> Path:
    """A folder with `count` images of a color."""
    below = root / color / folder
    below.mkdir(parents=True)
    for i in range(count):
        (below / f"{i:03}.png").write_bytes(image(color, (8, 8)))
    return root / color


def as_folder(root: Path) -> Path:
    for name, content in FILES.items():
        file = root / "folder" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return root / "folder"
