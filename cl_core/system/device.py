"""The device, chosen once, and the arithmetic that is fast on it."""

from __future__ import annotations

from typing import Literal

import torch

from cl_core.errors import UserError
from cl_core.system.zero_gpu import gpu_is_ours

Precision = Literal["auto", "bf16", "float32"]


def choose_device(name: str = "auto") -> torch.device:
    """`auto` is cuda if there is one (and it is lent to this call), else mps, else cpu; any other name must be available.

    Raises:
        UserError: the device asked for is not on this machine.
    """
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if gpu_is_ours() and torch.cuda.is_available():
        available.insert(0, "cuda")
    if name == "auto":
        return torch.device(available[0])
    kind, _, index = name.partition(":")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if kind not in available or (index and not (index.isdecimal() and int(index) < count)):
        raise UserError(f"This machine has no device {name!r}: choose auto or one of {', '.join(available)}.")
    return torch.device(name)


def bf16_is_fast(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
    return False


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Autocast to bfloat16 where asked for, or where `auto` finds it fast."""
    enabled = precision == "bf16" or (precision == "auto" and bf16_is_fast(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)
