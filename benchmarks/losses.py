"""NT-Xent of large batches: time and memory of forward + backward, beside lightly's and the plain matrix.

    python -m benchmarks.losses

Every measurement runs in a process of its own. Memory is what the process's peak grows by, a small batch having been
taken before, so that libraries and buffers are not counted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.table import Row

DIM, TEMPERATURE = 128, 0.1
KINDS = ("ours", "matrix", "lightly")


def loss_of(kind: str) -> Callable[[Tensor, Tensor], Tensor]:
    if kind == "lightly":
        from lightly.loss import NTXentLoss

        return NTXentLoss(TEMPERATURE)
    from cl_core.losses import blockwise, nt_xent

    if kind == "matrix":
        blockwise.BLOCKWISE_FROM = sys.maxsize
    return lambda a, b: nt_xent(a, b, TEMPERATURE)


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes."""
    if sys.platform == "linux":  # ru_maxrss there begins with what the parent process had
        status = Path("/proc/self/status").read_text()
        return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure_here(kind: str, pairs: int, repeats: int) -> dict[str, float]:
    """Best seconds of forward + backward, and extra bytes."""
    loss = loss_of(kind)
    torch.manual_seed(0)

    def once(count: int) -> float:
        z1 = torch.randn(count, DIM)
        z2 = (z1 + 0.5 * torch.randn(count, DIM)).requires_grad_()
        z1.requires_grad_()
        began = time.perf_counter()
        loss(z1, z2).backward()
        return time.perf_counter() - began

    once(512)
    before = peak_memory()
    times = [once(pairs) for _ in range(repeats)]
    return {"seconds": min(times), "extra_bytes": peak_memory() - before}


def measure(kind: str, pairs: int, repeats: int = 3) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.losses", "--kind", kind, "--pairs", str(pairs), "--repeats", str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def rows(pairs: int = 4096, huge: int = 32_768) -> list[Row]:
    found: dict[str, Any] = {kind: measure(kind, pairs) for kind in KINDS}
    large = measure("ours", huge, 1)
    mine, peer, matrix = (found[kind] for kind in ("ours", "lightly", "matrix"))
    speed, memory = peer["seconds"] / mine["seconds"], mine["extra_bytes"] / peer["extra_bytes"]
    return [
        Row(
            f"NT-Xent, {pairs:,} pairs, d = {DIM}, CPU, forward + backward: 2.5 x lightly's speed, under 1/5 of its memory",
            f"{speed:.1f} x ({mine['seconds']:.2f} s, lightly {peer['seconds']:.2f} s, matrix {matrix['seconds']:.2f} s); "
            f"memory {memory:.3f} ({mine['extra_bytes'] / 1e6:.0f} MB, lightly {peer['extra_bytes'] / 1e6:,.0f} MB)",
            speed >= 2.5 and memory < 0.2,
            found,
        ),
        Row(
            f"... {huge:,} pairs in under 1 GB extra",
            f"{large['extra_bytes'] / 1e6:.0f} MB, {large['seconds']:.1f} s",
            large["extra_bytes"] < 1e9,
            {"ours": large},
        ),
    ]


def growth(most_seconds: float = 8.0) -> dict[str, list[dict[str, float]]]:
    """Time and memory over the number of pairs; a kind stops growing where it takes too long or 6 GB."""
    curves: dict[str, list[dict[str, float]]] = {}
    for kind in KINDS:
        curves[kind] = []
        pairs = 256
        while pairs <= 32_768:
            point = measure(kind, pairs, 3 if pairs <= 4096 else 1)
            curves[kind].append({"pairs": pairs, **point})
            if point["seconds"] > most_seconds or point["extra_bytes"] * 4 > 6e9:
                break
            pairs *= 2
    return curves


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--pairs", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    if chosen.kind:
        print(json.dumps(measure_here(chosen.kind, chosen.pairs, chosen.repeats)))
    else:
        for row in rows():
            print(row.line())
