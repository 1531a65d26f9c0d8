"""Export of finished runs without the files that only resuming needs."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from cl_core.errors import UserError, quoted
from cl_core.runs.folder import RunFolder


def export_run(source: RunFolder, target: Path) -> RunFolder:
    """Write a copy of `source` to `target` without its resume state and with weights quantized to 8 bits.

    The write is atomic.

    Raises:
        UserError: the run is not finished or lacks a file, `target` exists, or it cannot be written.
    """
    record = source.read_record()
    if record.state != "finished":
        state = UserError(f"runs.state.{record.state}")
        raise UserError("runs.not_finished", folder=source.path, state=state)
    if target.exists():
        raise UserError("runs.exists", path=target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp") as beside:
            small = RunFolder(Path(beside) / target.name)
            small.write_quantized_model(source.read_model())
            for point in source.read_metrics():
                small.append_metrics(point)
            snapshots = source.read_snapshots()
            if snapshots is not None:
                small.write_quantized_snapshots(snapshots)
            layout = source.read_snapshots(source.layout_file)
            if layout is not None:
                small.write_snapshots(layout, small.layout_file)
            small.write_record(record)
            shutil.move(small.path, target)
    except OSError as error:
        raise UserError("runs.export_failed", path=target, reason=error.strerror) from None
    return RunFolder(target)


def pack_run(source: RunFolder, target: Path) -> Path:
    """`export_run` to a zip archive of one folder.

    Args:
        target: path of the archive; ends in .zip.

    Raises:
        UserError: see `export_run`.
    """
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            export_run(source, Path(folder) / source.name)
            return Path(shutil.make_archive(str(target.with_suffix("")), "zip", folder, source.name))
    except OSError as error:
        raise UserError("system.not_written", path=target, reason=error.strerror or quoted(error)) from None
