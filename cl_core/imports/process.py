"""Import images in a separate process, which can be stopped and whose crashes do not affect the app."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from cl_core.errors import EXIT_USER_ERROR, UserError, error_to_json, is_out_of_memory, quoted
from cl_core.system.pipes import report
from cl_core.training.estimate import limit_memory

EXIT_STOPPED = 75
LISTED = 200  # skipped files
LEAST_MEMORY = 2_000_000_000  # bytes: the libraries alone take 0.8e9, and pyarrow aborts without room


class ImportRequest(BaseModel):
    """What to import.

    Attributes:
        kind: where the images are: in "files" of this machine, a "download", or a data set of the "hub".
        name: of the new data set. source: a path, the name of the download, or OWNER/NAME[@REVISION].
        size: side of the stored images in pixels; 0 for their own, at most 64.
        owner: the visitor of the app who imports them; empty if everybody may see them.
        most: number of images; 0 for no limit.
        shown: name of the source in error messages, by default its path. Uploads need it, as their paths are temporary.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["files", "download", "hub"]
    name: str
    source: str
    title: str = ""
    size: int = 0
    owner: str = ""
    most: int = 0
    shown: str = ""


def run_import(request: ImportRequest, progress: Any = None) -> list[UserError]:
    """Import what `request` describes; returns the errors of skipped files.

    Raises:
        UserError: as `import_images` and `downloads.get`.
    """
    if request.kind == "download":
        from cl_core.data.downloads import get

        get(request.source, progress)
        return []
    if request.kind == "hub":
        from cl_core.hub.dataset import import_hub_dataset

        return import_hub_dataset(request.source, request.name, request.size, progress, request.most)
    from cl_core.data.importing import import_images

    return import_images(
        request.name,
        Path(request.source),
        request.title,
        size=request.size,
        progress=progress,
        owner=request.owner,
        most=request.most,
    )


def _report(**content: Any) -> None:
    report(json.dumps(content, default=str))


def _end_with(stream: Any) -> None:
    stream.read()
    os._exit(EXIT_STOPPED)


def main() -> int:
    """Import in this process: the first line of standard input is an `ImportRequest` as JSON, its end stops the import.

    Standard output has lines with the `fraction` done, and at the end one with the `skipped` errors or the `problem`.
    """
    request = ImportRequest.model_validate_json(sys.stdin.readline())
    limit_memory(LEAST_MEMORY)
    threading.Thread(target=_end_with, args=(sys.stdin,), daemon=True).start()
    try:
        skipped = run_import(request, lambda fraction: _report(fraction=fraction))
    except UserError as error:
        if "source" in error.values and request.shown:
            error.values["source"] = quoted(request.shown)
        _report(problem=error_to_json(error))
        return EXIT_USER_ERROR
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        _report(problem=error_to_json(UserError("images.no_memory")))
        return EXIT_USER_ERROR
    _report(skipped=[error_to_json(error) for error in skipped[:LISTED]], count=len(skipped))
    return 0


if __name__ == "__main__":
    sys.exit(main())
