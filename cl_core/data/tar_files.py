"""Image files of a tar archive, compressed or not, read as a stream."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from cl_core.data.entries import ARCHIVE_ERRORS, CHUNK, MAX_DICTIONARY, ImageFile, image_file, is_image
from cl_core.data.image_limits import MAX_BYTES, DamagedError, too_large
from cl_core.errors import UserError, quoted

MAX_HEADER = 4_000_000  # bytes before the content of an entry
MAX_FIELD = 1_000_000  # bytes of one header field
BLOCK = 512  # bytes; entries of a tar archive are padded to blocks


def _decompress_xz(file: BinaryIO) -> Iterator[bytes]:
    """Decompress an xz or lzma file in chunks. `lzma.open` does not bound its memory."""
    packed = file.read(CHUNK)
    while packed:  # a file may contain several streams, with padding between them
        decompressor = lzma.LZMADecompressor(memlimit=MAX_DICTIONARY)
        while not decompressor.eof:
            if decompressor.needs_input and not packed:
                packed = file.read(CHUNK)
                if not packed:
                    raise DamagedError(UserError("data.reason.ends_early"))
            yield decompressor.decompress(packed, CHUNK)
            packed = b""
        packed = decompressor.unused_data.lstrip(b"\0")
        while not packed and (more := file.read(CHUNK)):
            packed = more.lstrip(b"\0")


class _ChunkReader(io.RawIOBase):
    """File interface to an iterator of chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._chunk = chunks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        while not self._chunk:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._chunk = chunk
        count = min(len(buffer), len(self._chunk))
        buffer[:count], self._chunk = self._chunk[:count], self._chunk[count:]
        return count


def _decompressed(file: BinaryIO) -> BinaryIO:
    """Wrap a tar archive in its decompressor; an uncompressed one is returned as it is."""
    head = file.read(BLOCK)
    file.seek(0)
    if head[257:262] == b"ustar":
        return file
    if head.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=file, mode="rb"))
    if re.match(rb"BZh[1-9]1AY&SY", head):
        return cast(BinaryIO, bz2.BZ2File(file))
    if head.startswith((b"\xfd7zXZ\0", b"\x5d\0\0")):
        return io.BufferedReader(_ChunkReader(_decompress_xz(file)), CHUNK)
    return file


class _ForwardReader:
    """File for `tarfile` that only seeks forward and bounds the memory for headers, whatever size they state.

    Attributes:
        last: the bytes read last.
        error: the first error met; every later read raises it again.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._stream = _decompressed(file)
        self._plain = self._stream is file
        self._at, self._left, self.last = 0, 0, b""
        self.error: Exception | None = None
        self.allow(MAX_HEADER)

    def allow(self, size: int) -> None:
        """Set the number of bytes that may be read until the next call."""
        self._left = size

    def tell(self) -> int:
        return self._at

    def seek(self, target: int, whence: int = os.SEEK_SET) -> int:
        if target < self._at or whence != os.SEEK_SET:
            raise DamagedError(UserError("data.reason.entries_overlap"))
        if self._plain:
            self._at = self._stream.seek(target)
        while self._at < target and self._take(min(target - self._at, CHUNK)):
            pass
        return self._at

    def read(self, size: int) -> bytes:
        """Read at most `MAX_FIELD` bytes; the rest of `size` is skipped."""
        if size < 0 or self._left <= 0:
            self.error = DamagedError(UserError("data.reason.large_header"))
        self.last = self._take(min(size, MAX_FIELD))  # raises `error`, if there is one
        self._left -= len(self.last)
        if size > MAX_FIELD:
            self.seek(self._at + size - MAX_FIELD)
        return self.last

    def _take(self, size: int) -> bytes:
        if self.error:  # the entries after damage cannot be located
            raise self.error
        try:
            chunk = self._stream.read(size)
        except ARCHIVE_ERRORS as error:
            self.error = error
            raise
        self._at += len(chunk)
        return chunk


def _members(archive: tarfile.TarFile, stream: _ForwardReader) -> Iterator[tarfile.TarInfo]:
    """Iterate over the entries; `tarfile` would keep a list of all of them."""
    end = -1
    stream.allow(MAX_HEADER)
    while (member := archive.next()) is not None:
        if archive.offset <= end:
            raise DamagedError(UserError("data.reason.entries_overlap"))
        end = archive.offset
        archive.members = []  # type: ignore[attr-defined]
        archive.pax_headers = {}
        yield member
        stream.allow(MAX_HEADER)
    if stream.last != bytes(BLOCK):  # `next` also returns None at a damaged header
        raise DamagedError(UserError("data.reason.no_end"))


def _read_entry(archive: tarfile.TarFile, stream: _ForwardReader, member: tarfile.TarInfo, name: str) -> bytes:
    if member.size > MAX_BYTES:
        raise too_large(name)
    if member.size < 0:
        raise DamagedError(UserError("data.reason.negative_size"))
    stream.allow(member.size)
    content = bytearray()
    file = archive.extractfile(member)
    while file and (chunk := file.read(CHUNK)):
        content += chunk
    return bytes(content)


def from_tar(path: Path) -> Iterator[ImageFile | None]:
    """The image files of a tar archive, and None for every other entry.

    Raises:
        UserError: the file is not a tar archive.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        stream = _ForwardReader(file)
        try:
            archive = tarfile.TarFile(fileobj=cast(BinaryIO, stream), encoding="utf-8", errors="surrogateescape")
        except tarfile.ReadError:
            if stream.error:
                raise
            raise UserError("data.not_an_archive", source=quoted(path)) from None
        for member in _members(archive, stream):
            inside = PurePosixPath(member.name)
            if not member.isfile() or not is_image(inside):
                yield None
            else:
                read = functools.partial(_read_entry, archive, stream, member)
                yield image_file(inside, read, min(1.0, file.tell() / size))
