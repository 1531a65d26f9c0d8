"""NT-Xent, SupCon and the sigmoid loss of large batches: time and memory of forward + backward, beside the plain matrix.

    python -m benchmarks.losses [--exact]

NT-Xent is also compared with lightly's. With --exact all three losses are measured, up to 131,072 embeddings.

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
from torch.nn import functional as F

from benchmarks.table import Row

DIM, TEMPERATURE = 128, 0.1
KINDS = ("ours", "matrix", "lightly")
EXACT = ("nt-xent", "sup-con", "sigmoid")  # and each with " matrix"
CLASSES = 100  # of SupCon's labels


def loss_of(kind: str) -> Callable[[Tensor, Tensor], Tensor]:
    if kind == "lightly":
        from lightly.loss import NTXentLoss

        return NTXentLoss(TEMPERATURE)
    from cl_core.losses import blockwise, nt_xent, sigmoid_loss, sup_con

    if kind == "sigmoid matrix":
        return sigmoid_matrix
    if kind.endswith("matrix"):
        blockwise.BLOCKWISE_FROM = sys.maxsize
    if kind == "sigmoid":
        return lambda a, b: sigmoid_loss(a, b, TEMPERATURE)
    if kind.startswith("sup-con"):
        return lambda a, b: sup_con(torch.cat([a, b]), (torch.arange(len(a)) % CLASSES).repeat(2), TEMPERATURE)
    return lambda a, b: nt_xent(a, b, TEMPERATURE)


def sigmoid_matrix(z1: Tensor, z2: Tensor, bias: float = -10.0) -> Tensor:
    """The sigmoid loss with the matrix of all pairs, as in the paper's pseudocode."""
    logits = F.normalize(z1, dim=1) @ F.normalize(z2, dim=1).T / TEMPERATURE + bias
    return -F.logsigmoid((2 * torch.eye(len(z1)) - 1) * logits).sum() / len(z1)


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


def exact_rows(pairs: int = 4096, medium: int = 8_192, huge: int = 65_536) -> list[Row]:
    """The three losses that are computed block by block."""
    found = []
    for kind in EXACT:
        mine, matrix = measure(kind, pairs), measure(f"{kind} matrix", pairs)
        small, large = measure(kind, medium, 1), measure(kind, huge, 1)
        ratio = mine["seconds"] / matrix["seconds"]
        asked = (
            f"{kind}: at most 1.3 x the matrix's time at {2 * pairs:,} embeddings; {2 * medium:,} in 200 MB, {2 * huge:,} in 1 GB"
        )
        times = (
            f"{ratio:.2f} x ({mine['seconds']:.2f} s, matrix {matrix['seconds']:.2f} s and {matrix['extra_bytes'] / 1e6:,.0f} MB)"
        )
        memory = f"{small['extra_bytes'] / 1e6:.0f} MB; {large['extra_bytes'] / 1e6:.0f} MB in {large['seconds']:.0f} s"
        met = ratio <= 1.3 and small["extra_bytes"] < 2e8 and large["extra_bytes"] < 1e9
        found.append(Row(asked, f"{times}; {memory}", met, {"small": mine, "matrix": matrix, "medium": small, "huge": large}))
    return found


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=[*KINDS, *EXACT, *(f"{kind} matrix" for kind in EXACT)])
    parser.add_argument("--exact", action="store_true", help="NT-Xent, SupCon and the sigmoid loss, up to 131,072 embeddings")
    parser.add_argument("--pairs", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    if chosen.kind:
        print(json.dumps(measure_here(chosen.kind, chosen.pairs, chosen.repeats)))
    else:
        for row in exact_rows() if chosen.exact else rows():
            print(row.line())


if __name__ == "__main__":
    main()
