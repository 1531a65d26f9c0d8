"""A run made fit to be shared: what opening it needs, and no more."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from cl_core.errors import UserError
from cl_core.runs.folder import RunFolder


def export_run(source: RunFolder, target: Path) -> RunFolder:
    """Write `source` to `target` without what only resuming needs, its weights in 8 bits.

    The folder appears whole or not at all.

    Raises:
        UserError: the run is not finished or not whole, something is at `target`, or it cannot be written.
    """
    record = source.read_record()
    if record.state != "finished":
        raise UserError(f"The run in {source.path} is {record.state}: let train finish it first, then export it.")
    if target.exists():
        raise UserError(f"There is something at {target} already: choose another folder, or remove it first.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp") as beside:
            small = RunFolder(Path(beside) / target.name)
            small.write_small_model(source.read_model())
            for point in source.read_metrics():
                small.append_metrics(point)
            snapshots = source.read_snapshots()
            if snapshots is not None:
                small.write_snapshots(snapshots)
            small.write_record(record)
            shutil.move(small.path, target)
    except OSError as error:
        raise UserError(f"{target} could not be written ({error.strerror}); choose another folder.") from None
    return RunFolder(target)


def pack_run(source: RunFolder, target: Path) -> Path:
    """`export_run` as a zip archive of one folder; gives `target`, which ends in .zip.

    Raises: as `export_run`.
    """
    with tempfile.TemporaryDirectory() as folder:
        export_run(source, Path(folder) / source.name)
        return Path(shutil.make_archive(str(target.with_suffix("")), "zip", folder, source.name))
