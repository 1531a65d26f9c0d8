"""Download a file over HTTP: an interrupted download is resumed, and a checksum is verified."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

TIMEOUT_S = 30.0  # without a byte
CHUNK = 2**18  # bytes
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416

Progress = Callable[[int, int], None]


class WrongChecksum(OSError):
    """The file that was downloaded is not the one that was wanted."""


def fetch_file(url: str, path: Path, md5: str, progress: Progress | None = None) -> None:
    """Download `url` to `path`, unless that is there already.

    What has arrived stays in a file beside `path` if the download fails or the process ends; the next call requests the rest.

    Args:
        md5: checksum of the whole file, in hexadecimal digits.
        progress: called with the bytes that have arrived and the bytes of the file (0 if unknown).

    Raises:
        OSError: the server cannot be reached, the connection ends early, or the checksum differs (`WrongChecksum`; then
            nothing is kept).
    """
    if path.is_file() and _md5(path) == md5:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    here = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={here}-"} if here else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            resumed = answer.status == PARTIAL_CONTENT
            here = here if resumed else 0
            length = int(answer.headers.get("Content-Length") or 0)
            total = here + length if length else 0
            with part.open("ab" if resumed else "wb") as file:
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    here += len(chunk)
                    if progress:
                        progress(here, total)
            if here < total:
                raise ConnectionError(f"the connection ended after {here / 1e6:.1f} of {total / 1e6:.1f} MB")
    except urllib.error.HTTPError as error:
        if error.code != RANGE_NOT_SATISFIABLE:  # the part is whole already, or of another file
            raise
    except http.client.HTTPException as error:
        raise ConnectionError(str(error) or type(error).__name__) from None
    if _md5(part) != md5:
        part.unlink()
        raise WrongChecksum(f"the checksum of {path.name} is not {md5}")
    part.replace(path)


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
