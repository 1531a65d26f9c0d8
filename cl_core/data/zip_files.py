"""Image files of a zip archive."""

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

from cl_core.data.entries import ARCHIVE_ERRORS, CHUNK, MAX_DICTIONARY, ImageFile, image_file, is_image
from cl_core.data.image_limits import MAX_BYTES, DamagedError, too_large
from cl_core.errors import UserError, quoted

MAX_VERSION = 63  # of the zip format, times ten, that `ZipFile` supports
ENCRYPTED, UTF_8 = 0x1, 0x800  # flags of an entry


class _Decompressor(Protocol):
    """Common interface of the decompressors of zlib, bz2 and lzma."""

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Stored:
    eof = False

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return data[:max_length]


DECOMPRESSORS: dict[int, Callable[[], _Decompressor]] = {
    zipfile.ZIP_STORED: _Stored,
    zipfile.ZIP_DEFLATED: lambda: zlib.decompressobj(-zlib.MAX_WBITS),
    zipfile.ZIP_BZIP2: bz2.BZ2Decompressor,
    zipfile.ZIP_LZMA: lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, MAX_DICTIONARY),
}


class _RepairedFile(io.BufferedReader):
    """A zip archive whose central directory is repaired on reading, so that `ZipFile` can list it."""

    def read(self, size: int | None = -1, /) -> bytes:
        return _repair_directory(super().read(size))


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _repair_directory(entries: bytes) -> bytes:
    """Repair the entries of a central directory that `ZipFile` cannot parse; other bytes are returned unchanged.

    A name that is marked as UTF-8 but is not valid is read as code page 437, the original encoding of zip.
    """
    repaired, at = bytearray(entries), 0
    while entries[at : at + 4] == b"PK\1\2" and at + 46 <= len(entries):
        (flags,) = struct.unpack_from("<H", entries, at + 8)
        sizes = struct.unpack_from("<II", entries, at + 20)
        name_length, extra_length, comment_length = struct.unpack_from("<3H", entries, at + 28)
        offset = struct.unpack_from("<I", entries, at + 42)
        extra = at + 46 + name_length
        if flags & UTF_8 and not _is_utf8(entries[at + 46 : extra]):
            struct.pack_into("<H", repaired, at + 8, flags & ~UTF_8)
        repaired[at + 6] = min(repaired[at + 6], MAX_VERSION)
        if not _is_valid(entries[extra : extra + extra_length], 8 * (*sizes, *offset).count(0xFFFF_FFFF)):
            repaired[extra : extra + extra_length] = bytes(extra_length)
        at = extra + extra_length + comment_length
    return bytes(repaired)


def _is_valid(extra: bytes, needed: int) -> bool:
    """Whether the extra fields of an entry are complete.

    Args:
        needed: bytes that the zip64 field must have.
    """
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
    except ARCHIVE_ERRORS:
        with _RepairedFile(path.open("rb", buffering=0)) as file, zipfile.ZipFile(file) as archive:
            return archive.infolist()


def _compressed(file: BinaryIO, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Chunks of the compressed bytes of an entry."""
    left = info.compress_size
    if info.compress_type == zipfile.ZIP_LZMA:  # replace the header by that of a .lzma file of unknown size
        head = file.read(9)
        left -= len(head)
        yield head[4:] + b"\xff" * 8
    while left > 0 and (chunk := file.read(min(left, CHUNK))):
        left -= len(chunk)
        yield chunk


def _read_entry(file: BinaryIO, info: zipfile.ZipInfo, name: str) -> bytes:
    """Decompress an entry in chunks. `ZipFile.open` may decompress a few bytes of bzip2 to gigabytes at once."""
    if info.flag_bits & ENCRYPTED:
        raise UserError("data.encrypted", name=quoted(name))
    if info.compress_type not in DECOMPRESSORS:
        raise UserError("data.compression", name=quoted(name), method=info.compress_type)
    file.seek(info.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\3\4":
        raise DamagedError(UserError("data.reason.position"))
    file.seek(sum(struct.unpack("<HH", header[26:])), os.SEEK_CUR)
    decompressor, content = DECOMPRESSORS[info.compress_type](), bytearray()
    for chunk in _compressed(file, info):
        content += decompressor.decompress(chunk, MAX_BYTES + 1 - len(content))
        if decompressor.eof or len(content) > MAX_BYTES:
            break
    if len(content) > MAX_BYTES:
        raise too_large(name)
    if (len(content), zlib.crc32(content)) != (info.file_size, info.CRC):
        raise DamagedError(UserError("data.reason.checksum"))
    return bytes(content)


def from_zip(path: Path) -> Iterator[ImageFile | None]:
    """The image files of a zip archive, and None for every other entry."""
    entries = _list_zip(path)
    with path.open("rb") as file:
        for at, info in enumerate(entries):
            inside = PurePosixPath(info.filename)
            if info.filename.endswith("/") or not is_image(inside):
                yield None
            else:
                yield image_file(inside, functools.partial(_read_entry, file, info), at / len(entries))
