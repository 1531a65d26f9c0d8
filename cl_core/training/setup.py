"""What a training run is made of before its first step: sizes, networks, order of images, monitor images, checks."""

from __future__ import annotations

import torch
from torch import Tensor

from cl_core.augment.settings import AugmentConfig
from cl_core.data.dataset import Dataset, first_of_each, instances, spaced
from cl_core.errors import UserError, is_out_of_memory, quoted
from cl_core.evaluation.geometry import Geometry, measure_geometry
from cl_core.networks.encoders.base import Statistics
from cl_core.networks.encoders.registry import build_encoder
from cl_core.networks.methods import METHODS, DataShape, Method
from cl_core.runs.config import MIN_VIEW_SIZE, RunConfig
from cl_core.system.seeding import seeded
from cl_core.training.distributed import World
from cl_core.training.randomness import EPOCH_STREAM, STEP_STREAM, seeded_generator

MIN_MONITORED = 16  # images needed to detect a collapse
MONITOR_SIZE = 256  # images whose embeddings each snapshot stores
MAX_MAP = 10_000  # images whose features each snapshot stores
STATISTICS_BATCH = 100  # images
MIN_STD = 1 / 255  # images with an empty channel, as of a fluorescence microscope, would be divided by zero
MAX_WHITENED = 20_000  # images by which features are whitened
MONITOR_POSITION = 2**31 - 1  # beyond any step, so that the monitor images' views are the same at every snapshot


def image_size(config: RunConfig, dataset: Dataset) -> int:
    """Side of a view in pixels: as configured, or the images' own clamped to 28 to 64."""
    return config.image_size or min(max(dataset.size, 28), 64)


def train_size(config: RunConfig, dataset: Dataset) -> int:
    """Side of a view in training steps, in pixels."""
    return config.train_size or image_size(config, dataset)


def view_plan(config: RunConfig, dataset: Dataset) -> list[tuple[int, AugmentConfig]]:
    """Side in pixels and augmentation of each view of an image in a training step, the small crops last."""
    side, count = train_size(config, dataset), METHODS[config.method].view_count(config)
    if not METHODS[config.method].takes_views:
        return [(side, config.augment)] * count
    crop = {"crop_scale_max": config.small_crop_scale, "crop_scale_min": config.small_crop_scale / 5}
    small = config.small_size or max(MIN_VIEW_SIZE, side // 2), config.augment.model_copy(update=crop)
    return [(side, config.augment)] * config.views + [small] * config.small_views


def image_statistics(dataset: Dataset) -> Statistics:
    """Mean and standard deviation of the training images, per channel, in [0, 1]; the latter at least `MIN_STD`."""
    sample = dataset.train[:: max(1, len(dataset.train) // 1000)]
    values = torch.arange(256).double() / 255
    counts = torch.zeros(3, 256, dtype=torch.float64)
    for part in sample.split(STATISTICS_BATCH):  # counts take no memory for large images
        counts += torch.stack([channel.flatten().bincount(minlength=256) for channel in dataset.images[part].transpose(0, 1)])
    means = (counts @ values) / counts.sum(1)
    spread = (counts * (values - means[:, None]) ** 2).sum(1) / (counts.sum(1) - 1)
    mean, std = means.tolist(), spread.sqrt().clamp_min(MIN_STD).tolist()
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])


def uses_labels(config: RunConfig) -> bool:
    """Whether training with these settings reads labels."""
    return METHODS[config.method].uses_labels(config)


def data_shape(config: RunConfig, dataset: Dataset) -> DataShape:
    """Numbers of instances and classes that the method's networks depend on."""
    _, count = instances(dataset, uses_labels(config))
    return DataShape(count, len(dataset.classes))


def steps_per_epoch(config: RunConfig, dataset: Dataset) -> int:
    """Steps of an epoch in one process; a short last batch is dropped."""
    count = data_shape(config, dataset).instances
    return count // max(1, min(config.batch_size, count))


def build_method(config: RunConfig, dataset: Dataset) -> Method:
    """The method with initial weights, drawn from the run's seed; torch's global generator is left as it was."""
    with seeded(config.seed):
        encoder = build_encoder(config.encoder, image_size(config, dataset), image_statistics(dataset))
        return METHODS[config.method](encoder, config, data_shape(config, dataset))


def epoch_order(groups: Tensor, config: RunConfig, epoch: int) -> Tensor:
    """Rows of one epoch: one random member of each group, in random order, (G,) int64.

    Images of one group show the same thing, so they would be false negatives of each other.
    """
    generator = seeded_generator(torch.device("cpu"), config.seed, EPOCH_STREAM, epoch)
    shuffled = torch.randperm(len(groups), generator=generator)
    return shuffled[first_of_each(groups[shuffled]).sort().values]


def monitor_rows(dataset: Dataset) -> Tensor:
    """Rows of the monitor images, embedded at every snapshot: (P,) int64. Of too few shown images, all are taken instead."""
    return spaced(dataset.shown if len(dataset.shown) >= MIN_MONITORED else torch.arange(len(dataset)), MONITOR_SIZE)


def map_rows(dataset: Dataset) -> Tensor:
    """Rows of the images whose places on the map are known over time, (M,) int64: all that a map shows, if they are few."""
    return spaced(dataset.on_map, MAX_MAP)


def monitor_geometry(
    method: Method, config: RunConfig, dataset: Dataset, size: int, device: torch.device
) -> tuple[Geometry, Tensor]:
    """Geometry of the monitor images, and their embeddings (P, D); always with the same augmented views."""
    generator = seeded_generator(device, config.seed, STEP_STREAM, MONITOR_POSITION)
    return measure_geometry(method, dataset.images[monitor_rows(dataset)].to(device), config.augment, size, generator)


def check_compiler(device: torch.device) -> None:
    """Compile a small function, so that a missing compiler is an error before anything is written.

    Raises:
        UserError: torch finds no compiler.
    """
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.zeros(8, device=device))
    except (torch._dynamo.exc.TorchDynamoException, RuntimeError) as error:  # such as no Triton, or a GPU too old for it
        if is_out_of_memory(error):
            raise
        reason = next(iter(str(getattr(error, "inner_exception", error)).strip().splitlines()), type(error).__name__)
        raise UserError("training.no_compiler", reason=quoted(reason)) from None


def check_data(config: RunConfig, dataset: Dataset, world: World | None = None) -> None:
    """Check that these settings can learn from these images, before anything is built.

    Raises:
        UserError: the method cannot be trained or needs labels that are missing, the batch cannot be split evenly between
            the processes, or there are too few images.
    """
    world = world or World()
    if not METHODS[config.method].trainable:
        raise UserError("training.not_trainable", method=config.method)
    if config.batch_size % world.size:
        raise UserError("training.uneven_batch", batch=config.batch_size, processes=world.size)
    if uses_labels(config) and not dataset.labeled:
        raise UserError("training.needs_labels", method=config.method, dataset=dataset.name)
    if data_shape(config, dataset).instances < max(2, world.size):
        raise UserError("training.too_few_images", dataset=dataset.name)
    if config.method == "moco" and config.batch_norm_splits > 1 and config.batch_size < 2 * world.size:
        raise UserError("training.small_shard", least=2 * world.size)  # each part of a process's keys needs two images
