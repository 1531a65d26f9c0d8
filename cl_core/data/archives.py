"""Image files in a folder or an archive, read one at a time and never unpacked to the disk.

Nothing that an archive states about itself is trusted: at most `MAX_BYTES` of a file and `MAX_HEADER` of a header are held.
"""

from __future__ import annotations

import bz2
import dataclasses
import functools
import gzip
import io
import lzma
import os
import re
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol, cast

from cl_core.data.decoding import MAX_BYTES, SUFFIXES
from cl_core.errors import UserError

MAX_FILES = 1_000_000
ENTRIES_PER_FILE = 4  # folders, labels and the like, which are passed over
MAX_PATH = 1_000  # characters
MAX_HEADER = 4_000_000  # bytes before the content of one entry of a tar archive
MAX_FIELD = 1_000_000  # bytes of one field in such a header
MAX_DICTIONARY = 256_000_000  # bytes that unpacking xz or lzma may take
QUOTED = 80  # characters of a name in a message
CHUNK = 65_536
BLOCK = 512  # a tar archive's
UNFIT = {"Cc", "Cs", "Zl", "Zp"}  # Unicode categories: control characters, what stands for bytes that are not UTF-8, line ends
ENCRYPTED, UTF_8 = 0x1, 0x800  # flags of an entry in a zip archive
MAX_VERSION = 63  # of the zip format, times ten, that Python's `ZipFile` takes
# What the standard library raises for damaged archives.
DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    OverflowError,
    NotImplementedError,
    RecursionError,
)


@dataclasses.dataclass(frozen=True)
class PictureFile:
    """An image file in a folder or an archive.

    name, folders: the file's name and those of the folders it lies in, outermost first, as the source holds them.
    read: gives the bytes, until the next file is taken. It raises a `UserError` that names the file if it cannot be read.
    share: how much of the source lies before the file, 0 to 1.
    """

    name: str
    folders: tuple[str, ...]
    read: Callable[[], bytes]
    share: float = 0.0


def readable(text: str) -> str:
    """Replace what cannot be printed or kept as JSON, such as control characters and bytes that are not UTF-8, with U+FFFD."""
    if text.isprintable():
        return text
    return "".join("\ufffd" if unicodedata.category(character) in UNFIT else character for character in text)


def quoted(text: str) -> str:
    """`readable` text, cut to the length that a message has room for."""
    return readable(text if len(text) <= QUOTED else text[: QUOTED - 1] + "…")


def quoted_path(source: Path) -> str:
    """Like `quoted`, but the end is what is kept."""
    text = str(source)
    return readable(text if len(text) <= QUOTED else "…" + text[1 - QUOTED :])


def _too_large(name: str) -> UserError:
    return UserError(f"{quoted(name)} is larger than {MAX_BYTES // 1_000_000} MB; save it smaller.")


def _reason(error: Exception) -> str:
    return quoted(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _is_hidden(part: str) -> bool:
    return part.startswith((".", "__MACOSX")) and part != ".."


def _is_picture(path: PurePosixPath) -> bool:
    return path.suffix.lower() in SUFFIXES and not any(map(_is_hidden, path.parts))


def _folders(path: PurePosixPath) -> tuple[str, ...]:
    """As written in the archive; they only name classes, nothing is written there."""
    return tuple(part for part in path.parts[:-1] if part not in ("/", "//", "..", "."))


def _entry(path: PurePosixPath, read: Callable[[str], bytes], share: float) -> PictureFile:
    """Turn whatever `read`, called with the name of the file, meets into a `UserError`."""

    def checked() -> bytes:
        if len(str(path)) > MAX_PATH:
            raise UserError(f"{quoted(path.name)} has a path of more than {MAX_PATH:,} characters; give it a shorter one.")
        try:
            return read(path.name)
        except DAMAGE as error:
            raise UserError(
                f"{quoted(path.name)} cannot be read ({_reason(error)}); it may be cut off or damaged, save it again."
            ) from None

    return PictureFile(path.name, _folders(path), checked, share)


# Folders


def _read_file(file: Path, name: str) -> bytes:
    with file.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _too_large(name)
    return content


def _fail(error: OSError, name: str) -> bytes:
    raise error


def _files_below(folder: Path) -> Iterator[tuple[Path, OSError | None]]:
    """Image files, and files and folders that cannot be looked at, with the reason. Links to folders are not followed."""
    failures: list[OSError] = []
    for root, folders, names in os.walk(folder, onerror=failures.append):
        folders[:] = [each for each in folders if not _is_hidden(each)]
        for path in (Path(root, name) for name in names if _is_picture(PurePosixPath(name))):
            try:
                if stat.S_ISREG(path.stat().st_mode):
                    yield path, None
            except OSError as error:
                yield path, error
    for failure in failures:
        if Path(failure.filename) == folder:
            raise failure
        yield Path(failure.filename), failure


def _from_folder(folder: Path) -> Iterator[PictureFile | None]:
    files = []
    for file in _files_below(folder):
        files.append(file)
        if len(files) > MAX_FILES:
            break
    for at, (path, failure) in enumerate(files):
        read = functools.partial(_fail, failure) if failure else functools.partial(_read_file, path)
        yield _entry(PurePosixPath(*path.relative_to(folder).parts), read, at / len(files))


# Zip archives


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
        raise _too_large(name)
    if (len(content), zlib.crc32(content)) != (info.file_size, info.CRC):
        raise zipfile.BadZipFile("its size or checksum is not what the archive states")
    return bytes(content)


def _from_zip(path: Path) -> Iterator[PictureFile | None]:
    entries = _list_zip(path)
    with path.open("rb") as file:
        for at, info in enumerate(entries):
            inside = PurePosixPath(info.filename)
            if info.filename.endswith("/") or not _is_picture(inside):
                yield None
            else:
                yield _entry(inside, functools.partial(_read_zipped, file, info), at / len(entries))


# Tar archives


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
        raise _too_large(name)
    if member.size < 0:
        raise tarfile.ReadError("its size is negative")
    stream.allow(member.size)
    content = bytearray()
    file = archive.extractfile(member)
    while file and (piece := file.read(CHUNK)):
        content += piece
    return bytes(content)


def _from_tar(path: Path) -> Iterator[PictureFile | None]:
    size = path.stat().st_size
    with path.open("rb") as file:
        stream = _Forward(file)
        try:
            archive = tarfile.TarFile(fileobj=cast(BinaryIO, stream), encoding="utf-8", errors="surrogateescape")
        except tarfile.ReadError:
            if stream.damage:
                raise
            raise UserError(
                f"{quoted_path(path)} is neither a folder nor a zip or tar archive; give one that holds pictures."
            ) from None
        for member in _members(archive, stream):
            inside = PurePosixPath(member.name)
            if not member.isfile() or not _is_picture(inside):
                yield None
            else:
                yield _entry(inside, functools.partial(_read_tarred, archive, stream, member), min(1.0, file.tell() / size))


def _from(source: Path) -> Iterator[PictureFile | None]:
    """The image files, and None for every other entry."""
    if not source.exists():
        raise UserError(f"There is no folder or archive {quoted_path(source)}; give the path of one that holds pictures.")
    if source.is_dir():
        return _from_folder(source)
    if not source.is_file():
        raise UserError(f"{quoted_path(source)} is neither a folder nor a zip or tar archive; give one that holds pictures.")
    return _from_zip(source) if zipfile.is_zipfile(source) else _from_tar(source)


def read_pictures(source: Path) -> Iterator[PictureFile]:
    """The image files in a folder, a zip or a tar archive (gzip, bzip2 or xz), in the order in which they lie there.

    Those below hidden folders are left out, and links to folders are not followed.

    Raises:
        UserError: it is not there, is neither, is damaged so that its entries cannot be listed, or holds no image, or more
            than a million.
    """
    name = quoted_path(source)
    entries = count = 0
    try:
        for file in _from(source):
            entries += 1
            count += file is not None
            if count > MAX_FILES or entries > ENTRIES_PER_FILE * MAX_FILES:
                what = f"{MAX_FILES:,} pictures" if count > MAX_FILES else f"{ENTRIES_PER_FILE * MAX_FILES:,} entries"
                raise UserError(f"{name} holds more than {what}; give a part of them.")
            if file is not None:
                yield file
    except DAMAGE as error:
        raise UserError(f"{name} cannot be read ({_reason(error)}); it may be cut off or damaged, copy it again.") from None
    if count == 0:
        raise UserError(f"{name} holds no picture; PNG, JPEG, WebP, GIF, BMP and TIFF files are read.")
