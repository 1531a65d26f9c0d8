"""Image files in a zip archive."""

from __future__ import annotations

import bz2
import functools
import io
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from cl_core.data.decoding import MAX_BYTES
from cl_core.data.entries import CHUNK, DAMAGE, MAX_DICTIONARY, ImageFile, entry, is_image, too_large
from cl_core.errors import UserError, quoted

MAX_VERSION = 63  # of the zip format, times ten, that Python's `ZipFile` takes
ENCRYPTED, UTF_8 = 0x1, 0x800  # flags of an entry in a zip archive


class _Unpacker(Protocol):
    """zlib's, bzip2's and xz's decompressors."""

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Stored:
    eof = False

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return data[:max_length]


UNPACKERS: dict[int, Callable[[], _Unpacker]] = {
    zipfile.ZIP_STORED: _Stored,
    zipfile.ZIP_DEFLATED: lambda: zlib.decompressobj(-zlib.MAX_WBITS),
    zipfile.ZIP_BZIP2: bz2.BZ2Decompressor,
    zipfile.ZIP_LZMA: lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, MAX_DICTIONARY),
}


class _Mended(io.BufferedReader):
    """A zip archive in whose list of entries no entry keeps `ZipFile` from reading the others."""

    def read(self, size: int | None = -1, /) -> bytes:
        return _mended(super().read(size))


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _mended(entries: bytes) -> bytes:
    """Change the entries that `ZipFile` would stumble over; other bytes than a list of entries stay as they are.

    A name that is marked as UTF-8 and is not is taken for one in zip's older encoding, in which every byte is a character.
    """
    mended, at = bytearray(entries), 0
    while entries[at : at + 4] == b"PK\1\2" and at + 46 <= len(entries):
        (flags,) = struct.unpack_from("<H", entries, at + 8)
        sizes = struct.unpack_from("<II", entries, at + 20)
        name_length, extra_length, comment_length = struct.unpack_from("<3H", entries, at + 28)
        offset = struct.unpack_from("<I", entries, at + 42)
        extra = at + 46 + name_length
        if flags & UTF_8 and not _is_utf8(entries[at + 46 : extra]):
            struct.pack_into("<H", mended, at + 8, flags & ~UTF_8)
        mended[at + 6] = min(mended[at + 6], MAX_VERSION)
        if not _is_sound(entries[extra : extra + extra_length], 8 * (*sizes, *offset).count(0xFFFF_FFFF)):
            mended[extra : extra + extra_length] = bytes(extra_length)
        at = extra + extra_length + comment_length
    return bytes(mended)


def _is_sound(extra: bytes, needed: int) -> bool:
    """Whether the extra fields of an entry are whole. needed: bytes of those that hold large sizes."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if at + 4 + length > len(extra) or (kind == 1 and length < needed):
            return False
        at += 4 + length
    return True


def _list_zip(path: Path) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except DAMAGE:
        with _Mended(path.open("rb", buffering=0)) as file, zipfile.ZipFile(file) as archive:
            return archive.infolist()


def _packed(file: BinaryIO, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """An entry as it lies in the archive, in pieces."""
    left = info.compress_size
    if info.compress_type == zipfile.ZIP_LZMA:  # from zip's own head to that of a .lzma file of unknown size
        head = file.read(9)
        left -= len(head)
        yield head[4:] + b"\xff" * 8
    while left > 0 and (piece := file.read(min(left, CHUNK))):
        left -= len(piece)
        yield piece


def _read_zipped(file: BinaryIO, info: zipfile.ZipInfo, name: str) -> bytes:
    """What an entry holds, unpacked in pieces: `ZipFile.open` would unpack a few bytes of bzip2 to gigabytes at once."""
    if info.flag_bits & ENCRYPTED:
        raise UserError(f"{quoted(name)} is encrypted; pack it without a password.")
    if info.compress_type not in UNPACKERS:
        method = f"method {info.compress_type}"
        raise UserError(f"{quoted(name)} is compressed in a way that is not read ({method}); pack it with deflate.")
    file.seek(info.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\3\4":
        raise zipfile.BadZipFile("it is not where the archive says")
    file.seek(sum(struct.unpack("<HH", header[26:])), os.SEEK_CUR)
    unpacker, content = UNPACKERS[info.compress_type](), bytearray()
    for piece in _packed(file, info):
        content += unpacker.decompress(piece, MAX_BYTES + 1 - len(content))
        if unpacker.eof or len(content) > MAX_BYTES:
            break
    if len(content) > MAX_BYTES:
        raise too_large(name)
    if (len(content), zlib.crc32(content)) != (info.file_size, info.CRC):
        raise zipfile.BadZipFile("its size or checksum is not what the archive states")
    return bytes(content)


def from_zip(path: Path) -> Iterator[ImageFile | None]:
    entries = _list_zip(path)
    with path.open("rb") as file:
        for at, info in enumerate(entries):
            inside = PurePosixPath(info.filename)
            if info.filename.endswith("/") or not is_image(inside):
                yield None
            else:
                yield entry(inside, functools.partial(_read_zipped, file, info), at / len(entries))
