"""Damaged and malicious archives: intact entries are read one at a time, others raise a `UserError`."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import re
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from cl_core.data import archives
from cl_core.data.archives import read_images
from cl_core.errors import UserError, quoted, readable
from tests.conftest import ROOT

BAD = "a/bad.png"  # the modified entry; the other three are intact


def image(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.frombytes("L", (20, 20), random.Random(seed).randbytes(400)).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(path: Path, compression: int = zipfile.ZIP_STORED, content: bytes | None = None) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name in ("a/0.png", BAD, "b/1.png", "b/2.png"):
            archive.writestr(name, content if content is not None and name == BAD else image())
    return path


def with_fields(path: Path, local: int | None, central: int | None, layout: str, value: int) -> Path:
    """Set a field of `BAD` in its local header and in the central directory of a zip archive, where an offset is given."""
    raw = bytearray(path.read_bytes())
    for offset, length, name_at in ((local, 30, raw.find(BAD.encode())), (central, 46, raw.rfind(BAD.encode()))):
        if offset is not None:
            struct.pack_into(layout, raw, name_at - length + offset, value)
    path.write_bytes(raw)
    return path


def renamed(path: Path, name: bytes) -> Path:
    assert len(name) == len(BAD)
    path.write_bytes(path.read_bytes().replace(BAD.encode(), name))
    return path


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, size: int | None = None) -> bytes:
    """An entry of a tar archive with the stated `size`."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content) if size is None else size
    return info.tobuf(tarfile.GNU_FORMAT, "latin-1") + content + bytes(-len(content) % 512)


def with_checksum(header: bytes) -> bytes:
    """A modified tar header with its checksum corrected."""
    blank = header[:148] + b" " * 8 + header[156:]
    return header[:148] + b"%06o\0 " % sum(blank) + header[156:]


SOUND = b"".join(member(f"a/{i}.png", image(i)) for i in range(3)) + bytes(1024)


def read_all(path: Path) -> tuple[list[str], list[str]]:
    """Names of the readable images, and the messages for the others."""
    names, problems = [], []
    for file in read_images(path):
        try:
            content = file.read()
        except UserError as error:
            problems.append(str(error))
        else:
            assert len(Image.open(io.BytesIO(content)).tobytes()) == 400
            names.append(file.name)
    return names, problems


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: with_fields(zipped(p), 6, 8, "<H", 1), r"bad\.png is encrypted; pack it without a password\."),
        (lambda p: with_fields(zipped(p), 8, 10, "<H", 99), r"bad\.png is compressed with method 99, which is not supported"),
        (lambda p: with_fields(zipped(p), 14, 16, "<I", 123), "its size or checksum does not match the index of the archive"),
        (lambda p: with_fields(zipped(p, 8), 22, 24, "<I", 10), "its size or checksum does not match the index of the archive"),
        (lambda p: with_fields(zipped(p, 8), 22, 24, "<I", 40_000_000), "its size or checksum does not match"),
        (lambda p: with_fields(zipped(p, 8), 18, 20, "<I", 20), "its size or checksum does not match"),
        (lambda p: with_fields(zipped(p), 18, 20, "<I", 40_000_000), "its size or checksum does not match"),
        (lambda p: with_fields(zipped(p), None, 42, "<I", 5), "its position does not match the index of the archive"),
        (lambda p: with_fields(zipped(p, 8), 8, 10, "<H", zipfile.ZIP_BZIP2), r"bad\.png cannot be read \(.*: it may be cut off"),
        (lambda p: with_fields(zipped(p, 8), 8, 10, "<H", zipfile.ZIP_LZMA), r"bad\.png cannot be read \(.*: it may be cut off"),
        (lambda p: zipped(p, 8, bytes(archives.MAX_BYTES + 1)), r"bad\.png is larger than 50 MB; save it smaller\."),
    ],
    ids=["encrypted", "method", "checksum", "short", "long", "cut", "past the end", "place", "bzip2", "lzma", "large"],
)
def test_damaged_zip_entry_is_skipped(make: Callable[[Path], Path], message: str, tmp_path: Path) -> None:
    names, problems = read_all(make(tmp_path / "x.zip"))
    assert names == ["0.png", "1.png", "2.png"]
    assert len(problems) == 1
    assert re.search(message, problems[0])


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_compression_methods(compression: int, tmp_path: Path) -> None:
    assert read_all(zipped(tmp_path / "x.zip", compression)) == (["0.png", "bad.png", "1.png", "2.png"], [])


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda p: renamed(with_fields(zipped(p), 6, 8, "<H", 0x800), b"a/b\xe9d.png"), "bΘd.png"),
        (lambda p: with_fields(zipped(p), 4, 6, "<H", 99), "bad.png"),
        (lambda p: _with_extra(p), "bad.png"),
    ],
    ids=["name", "version", "extra field"],
)
def test_damaged_zip_directory_is_repaired(make: Callable[[Path], Path], name: str, tmp_path: Path) -> None:
    assert read_all(make(tmp_path / "x.zip")) == (["0.png", name, "1.png", "2.png"], [])


def _with_extra(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a/0.png", BAD, "b/1.png", "b/2.png"):
            info = zipfile.ZipInfo(name)
            info.extra = struct.pack("<HHI", 0x7777, 4, 0)
            archive.writestr(info, image())
    raw = bytearray(path.read_bytes())
    struct.pack_into("<HH", raw, raw.rfind(BAD.encode()) + len(BAD), 0x7777, 9_999)
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (member("a/bad.png", b"x", size=-256), r"bad\.png cannot be read \(its size is negative\)"),
        (member("a/" + "b" * 2_000 + ".png"), r"b{40}…b+\.png has a path of more than 1,000 characters; give it a shorter one"),
    ],
    ids=["negative size", "long name"],
)
def test_damaged_tar_entry_is_skipped(entry: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(entry[: -512 if b"\xff" * 8 in entry else None] + SOUND)
    names, problems = read_all(tmp_path / "x.tar")
    assert names == ["0.png", "1.png", "2.png"]
    assert len(problems) == 1
    assert re.search(message, problems[0])


def test_too_large_tar_entry_is_skipped(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "x.tar.gz", "wb", compresslevel=1) as archive:
        archive.write(member("a/bad.png", bytes(archives.MAX_BYTES + 1)) + SOUND)
    assert read_all(tmp_path / "x.tar.gz") == (["0.png", "1.png", "2.png"], ["bad.png is larger than 50 MB; save it smaller."])


def _lzma_alone(content: bytes, dictionary: int) -> bytes:
    packed = bytearray(lzma.compress(content, lzma.FORMAT_ALONE))
    struct.pack_into("<I", packed, 1, dictionary)
    return bytes(packed)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (SOUND[:-1024], "its end marker is missing"),
        (SOUND[:1700], "unexpected end of data"),
        (member("a/0.png", image()) + b"x" * 512 + SOUND, "its end marker is missing"),
        (gzip.compress(SOUND)[:-400], "ended before the end-of-stream marker"),
        (bz2.compress(SOUND)[:-400], "ended before the end-of-stream marker"),
        (lzma.compress(SOUND)[:-400], "it ends too early"),
        (_lzma_alone(SOUND, 0x6000_0000), "Memory usage limit exceeded"),
        (member("x", b"12 path=a.b\n", tarfile.XHDTYPE) * 2_000 + SOUND, "recursion"),
        (member("x", bytes(500_000), tarfile.XHDTYPE) * 9 + SOUND, "the header of an entry is too large"),
        (member("a/0.png", image(), size=1 << 40) + SOUND, "unexpected end of data"),
    ],
    ids=["no end", "cut", "damaged header", "gzip", "bzip2", "xz", "dictionary", "chain", "headers", "large size"],
)
def test_damaged_tar_archive_raises_user_error(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(UserError, match=rf"x\.tar cannot be read \(.*{reason}.*\): it may be cut off or damaged"):
        read_all(tmp_path / "x.tar")


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["plain", "gzip", "bzip2", "xz"])
def test_tar_compression_methods(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(pack(SOUND[:1000]) + bytes(8 if pack is lzma.compress else 0) + pack(SOUND[1000:]))
    assert read_all(tmp_path / "x") == (["0.png", "1.png", "2.png"], [])
    fractions = [file.fraction for file in read_images(tmp_path / "x")]
    assert fractions == sorted(fractions)
    assert all(0 <= fraction <= 1 for fraction in fractions)


def test_readable_and_quoted_names() -> None:
    assert readable("Blüte 花 🌸.png") == "Blüte 花 🌸.png"
    assert readable(b"caf\xe9".decode(errors="surrogateescape") + "\n\x1b[31m") == "caf\ufffd\ufffd\ufffd[31m"
    assert quoted("a" * 80) == "a" * 80
    assert quoted("a" * 50 + "b" * 50) == "a" * 40 + "…" + "b" * 39
    assert quoted("a\n  b") == "a b"
    assert quoted("x" * 10_000_000) == quoted("x" * 500)


def test_invalid_source_raises_user_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UserError, match=r"pipe\.png is neither a folder nor a zip or tar archive"):
        next(read_images(tmp_path / "pipe.png"))
    with pytest.raises(UserError, match=r"…x+\.png cannot be read \(File name too long\)"):
        next(read_images(tmp_path / ("x" * 5_000 + ".png")))


def test_symbolic_links_in_folder(tmp_path: Path) -> None:
    """Linked files are read; circular and broken links and special files are skipped."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "outside.png").write_bytes(image())
    (folder / "1.png").symlink_to(tmp_path / "outside.png")
    (folder / "2.png").symlink_to(folder / "2.png")
    (folder / "3.png").symlink_to("nowhere")
    (folder / "4.png").symlink_to("/dev/zero")
    (folder / "again").symlink_to(folder)
    os.mkfifo(folder / "5.png")
    names, problems = read_all(folder)
    assert names == ["1.png"]
    assert [problem[:20] for problem in sorted(problems)] == ["2.png cannot be read", "3.png cannot be read"]


def test_limits_of_images_and_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for i in range(20):
            archive.writestr(f"{i}.txt", b"")
        archive.writestr("0.png", image())
    (tmp_path / "x.tar").write_bytes(SOUND)
    monkeypatch.setattr(archives, "MAX_FILES", 2)
    with pytest.raises(UserError, match=r"x\.tar holds more than 2 images; split it into smaller parts"):
        read_all(tmp_path / "x.tar")
    with pytest.raises(UserError, match=r"x\.zip holds more than 8 entries; split it into smaller parts"):
        read_all(tmp_path / "x.zip")


MEASURED = """
import sys
from pathlib import Path
from cl_core.data.imported import read_imported
from cl_core.data.importing import import_images
from cl_core.errors import UserError, quoted, readable

def memory(line):
    return next(int(each.split()[1]) for each in Path("/proc/self/status").read_text().splitlines() if each.startswith(line))

for i, path in enumerate(sys.argv[1:]):
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak
    before, images = memory("VmRSS"), 0
    try:
        import_images(f"x{i}", Path(path))
        images = len(read_imported(f"x{i}"))
    except UserError as error:
        assert "the header of an entry is too large" in str(error)
    print(images, (memory("VmHWM") - before) // 1000, flush=True)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is measured as Linux does")
@pytest.mark.slow
def test_no_archive_takes_much_memory(own_cache: Path, tmp_path: Path) -> None:
    """Kilobytes that stand for hundreds of megabytes: of files, of a name, of a file's holes, of one file in bzip2."""
    block = gzip.compress(member("a/bad.png", bytes(8_000_000)), 1)
    with (tmp_path / "zeros.tar.gz").open("wb") as archive:
        for _ in range(40):
            archive.write(block)
        archive.write(gzip.compress(SOUND))
    with (tmp_path / "name.tar.gz").open("wb") as archive:
        archive.write(gzip.compress(member("x", kind=tarfile.GNUTYPE_LONGNAME, size=40 * 8_192_000)))
        block = gzip.compress(b"a" * 8_192_000, 1)
        for _ in range(40):
            archive.write(block)
        archive.write(gzip.compress(member("a/bad.png") + SOUND))
    with (tmp_path / "holes.tar.gz").open("wb") as archive:
        header = bytearray(member("a/bad.png", kind=tarfile.GNUTYPE_SPARSE))
        header[482], header[483:495] = 1, b"00000000000\0"
        archive.write(gzip.compress(with_checksum(bytes(header))))
        block = gzip.compress(((b"00000001000\0" + b"00000000001\0") * 21 + b"\1").ljust(512, b"\0") * 10_000, 1)
        for _ in range(20):
            archive.write(block)
    bomb = _bzip2_bomb()
    with zipfile.ZipFile(tmp_path / "bzip2.zip", "w") as zip_archive:
        zip_archive.writestr("a/0.png", image())
        zip_archive.writestr("a/1.png", image())
        zip_archive.writestr(BAD, bomb)
    with_fields(tmp_path / "bzip2.zip", 8, 10, "<H", zipfile.ZIP_BZIP2)
    paths = [str(tmp_path / name) for name in ("zeros.tar.gz", "name.tar.gz", "holes.tar.gz", "bzip2.zip")]
    assert all(Path(path).stat().st_size < 10_000_000 for path in paths)
    done = subprocess.run([sys.executable, "-c", MEASURED, *paths], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    images, megabytes = zip(*(map(int, line.split()) for line in done.stdout.splitlines()), strict=True)
    assert max(megabytes) < 250, megabytes
    assert images == (3, 3, 0, 2)


def _bzip2_bomb() -> bytes:
    """400 MB of zeros."""
    packer = bz2.BZ2Compressor()
    return b"".join([*(packer.compress(bytes(50_000_000)) for _ in range(8)), packer.flush()])


def test_random_damage_raises_user_errors_only(tmp_path: Path) -> None:
    """A few random bytes of an archive are changed."""
    rng = random.Random(0)
    kinds = [SOUND, gzip.compress(SOUND), bz2.compress(SOUND), lzma.compress(SOUND)]
    kinds += [zipped(tmp_path / "x", method).read_bytes() for method in (0, 8, 12, 14)]
    outcomes: set[object] = set()
    for _ in range(1_500):
        kind = rng.randrange(len(kinds))
        raw = bytearray(kinds[kind])
        for _ in range(rng.choice([1, 1, 2, 5])):
            raw[rng.randrange(len(raw))] = rng.choice([0, 1, 0x7F, 0xFF, rng.randrange(256)])
        if kind == 0:
            for at in range(0, len(raw) - 512, 512):
                if raw[at + 257 : at + 262] == b"ustar":
                    raw[at : at + 512] = with_checksum(bytes(raw[at : at + 512]))
        (tmp_path / "x").write_bytes(raw)
        try:
            for file in read_images(tmp_path / "x"):
                try:
                    outcomes.add(zlib.crc32(file.read()) != 0)
                except UserError as error:
                    outcomes.add("left out")
                    assert "\n" not in str(error)
        except UserError as error:
            outcomes.add("refused")
            assert "\n" not in str(error)
    assert outcomes == {True, "left out", "refused"}
