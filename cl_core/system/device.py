"""Selection of the device and the precision."""

from __future__ import annotations

from typing import Literal

import torch

from cl_core.errors import UserError, quoted
from cl_core.system.zero_gpu import gpu_available

Precision = Literal["auto", "bf16", "float32"]


def choose_device(name: str = "auto") -> torch.device:
    """Device by name. `auto` is the first available of cuda, mps and cpu.

    On ZeroGPU cuda is available inside functions decorated with `on_zero_gpu` only.

    Raises:
        UserError: the device is not available.
    """
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if gpu_available() and torch.cuda.is_available():
        available.insert(0, "cuda")
    if name == "auto":
        return torch.device(available[0])
    kind, colon, index = name.partition(":")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if kind not in available or (colon and not (index.isdecimal() and int(index) < count)):
        raise UserError("system.no_device", name=quoted(name), choices=", ".join(available))
    return torch.device(name)


def bf16_is_fast(device: torch.device) -> bool:
    """Whether the device has hardware support for bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
    return False


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Autocast to bfloat16; with `auto` only where the device supports it in hardware."""
    enabled = precision == "bf16" or (precision == "auto" and bf16_is_fast(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)
