"""Augmentation settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AugmentConfig(BaseModel):
    """Distribution of the augmentations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    crop_scale_min: float = Field(0.2, gt=0, le=1, description="smallest area of a crop, as a fraction of the image")
    crop_scale_max: float = Field(1.0, gt=0, le=1, description="largest area of a crop, as a fraction of the image")
    crop_aspect: float = Field(4 / 3, ge=1, le=3, description="largest ratio of the sides of a crop")
    flip_prob: float = Field(0.5, ge=0, le=1, description="probability of a horizontal flip")
    color_jitter_prob: float = Field(0.8, ge=0, le=1, description="probability of color jitter")
    brightness: float = Field(0.4, ge=0, le=1, description="brightness factor is drawn from 1 - x to 1 + x")
    contrast: float = Field(0.4, ge=0, le=1, description="contrast factor is drawn from 1 - x to 1 + x")
    saturation: float = Field(0.4, ge=0, le=1, description="saturation factor is drawn from 1 - x to 1 + x")
    hue: float = Field(0.1, ge=0, le=0.5, description="hue shift is drawn from -x to x turns of the color wheel")
    grayscale_prob: float = Field(0.2, ge=0, le=1, description="probability of conversion to grayscale")
    blur_prob: float = Field(0.5, ge=0, le=1, description="probability of Gaussian blur")
    blur_sigma_min: float = Field(0.1, gt=0, le=10, description="smallest blur, standard deviation in pixels")
    blur_sigma_max: float = Field(2.0, gt=0, le=10, description="largest blur, standard deviation in pixels")
    shading: float = Field(0.4, ge=0, le=1, description="style: largest change of brightness from the center to an edge")
    shading_prob: float = Field(0.0, ge=0, le=1, description="style: probability of shading")
    palette_prob: float = Field(0.0, ge=0, le=1, description="style: probability of exchanged color channels")
    flat_prob: float = Field(0.0, ge=0, le=1, description="style: probability of flat fill, 2 to 4 values per channel")
    line_prob: float = Field(0.0, ge=0, le=1, description="style: probability of a line drawing")
    thickness_prob: float = Field(0.0, ge=0, le=1, description="style: probability of grown or shrunk dark parts")
