"""Time and memory from an archive of images to the first training step.

    python -m benchmarks.imports ARCHIVE [--size PX]
    python -m benchmarks.imports --photos N

The archive is imported as the tab Images does, in a process of its own; then a run is started as the tab Train does, and its
first step awaited. `--photos N` makes a zip archive of N photographs of 4 megapixels first (24 different ones, 1.2 MB each).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import hardware

DIFFERENT, WIDTH, HEIGHT = 24, 2464, 1632


def make_photos(path: Path, count: int) -> None:
    """A zip archive of JPEG files in six folders."""
    generator, photos = np.random.default_rng(0), []
    for _ in range(DIFFERENT):
        coarse = Image.fromarray(generator.integers(0, 255, (64, 96, 3), dtype=np.uint8)).resize((WIDTH, HEIGHT))
        noisy = np.asarray(coarse) + generator.normal(0, 8, (HEIGHT, WIDTH, 3))
        buffer = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=88)
        photos.append(buffer.getvalue())
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(count):
            archive.writestr(f"photos/class {i % 6}/{i}.jpg", photos[i % DIFFERENT])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path, nargs="?")
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--photos", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ |= {"CL_CACHE_DIR": f"{scratch}/cache", "CL_RUNS_DIR": f"{scratch}/runs"}
        archive = arguments.archive or Path(scratch) / "photos.zip"
        if arguments.photos:
            make_photos(archive, arguments.photos)
        print(json.dumps(hardware.describe()))
        print(json.dumps(measure(archive, arguments.size, Path(scratch) / "runs" / "first")))


def measure(archive: Path, size: int, run: Path) -> dict[str, float]:
    """Seconds until the images are imported and until the first step is logged, and the memory of the import."""
    from cl_core.data.registry import load_dataset
    from cl_core.imports.jobs import ImportJobs
    from cl_core.imports.process import ImportRequest
    from cl_core.runs.folder import RunFolder
    from cl_core.training.jobs import Jobs

    started = time.perf_counter()
    job = ImportJobs().start(ImportRequest(kind="files", name="measured", source=str(archive.resolve()), size=size))
    while job.active:
        time.sleep(0.05)
    assert job.state == "done", job.problem
    imported = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    data = load_dataset("measured")
    jobs = Jobs()
    jobs.start(run, {"dataset": "measured", "epochs": 1, "batch_size": 128, "snapshots": 0})
    while not (RunFolder(run).exists() and any(point["kind"] == "loss" for point in RunFolder(run).read_metrics())):
        assert jobs.running, jobs.problem(run)
        time.sleep(0.05)
    first = time.perf_counter() - started
    jobs.stop()
    while jobs.running:
        time.sleep(0.05)
    return {
        "images": len(data),
        "side": data.size,
        "archive_mb": round(archive.stat().st_size / 1e6),
        "imported_s": round(imported, 1),
        "first_step_s": round(first, 1),
        "import_memory_gb": round(memory, 2),
    }


if __name__ == "__main__":
    main()
