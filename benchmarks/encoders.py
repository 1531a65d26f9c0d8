"""How many images a second each public encoder that the app offers looks at, with random weights, at 224 px.

python -m benchmarks.encoders
"""

from __future__ import annotations

import time

import timm
import torch

from benchmarks.hardware import describe
from cl_core.hub.recommended import RECOMMENDED
from cl_core.networks.encoders.base import NEUTRAL
from cl_core.networks.encoders.timm import TimmName, build_timm
from cl_core.system.device import autocast, choose_device

SIDE, BATCH, TRIES = 224, 32, 3


def a_second(architecture: str) -> float:
    """Images a second on the fastest device, the best of some tries."""
    device = choose_device()
    encoder = build_timm(TimmName(architecture, SIDE), NEUTRAL).eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.rand(BATCH, 3, SIDE, SIDE, device=device).contiguous(memory_format=torch.channels_last)
    best = float("inf")
    with torch.no_grad(), autocast(device, "auto"):
        for _ in range(TRIES + 1):  # the first warms up
            began = time.perf_counter()
            encoder(images).cpu()
            best = min(best, time.perf_counter() - began)
    return BATCH / best


def main() -> None:
    """Print the table."""
    found = describe()
    print(f"{found['processor']}; GPU: {found['gpu']}; torch {torch.__version__}, timm {timm.__version__}")
    for each in RECOMMENDED:
        print(
            f"{each.repository:<58}{a_second(each.repository.split('/')[1].split('.')[0]):>7.0f}/s, listed: {each.images_per_s}"
        )


if __name__ == "__main__":
    main()
