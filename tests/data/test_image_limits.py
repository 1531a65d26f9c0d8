"""Limits of image files: memory, time, scans and repeated tags."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from cl_core.data import image_limits
from cl_core.data.decoding import decode_image
from cl_core.errors import UserError
from tests.data.image_files import (
    animated_png,
    half_and_half,
    in_runs,
    in_segments,
    large_png,
    many_scans,
    overlapping_tags,
    saved,
    tiled,
)

MEASURED = """
import json, os, signal, sys, threading
from pathlib import Path
from benchmarks.losses import peak_memory
from cl_core.data.decoding import decode_image
from cl_core.errors import UserError

def decode(file):
    try:
        decode_image(file)
    except UserError:
        pass

decode(Path(sys.argv[1]))  # imports of Pillow and numpy
before, rises = peak_memory(), {}
for file in map(Path, sys.argv[2:]):
    decode(file)
    rises[file.stem] = peak_memory() - before
threads = [threading.Thread(target=decode, args=[Path(sys.argv[2])]) for _ in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
rises["five at once"] = peak_memory() - before
child = os.fork()
if child == 0:
    signal.alarm(30)
    decode_image(Path(sys.argv[1]))
    os._exit(7)
print(json.dumps({"rises": rises, "child": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}))
"""


@pytest.mark.slow
def test_memory_is_bounded(tmp_path: Path) -> None:
    """Without bounds: 1.6 GB for 64 million pixels of 16 bits, 7.3 GB for five at once, 0.8 GB for 2 MB of overlapping tags.

    A forked child process, which does not inherit the decoder thread, decodes too.
    """
    files = {
        "small": saved(half_and_half(), "PNG"),
        "16 bits": large_png(8000, 16, 0, 1),
        "RGBA": large_png(8000, 8, 6, 4),
        "animated": animated_png(20_000),
        "tags": overlapping_tags(1_000_000, 400),
        "EXIF": in_segments(overlapping_tags(1_000_000, 400)),
    }
    for name, raw in files.items():
        (tmp_path / f"{name}.png").write_bytes(raw)
    command = [sys.executable, "-c", MEASURED, *(str(tmp_path / f"{name}.png") for name in files)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = json.loads(run.stdout)
    assert {name: rise for name, rise in found["rises"].items() if not 0 < rise < 300e6} == {}
    assert found["rises"]["16 bits"] < 200e6
    assert found["child"] == 7


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (saved(Image.new("RGB", (6000, 6000)), "WEBP", lossless=True, method=0), "takes 720 MB of memory to decode"),
        (in_runs(2_000_000, 8, b"\0\2\0\xff\0\1"), "MB of memory to decode"),
        (tiled(40_000), "takes 1,600 MB of memory to decode"),
        (tiled(40_000, 16), "a tag occurs twice"),
        (many_scans(60), "is a JPEG of 66 scans, and at most 50 are read"),
    ],
    ids=["WebP", "BMP that jumps", "TIFF's tile", "TIFF's tile twice", "JPEG's scans"],
)
def test_costly_files_raise_user_error(raw: bytes, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        decode_image(raw)


def test_slow_file_raises_user_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow concatenates the parts of a GIF comment one by one, in quadratic time."""
    raw = saved(half_and_half().convert("P"), "GIF")
    frame = raw.index(b",\0\0\0\0")
    slow = raw[:frame] + b"!\xfe" + (b"\xff" + b"a" * 255) * 20_000 + b"\0" + raw[frame:]
    monkeypatch.setattr(image_limits, "MAX_SECONDS", 0.05)
    with pytest.raises(UserError, match="decoding takes more than"):
        decode_image(slow)
