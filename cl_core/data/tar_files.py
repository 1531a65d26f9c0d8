"""Image files in a tar archive, compressed or not, which is only read forward."""

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

from cl_core.data.decoding import MAX_BYTES
from cl_core.data.entries import CHUNK, DAMAGE, MAX_DICTIONARY, ImageFile, entry, is_image, too_large
from cl_core.errors import UserError, quoted

MAX_HEADER = 4_000_000  # bytes before the content of one entry of a tar archive
MAX_FIELD = 1_000_000  # bytes of one field in such a header
BLOCK = 512  # a tar archive's


def _unpack_xz(file: BinaryIO) -> Iterator[bytes]:
    """What an xz or lzma file holds, in pieces. `lzma.open` sets no bound on the memory that this takes."""
    packed = file.read(CHUNK)
    while packed:  # several streams may follow each other, with padding between them
        unpacker = lzma.LZMADecompressor(memlimit=MAX_DICTIONARY)
        while not unpacker.eof:
            if unpacker.needs_input and not packed:
                packed = file.read(CHUNK)
                if not packed:
                    raise EOFError("it ends in the middle")
            yield unpacker.decompress(packed, CHUNK)
            packed = b""
        packed = unpacker.unused_data.lstrip(b"\0")
        while not packed and (more := file.read(CHUNK)):
            packed = more.lstrip(b"\0")


class _Joined(io.RawIOBase):
    """Pieces of bytes as one file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._piece = pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._piece = piece
        count = min(len(buffer), len(self._piece))
        buffer[:count], self._piece = self._piece[:count], self._piece[count:]
        return count


def _unpacked(file: BinaryIO) -> BinaryIO:
    """A tar archive without its compression, if it has any."""
    head = file.read(BLOCK)
    file.seek(0)
    if head[257:262] == b"ustar":
        return file
    if head.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=file, mode="rb"))
    if re.match(rb"BZh[1-9]1AY&SY", head):
        return cast(BinaryIO, bz2.BZ2File(file))
    if head.startswith((b"\xfd7zXZ\0", b"\x5d\0\0")):
        return io.BufferedReader(_Joined(_unpack_xz(file)), CHUNK)
    return file


class _Forward:
    """What `tarfile` reads from: it only goes forward, and a header, however large it says it is, takes little memory.

    last: what was read last.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._stream = _unpacked(file)
        self._plain = self._stream is file
        self._at, self._left, self.last = 0, 0, b""
        self.damage: Exception | None = None
        self.allow(MAX_HEADER)

    def allow(self, size: int) -> None:
        """Let so many bytes be read until the next call."""
        self._left = size

    def tell(self) -> int:
        return self._at

    def seek(self, target: int, whence: int = os.SEEK_SET) -> int:
        if target < self._at or whence != os.SEEK_SET:
            raise tarfile.ReadError("its entries lie across each other")
        if self._plain:
            self._at = self._stream.seek(target)
        while self._at < target and self._take(min(target - self._at, CHUNK)):
            pass
        return self._at

    def read(self, size: int) -> bytes:
        """At most `MAX_FIELD` bytes, what lies beyond them is passed over."""
        if size < 0 or self._left <= 0:
            self.damage = tarfile.ReadError("the header of an entry is too large")
        self.last = self._take(min(size, MAX_FIELD))  # raises the damage, if there is any
        self._left -= len(self.last)
        if size > MAX_FIELD:
            self.seek(self._at + size - MAX_FIELD)
        return self.last

    def _take(self, size: int) -> bytes:
        if self.damage:  # what comes after it cannot be told apart
            raise self.damage
        try:
            piece = self._stream.read(size)
        except DAMAGE as error:
            self.damage = error
            raise
        self._at += len(piece)
        return piece


def _members(archive: tarfile.TarFile, stream: _Forward) -> Iterator[tarfile.TarInfo]:
    """The entries, none of which is kept."""
    end = -1
    stream.allow(MAX_HEADER)
    while (member := archive.next()) is not None:
        if archive.offset <= end:
            raise tarfile.ReadError("its entries lie across each other")
        end = archive.offset
        archive.members = []  # type: ignore[attr-defined]
        archive.pax_headers = {}
        yield member
        stream.allow(MAX_HEADER)
    if stream.last != bytes(BLOCK):  # `next` ends at a damaged header as it does at the end
        raise tarfile.ReadError("it ends without the mark of an end")


def _read_tarred(archive: tarfile.TarFile, stream: _Forward, member: tarfile.TarInfo, name: str) -> bytes:
    if member.size > MAX_BYTES:
        raise too_large(name)
    if member.size < 0:
        raise tarfile.ReadError("its size is negative")
    stream.allow(member.size)
    content = bytearray()
    file = archive.extractfile(member)
    while file and (piece := file.read(CHUNK)):
        content += piece
    return bytes(content)


def from_tar(path: Path) -> Iterator[ImageFile | None]:
    size = path.stat().st_size
    with path.open("rb") as file:
        stream = _Forward(file)
        try:
            archive = tarfile.TarFile(fileobj=cast(BinaryIO, stream), encoding="utf-8", errors="surrogateescape")
        except tarfile.ReadError:
            if stream.damage:
                raise
            raise UserError(f"{quoted(path)} is neither a folder nor a zip or tar archive; give one that holds images.") from None
        for member in _members(archive, stream):
            inside = PurePosixPath(member.name)
            if not member.isfile() or not is_image(inside):
                yield None
            else:
                yield entry(inside, functools.partial(_read_tarred, archive, stream, member), min(1.0, file.tell() / size))
