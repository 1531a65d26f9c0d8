"""Image files made for the tests of decoding: sound, damaged, and larger than they look."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def half_and_half(width: int = 32, height: int = 32) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image


def png(width: int, height: int, bits: int, color: int, pixels: bytes, animation: bytes = b"") -> bytes:
    """A PNG with the stated size; pixels: compressed; animation: chunks before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + animation
    return start + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(width: int, height: int) -> bytes:
    """A PNG that states a large size but holds few pixels."""
    return png(width, height, 8, 2, zlib.compress(b"\0" * 100))


def large_png(side: int, bits: int, color: int, channels: int) -> bytes:
    """A large PNG of one color, compressed row by row to save memory."""
    packer = zlib.compressobj(1)
    row = b"\0" + bytes([117]) * (side * channels * bits // 8)
    return png(side, side, bits, color, b"".join(packer.compress(row) for _ in range(side)) + packer.flush())


def animated_png(side: int) -> bytes:
    """An animated PNG whose first frame is replaced by the background, which Pillow allocates on opening."""
    control = struct.pack(">IIIIIHHBB", 0, side, side, 0, 0, 1, 1, 1, 0)
    animation = png_chunk(b"acTL", struct.pack(">II", 2, 0)) + png_chunk(b"fcTL", control)
    return png(side, side, 8, 6, zlib.compress(b"\0" * 100), animation)


def directory(*tags: tuple[int, int, int, int]) -> bytes:
    """Header and first directory of a TIFF; tags: number, type, count and value."""
    entries = b"".join(struct.pack("<HHLL", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<LH", 8, len(tags)) + entries + bytes(4)


def overlapping_tags(size: int, count: int) -> bytes:
    """A TIFF of `size` bytes and 16 x 16 pixels with many tags that each claim almost the whole file."""
    layout = [(256, 3, 1, 16), (257, 3, 1, 16), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, size - 300)]
    many = [(40_000 + i, 7, size - 8, 8) for i in range(count)]
    return directory(*layout, (277, 3, 1, 1), (278, 3, 1, 16), (279, 4, 1, 256), *many).ljust(size, b"\0")


def in_segments(exif: bytes) -> bytes:
    """A JPEG with EXIF data split over segments."""
    parts = [b"Exif\0\0" + exif[at : at + 65_000] for at in range(0, len(exif), 65_000)]
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part for part in parts)
    raw = saved(half_and_half(), "JPEG")
    return raw[:2] + segments + raw[2:]


def left_and_right(image: Image.Image) -> tuple[tuple[int, ...], tuple[int, ...]]:
    values = np.asarray(image, dtype=int)
    middle = values.shape[0] // 2
    return tuple(values[middle, 2].tolist()), tuple(values[middle, -3].tolist())


def close(a: tuple[int, ...], b: tuple[int, ...], tolerance: int = 40) -> bool:
    return all(abs(x - y) <= tolerance for x, y in zip(a, b, strict=True))


def many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    raw = saved(Image.new("L", (64, 64), 100), "JPEG", progressive=True)
    return raw[:-2] + raw[raw.rindex(b"\xff\xda") : -2] * count + raw[-2:]


def in_runs(width: int, height: int, runs: bytes) -> bytes:
    """A run-length encoded BMP."""
    head = struct.pack("<2sLHHL", b"BM", 1078 + len(runs), 0, 0, 1078)
    return head + struct.pack("<LllHHLLllLL", 40, width, height, 1, 8, 1, len(runs), 0, 0, 0, 0) + bytes(1024) + runs


def tiled(*sides: int) -> bytes:
    """A TIFF of 16 x 16 pixels in one compressed tile with the stated sides."""
    layout = [(256, 3, 1, 16), (257, 3, 1, 16), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)]
    tiles = [(tag, 4, 1, side) for side in sides for tag in (322, 323)]
    pixels = zlib.compress(bytes(1000))
    return directory(*layout, *tiles, (324, 4, 1, 300), (325, 4, 1, len(pixels))).ljust(300, b"\0") + pixels
