"""Images in the forms people have them: paths, PIL images, arrays, tensors."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cl_core.data.decoding import decode_image
from cl_core.data.pixels import to_tensor
from cl_core.errors import UserError, quoted

Images = Any  # a str or Path, a PIL image, an array, a tensor, or several of them


def as_images(images: Images, size: int) -> Tensor:
    """Images of any of the supported forms as one batch.

    Args:
        images: one image or an iterable of images. An image is a path, a PIL image, an array (H, W), (H, W, 3) or
            (H, W, 4) uint8, or a tensor (3, H, W), uint8 or float in [0, 1]; arrays (N, H, W, 3) and tensors
            (N, 3, H, W) hold several.
        size: side of the batch's images in pixels; others are scaled and padded to a square.

    Returns:
        (N, 3, size, size) uint8.

    Raises:
        UserError: a file is not an image, or an array has another shape or dtype.
    """
    return torch.cat([to_tensor(each, size) for each in _each(images)])


def _each(images: Images) -> Iterable[Image.Image]:
    if isinstance(images, str | Path):
        return [decode_image(Path(images), quoted(images))]
    if isinstance(images, Image.Image):
        return [images.convert("RGB")]
    if isinstance(images, Tensor):
        return _of_tensor(images)
    if isinstance(images, np.ndarray):
        return _of_array(images)
    if isinstance(images, Iterable):
        found = [image for each in images for image in _each(each)]
        if found:
            return found
        raise UserError("inputs.none")
    raise UserError("inputs.type", given=quoted(type(images).__name__))


def _of_tensor(images: Tensor) -> list[Image.Image]:
    batch = images[None] if images.ndim == 3 else images
    if batch.ndim != 4 or batch.shape[1] != 3:
        raise UserError("inputs.tensor_shape", given=quoted(tuple(images.shape)))
    batch = batch.detach().cpu()
    if batch.is_floating_point():
        if not bool(batch.isfinite().all()) or float(batch.min()) < 0 or float(batch.max()) > 1:
            raise UserError("inputs.range")
        batch = (batch.float() * 255).round().byte()
    return _of_array(batch.permute(0, 2, 3, 1).numpy())


def _of_array(images: np.ndarray[Any, Any]) -> list[Image.Image]:
    if images.dtype != np.uint8:
        raise UserError("inputs.dtype", given=quoted(images.dtype))
    if images.ndim == 4 and images.shape[-1] == 3:
        return [Image.fromarray(np.ascontiguousarray(image)) for image in images]
    if images.ndim == 2 or (images.ndim == 3 and images.shape[-1] in (3, 4)):
        return [Image.fromarray(np.ascontiguousarray(images)).convert("RGB")]
    raise UserError("inputs.array_shape", given=quoted(tuple(images.shape)))
