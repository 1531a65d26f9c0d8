"""Damage image files at random and decode them: each ends as an image or as a sentence, or this ends with exit code 1.

    python -m benchmarks.fuzz_images [--count N] [--seed S] [--only NUMBER]

Small sound files of all formats that Pillow writes here, in many modes and with many options, are the start. A mutation
flips bits, overwrites, cuts, inserts or repeats bytes, or edits a number of a header; checksums of a PNG are made right
again half of the time, so that damage reaches what lies behind them. `--only` repeats one mutation of a seed and shows
where an error other than `UserError` comes from. Too much memory or time fails as well. `2> /dev/null` silences libtiff.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import faulthandler
import io
import random
import struct
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin

from benchmarks.losses import peak_memory
from cl_core.data.decoding import decode_image, is_animated
from cl_core.data.image_limits import MAX_MEMORY, MAX_SECONDS
from cl_core.errors import UserError

SIZE = (24, 20)
NUMBERS = (*range(10), 16, 32, 127, 128, 255, 256, 4096, 32767, 32768, 65535, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
HEADER = 160  # bytes: most of the numbers that say how to read a file stand there, or in a TIFF at its end
GOOD = ("read", "refused")
PNG_START = b"\x89PNG\r\n\x1a\n"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """kind: read, refused, or what must not come. sentence: of a refusal or an error. memory: bytes the peak rose by."""

    kind: str
    sentence: str
    seconds: float
    memory: int


def _gradient() -> Image.Image:
    """RGBA with all kinds of values, also of transparency."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    return Image.fromarray(np.stack([x * 10, y * 12, (x * y) % 256, 255 - x * 5], axis=2).astype(np.uint8))


def _exif() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "a camera"
    exif[ExifTags.Base.XResolution] = 72.0
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] = 0.01
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (1.0, 2.0, 3.0)
    return exif.tobytes()


def _saved(image: Image.Image, format: str, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _interlaced(image: Image.Image) -> bytes:
    """A gray PNG in Adam7's seven passes, which Pillow reads but does not write."""
    values = np.asarray(image.convert("L"))
    rows = b""
    for y, x, down, across in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
        rows += b"".join(b"\0" + row.tobytes() for row in values[y::down, x::across])
    header = struct.pack(">IIBBBBB", *image.size, 8, 0, 0, 0, 1)
    return PNG_START + b"".join(
        _png_chunk(*chunk) for chunk in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )


def _run_lengths(bits: int) -> bytes:
    """A BMP in runs, with single pixels, a jump and ends of lines, which Pillow reads but does not write."""
    line = b"\x08\x11\x04\x22" + b"\x00\x04\x01\x02\x03\x04"[: 6 if bits == 8 else 4] + b"\x05\x33\x00\x00"
    data = line * 8 + b"\x00\x02\x03\x01" + line * 11 + b"\x00\x01"
    colors = bytes(range(256)) * 4 if bits == 8 else bytes(range(64))
    start = 54 + len(colors)
    head = struct.pack("<2sLHHL", b"BM", start + len(data), 0, 0, start)
    return head + struct.pack("<LllHHLLllLL", 40, *SIZE, 1, bits, 1 if bits == 8 else 2, len(data), 0, 0, 0, 0) + colors + data


def _png_text() -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "an image", zip=True)
    text.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')
    text.add_text("Raw profile type exif", "\nexif\n  8\n" + _exif().hex())
    return text


def _variants() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Format, mode and options of each file that Pillow is to write."""
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        yield "PNG", mode, {}
    yield "PNG", "P", {"transparency": 0, "bits": 4}
    yield "PNG", "RGB", {"transparency": (0, 0, 0), "exif": _exif(), "dpi": (72, 72)}
    yield "PNG", "L", {"pnginfo": _png_text()}
    yield "PNG", "RGBA", {"save_all": True, "append_images": [_gradient().rotate(90)], "blend": 1, "disposal": 1}
    for mode in ("L", "RGB", "CMYK"):
        yield "JPEG", mode, {}
        yield "JPEG", mode, {"progressive": True, "exif": _exif()}
    yield "JPEG", "RGB", {"subsampling": 0, "restart_marker_blocks": 1, "comment": "noted", "icc_profile": bytes(200)}
    yield "JPEG", "RGB", {"xmp": b'<x tiff:Orientation="8"/>', "optimize": True, "dpi": (72, 72)}
    yield "MPO", "RGB", {"save_all": True, "append_images": [_gradient().convert("RGB")], "exif": _exif()}
    for mode in ("1", "L", "P", "RGB"):
        yield "GIF", mode, {}
    yield "GIF", "P", {"transparency": 1, "interlace": 0, "comment": b"noted"}
    yield "GIF", "P", {"save_all": True, "append_images": [_gradient().convert("P")], "loop": 0, "disposal": 2, "duration": 40}
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield "BMP", mode, {}
    yield "WEBP", "RGB", {"exif": _exif(), "icc_profile": bytes(200)}
    yield "WEBP", "RGBA", {}
    yield "WEBP", "RGBA", {"lossless": True, "xmp": b'<x tiff:Orientation="8"/>'}
    yield "WEBP", "RGBA", {"save_all": True, "append_images": [_gradient().rotate(90)], "exif": _exif()}
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "I;16", "I;16B", "I", "F"):
        yield "TIFF", mode, {}
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma"):
        yield "TIFF", "RGB", {"compression": compression}
        yield "TIFF", "F", {"compression": compression}
    yield "TIFF", "I;16", {"compression": "tiff_lzw", "tiffinfo": {317: 2}}
    yield "TIFF", "RGB", {"compression": "jpeg", "tiffinfo": {ExifTags.Base.Orientation: 6}}
    yield "TIFF", "YCbCr", {"compression": "jpeg"}
    yield "TIFF", "1", {"compression": "group3"}
    yield "TIFF", "1", {"compression": "group4"}
    yield "TIFF", "RGB", {"exif": _exif(), "dpi": (72, 72), "big_tiff": True}
    yield "TIFF", "RGBA", {"save_all": True, "append_images": [_gradient()], "exif": _exif()}
    for other in ("AVIF", "DDS", "EPS", "ICO", "JPEG2000", "PCX", "PPM", "QOI", "SGI", "TGA"):  # to be refused
        yield other, "RGB", {}


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode.startswith("I;16"):
        wide = np.asarray(image.convert("L")).astype(np.uint16) * 257
        return Image.frombytes(mode, image.size, wide.astype(">u2" if mode.endswith("B") else "<u2").tobytes())
    if mode == "LAB":
        return Image.frombytes(mode, image.size, image.convert("RGB").tobytes())
    return image.convert("RGB").convert(mode) if mode in ("CMYK", "YCbCr", "P") else image.convert(mode)


def sound_files() -> dict[str, bytes]:
    """What the mutations start from, by name; the names of what is to be refused say so."""
    image = _gradient()
    files = {"PNG L interlaced": _interlaced(image), "BMP runs 8": _run_lengths(8), "BMP runs 4": _run_lengths(4)}
    for format, mode, options in _variants():
        name = " ".join([format, mode, *options])
        try:
            files[f"{name} {options.get('compression', '')}".strip()] = _saved(_in_mode(image, mode), format, options)
        except (OSError, KeyError):  # Pillow was built without this one
            print(f"Pillow writes no {name} here.", file=sys.stderr)
    return files


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _with_right_checksums(raw: bytes) -> bytes:
    """A PNG whose chunks, as far as their lengths go, have right checksums."""
    fixed, at = PNG_START, len(PNG_START)
    while at + 12 <= len(raw):
        end = at + 8 + int.from_bytes(raw[at : at + 4])
        if end + 4 > len(raw):
            break
        fixed += _png_chunk(raw[at + 4 : at + 8], raw[at + 8 : end])
        at = end + 4
    return fixed + raw[at:]


def _place(raw: bytes, random_: random.Random) -> int:
    """Half of the time in the header, or at the end, where a TIFF has its directory."""
    if random_.random() < 0.5:
        return random_.randrange(len(raw))
    near = random_.randrange(min(HEADER, len(raw)))
    return near if random_.random() < 0.7 else len(raw) - 1 - near


def _flip(raw: bytes, random_: random.Random) -> bytes:
    data = bytearray(raw)
    for _ in range(random_.randint(1, 8)):
        data[_place(raw, random_)] ^= 1 << random_.randrange(8)
    return bytes(data)


def _overwrite(raw: bytes, random_: random.Random) -> bytes:
    at, count = _place(raw, random_), random_.randint(1, 16)
    new = random_.randbytes(count) if random_.random() < 0.5 else bytes([random_.choice((0, 1, 127, 128, 255))]) * count
    return raw[:at] + new[: len(raw) - at] + raw[at + count :]


def _cut(raw: bytes, random_: random.Random) -> bytes:
    return raw[: random_.randrange(len(raw))]


def _insert(raw: bytes, random_: random.Random) -> bytes:
    at = _place(raw, random_)
    return raw[:at] + random_.randbytes(random_.randint(1, 32)) + raw[at:]


def _remove(raw: bytes, random_: random.Random) -> bytes:
    at = _place(raw, random_)
    return raw[:at] + raw[at + random_.randint(1, 32) :]


def _repeat(raw: bytes, random_: random.Random) -> bytes:
    """A stretch copied to another place: a chunk, a segment or a tag twice."""
    start, at = _place(raw, random_), _place(raw, random_)
    stretch = raw[start : start + random_.choice((2, 12, 20, 64, 256))]
    return raw[:at] + stretch + raw[at + random_.choice((0, len(stretch))) :]


def _edit_number(raw: bytes, random_: random.Random) -> bytes:
    """A 16- or 32-bit number of the header replaced."""
    at, size = _place(raw, random_) & ~1, random_.choice((2, 4))
    number = random_.choice(NUMBERS) % 2 ** (8 * size)
    return raw[:at] + number.to_bytes(size, random_.choice(("little", "big"))) + raw[at + size :]


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip,
    _overwrite,
    _cut,
    _insert,
    _remove,
    _repeat,
    _edit_number,
)


def mutated(files: dict[str, bytes], seed: int, number: int) -> tuple[str, bytes]:
    """The name of the file that a mutation starts from, and what it makes of it; the same each time."""
    random_ = random.Random(f"{seed} {number}")
    name = random_.choice(list(files))
    raw = files[name]
    for _ in range(random_.choice((1, 1, 1, 2, 3))):
        raw = random_.choice(MUTATIONS)(raw, random_) or b"\0"
    return name, _with_right_checksums(raw) if raw.startswith(PNG_START) and random_.random() < 0.5 else raw


def outcome(raw: bytes) -> Outcome:
    """What comes of decoding a file and asking whether it is animated."""
    kind, sentence, memory, began = "read", "", peak_memory(), time.perf_counter()
    try:
        decode_image(raw)
        is_animated(raw)
    except UserError as error:
        kind, sentence = "refused", str(error)
    except Exception as error:
        kind, sentence = type(error).__name__, traceback.format_exc()
    seconds, memory = time.perf_counter() - began, peak_memory() - memory
    if memory > 1.2 * MAX_MEMORY:
        kind = "too much memory"
    elif seconds > 2 * MAX_SECONDS:
        kind = "too much time"
    return Outcome(kind, sentence, seconds, memory)


def report(outcomes: Sequence[Outcome], names: Sequence[str], seed: int) -> None:
    """Print how often each kind of outcome came, how to repeat what must not come, and the slowest and the largest."""
    for kind, count in collections.Counter(each.kind for each in outcomes).most_common():
        print(f"  {count:>7,} {kind}")
    bad: dict[tuple[str, str], list[int]] = {}
    for number, (each, name) in enumerate(zip(outcomes, names, strict=True)):
        if each.kind not in GOOD:
            bad.setdefault((each.kind, name), []).append(number)
    for (kind, name), numbers in sorted(bad.items()):
        print(f"{kind}, from {name}: --seed {seed} --only {' or '.join(map(str, numbers[:5]))} ({len(numbers)} in all)")
    slowest = max(range(len(outcomes)), key=lambda i: outcomes[i].seconds)
    largest = max(range(len(outcomes)), key=lambda i: outcomes[i].memory)
    print(f"slowest: {outcomes[slowest].seconds:.2f} s, number {slowest}, from {names[slowest]}")
    print(f"largest: {outcomes[largest].memory / 1e6:.0f} MB above the peak before it, number {largest}, from {names[largest]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50_000, metavar="N", help="mutations (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="one mutation of the seed, its error in full")
    arguments = parser.parse_args()
    faulthandler.enable()  # a crash of the process itself would otherwise leave no trace
    files = sound_files()
    outcome(next(iter(files.values())))  # what the first one loads is no part of its memory
    if arguments.only is not None:
        name, raw = mutated(files, arguments.seed, arguments.only)
        found = outcome(raw)
        print(f"{name}, {len(raw):,} bytes: {found.kind}, {found.seconds:.2f} s, {found.memory / 1e6:.0f} MB\n{found.sentence}")
        return int(found.kind not in GOOD)
    began, names, outcomes = time.perf_counter(), [], []
    for number in range(arguments.count):
        name, raw = mutated(files, arguments.seed, number)
        names.append(name)
        outcomes.append(outcome(raw))
    print(f"{arguments.count:,} mutations of {len(files)} files, seed {arguments.seed}, {time.perf_counter() - began:.0f} s")
    report(outcomes, names, arguments.seed)
    return int(any(each.kind not in GOOD for each in outcomes))


if __name__ == "__main__":
    sys.exit(main())
