"""Compiled augmentation kernel for the CPU: processes one image at a time while it is in the cache.

Equal to `views.apply_with_torch`, its reference, up to rounding. Torch operations pass over memory about sixty times for a
batch; this kernel passes once. Numba compiles it at first use.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from cl_core.augment.ops import GRAY_WEIGHTS
from cl_core.system.compiled import compiled

if TYPE_CHECKING:
    from cl_core.augment.record import ViewRecord

f32 = np.float32
RED, GREEN, BLUE = map(f32, GRAY_WEIGHTS)


@compiled
def _taps(start, length, size, first, weights):  # type: ignore[no-untyped-def]
    """Filter taps of antialiased linear interpolation of `length` points from `start` to `size` points.

    Point i is the sum over k of weights[k, i] * source[first[i] + k]. Returns the number of taps.
    """
    scale = f32(length) / f32(size)
    support = max(scale, f32(1))
    most = 0
    weights[:] = f32(0)
    for i in range(size):
        center = scale * (f32(i) + f32(0.5))
        low = max(0, int(np.floor(center - support - f32(0.5))) + 1)
        high = min(length, int(np.ceil(center + support - f32(0.5))))
        high = max(high, low + 1)
        total = f32(0)
        for k in range(high - low):
            weight = max(f32(0), f32(1) - abs(f32(low + k) + f32(0.5) - center) / support)
            weights[k, i] = weight
            total += weight
        for k in range(high - low):
            weights[k, i] /= total
        first[i] = start + low
        most = max(most, high - low)
    return most


@compiled
def _crop(image, box, flipped, view, columns, line, taps):  # type: ignore[no-untyped-def]
    """image (3, H, W) uint8 -> view (3, S, S) float32 in [0, 1], transposed: view[channel, x, y].

    Both passes access memory contiguously: vertical into columns (3, W, S), then horizontal. columns, line (W,) and
    taps (first (2, S), weights (2, K, S)) are work space.
    """
    size = view.shape[1]
    top, left, height, width = box
    first, weights = taps
    down = _taps(top, height, size, first[0], weights[0])
    across = _taps(0, width, size, first[1], weights[1])
    last = top + height - 1  # unused taps have weight 0
    for channel in range(3):
        for i in range(size):
            line[:width] = f32(0)
            for k in range(down):
                weight = weights[0, k, i] * f32(1 / 255)
                source = image[channel, min(first[0, i] + k, last), left : left + width]
                for x in range(width):
                    line[x] += weight * f32(source[x])
            for x in range(width):
                columns[channel, x, i] = line[x]
        for i in range(size):
            target = view[channel, size - 1 - i if flipped else i]
            target[:] = f32(0)
            for k in range(across):
                weight, column = weights[1, k, i], columns[channel, min(first[1, i] + k, width - 1)]
                for y in range(size):
                    target[y] += weight * column[y]
            for y in range(size):
                target[y] = min(max(target[y], f32(0)), f32(1))


@compiled
def _shift_hue(red, green, blue, shift):  # type: ignore[no-untyped-def]
    """Rotate the hue of three planes of P pixels in place, like `ops.shift_hue`."""
    for i in range(red.size):
        r, g, b = red[i], green[i], blue[i]
        value = max(r, max(g, b))
        chroma = value - min(r, min(g, b))
        scale = f32(1) / (chroma if chroma > f32(0) else f32(1))
        by_red, by_green, by_blue = (g - b) * scale, f32(2) + (b - r) * scale, f32(4) + (r - g) * scale
        hue = by_red if value == r else (by_green if value == g else by_blue)
        hue = hue + f32(6) * shift
        k = hue + f32(5)
        k = k - f32(6) * np.floor(k * f32(1 / 6))
        red[i] = value - chroma * min(max(min(k, f32(4) - k), f32(0)), f32(1))
        k = hue + f32(3)
        k = k - f32(6) * np.floor(k * f32(1 / 6))
        green[i] = value - chroma * min(max(min(k, f32(4) - k), f32(0)), f32(1))
        k = hue + f32(1)
        k = k - f32(6) * np.floor(k * f32(1 / 6))
        blue[i] = value - chroma * min(max(min(k, f32(4) - k), f32(0)), f32(1))


@compiled
def _blend(plane, other, amount):  # type: ignore[no-untyped-def]
    for i in range(plane.size):
        plane[i] = min(max(other[i] + amount * (plane[i] - other[i]), f32(0)), f32(1))


@compiled
def _recolor(red, green, blue, factors, order, gray):  # type: ignore[no-untyped-def]
    """Brightness, contrast, saturation and hue in the given order, then grayscale; three planes of P pixels, in place."""
    other = np.empty_like(red)
    for step in range(4):
        kind = order[step]
        amount = factors[kind]
        if kind == 3:
            if amount != f32(0):
                _shift_hue(red, green, blue, amount)
            continue
        if amount == f32(1):
            continue
        if kind == 0:
            other[:] = f32(0)
        else:
            for i in range(red.size):
                other[i] = RED * red[i] + GREEN * green[i] + BLUE * blue[i]
            if kind == 1:
                other[:] = other.sum() / f32(other.size)
        _blend(red, other, amount)
        _blend(green, other, amount)
        _blend(blue, other, amount)
    if gray:
        for i in range(red.size):
            luma = RED * red[i] + GREEN * green[i] + BLUE * blue[i]
            red[i] = luma
            green[i] = luma
            blue[i] = luma


@compiled
def _blur(view, sigma, kernel, work):  # type: ignore[no-untyped-def]
    """Gaussian blur of view (3, S, S) in place with reflected borders; work (S, S) is work space."""
    size, half = view.shape[1], kernel // 2
    weights = np.empty(kernel, np.float32)
    for k in range(kernel):
        weights[k] = np.exp(f32(-0.5) * (f32(k - half) / sigma) ** 2)
    weights /= weights.sum()
    for channel in range(3):
        plane = view[channel]
        work[:] = f32(0)
        for y in range(size):
            for k in range(kernel):
                at = abs(y + k - half)
                source = plane[at if at < size else 2 * (size - 1) - at]
                for x in range(size):
                    work[y, x] += weights[k] * source[x]
        plane[:] = f32(0)
        for y in range(size):
            for k in range(kernel):
                shift = k - half
                for x in range(max(0, -shift), min(size, size - shift)):
                    plane[y, x] += weights[k] * work[y, x + shift]
                for x in range(0, max(0, -shift)):
                    plane[y, x] += weights[k] * work[y, -(x + shift)]
                for x in range(min(size, size - shift), size):
                    plane[y, x] += weights[k] * work[y, 2 * (size - 1) - x - shift]


@compiled
def _views(images, box, flipped, factors, order, gray, sigma, kernel, out, start, stop):  # type: ignore[no-untyped-def]
    """Views `start` to `stop` of images (N, 3, H, W) uint8 into out (N, S, S, 3)."""
    height, width, size = images.shape[2], images.shape[3], out.shape[1]
    view = np.empty((3, size, size), np.float32)
    work = np.empty((size, size), np.float32)
    columns = np.empty((3, width, size), np.float32)
    line = np.empty(width, np.float32)
    taps = np.empty((2, size), np.int64), np.empty((2, 2 * (max(height, width) // size + 1) + 3, size), np.float32)
    for n in range(start, stop):
        _crop(images[n], box[n], flipped[n], view, columns, line, taps)
        _recolor(view[0].ravel(), view[1].ravel(), view[2].ravel(), factors[n], order[n], gray[n])
        if sigma[n] > f32(0):
            _blur(view, sigma[n], kernel, work)
        for y in range(size):
            for x in range(size):
                for channel in range(3):
                    out[n, y, x, channel] = view[channel, x, y]


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="views")


def apply_compiled(images: Tensor, record: ViewRecord, size: int, kernel: int) -> Tensor:
    """`views.apply_with_torch` for images (N, 3, H, W) uint8 on the CPU, with as many threads as torch uses.

    Args:
        size: side of a view in pixels.
        kernel: width of the blur kernel in pixels, odd.

    Returns:
        (N, 3, S, S) float32 in [0, 1], channels last in memory.
    """
    count = len(images)
    out = torch.empty(count, size, size, 3)
    used = (images.contiguous(), record.box, record.flipped, record.factors, record.order, record.gray, record.sigma)
    fields = [field.numpy() for field in used]
    threads = max(1, min(torch.get_num_threads(), count // 16))
    edges = [count * i // threads for i in range(threads + 1)]

    def part(i: int) -> None:
        _views(*fields, kernel, out.numpy(), edges[i], edges[i + 1])

    if threads == 1:
        part(0)
    else:
        list(_pool(threads).map(part, range(threads)))
    return out.permute(0, 3, 1, 2)
