"""A model: weights, data set, galleries, features and maps of one run, each computed once and shared.

The page, the API, the command line and notebooks all hold this object. A name is turned into it once (`model_store`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Hashable, Sequence
from functools import cached_property, partial
from typing import Any, Literal, overload

import numpy as np
import torch
from torch import Tensor

from cl_core.data.dataset import Dataset, image_choices
from cl_core.data.registry import load_dataset
from cl_core.errors import UserError, quoted
from cl_core.evaluation.clustering import kmeans_start, kmeans_steps
from cl_core.evaluation.knn import evaluate_knn, has_split
from cl_core.evaluation.neighbors import label_agreement
from cl_core.explore.caches import BatchedGallery, Caches, Query
from cl_core.explore.gallery import Gallery, Neighbor, is_stored, pixel_gallery, run_gallery
from cl_core.explore.inputs import Images, as_images
from cl_core.explore.maps import map_points
from cl_core.explore.per_image_loss import per_image_losses
from cl_core.explore.projection import Projector
from cl_core.explore.regions import NeighborPreservation, Region, neighbor_preservation, regions
from cl_core.explore.report import Report, compare_with_baselines
from cl_core.explore.review import Review, review
from cl_core.explore.why_similar import Explained, explain_images
from cl_core.networks.embedding import Layer
from cl_core.networks.encoders.small import Gray
from cl_core.networks.methods import METHODS
from cl_core.runs.config import RunConfig
from cl_core.runs.feature_cache import cached_features, dataset_features
from cl_core.runs.folder import RunFolder
from cl_core.runs.record import RunRecord
from cl_core.runs.store import Run, features_key, open_run, run_features, untrained_like

Space = Literal["trained", "untrained", "pixels"]
SPACES: tuple[Space, ...] = ("trained", "untrained", "pixels")
MapLayer = Literal["feature", "embedding", "untrained"]
MAP_LAYERS: tuple[MapLayer, ...] = ("feature", "embedding", "untrained")
MAX_ANSWERS = 1000
MAX_MEASURED = 5_000  # images of which all features are computed for an accuracy

Array = np.ndarray[Any, np.dtype[np.float32]]


class Model:
    """A trained run, or a public encoder, opened for use.

    Settings and metrics are read at once, weights and all that is computed from them at the first use.

    Args:
        folder: files of the run.
        name: how people call it; by default the folder's name.
        caches: shared with other models; by default its own.

    Raises:
        UserError: run.json is missing or damaged.
    """

    def __init__(self, folder: RunFolder, name: str = "", caches: Caches | None = None) -> None:
        self.folder, self.name = folder, name or folder.name
        self.caches = caches or Caches()
        self.record: RunRecord = folder.read_record()
        self.version = version_of(folder)

    def __repr__(self) -> str:
        return f"Model({self.name!r}: {self.config.method} with {self.config.encoder} on {self.config.dataset})"

    @property
    def config(self) -> RunConfig:
        """The settings of the run."""
        return self.record.config

    @property
    def metrics(self) -> dict[str, Any]:
        """What was measured after the last step: kNN accuracy with its protocol, geometry of the embeddings, verdict."""
        return self.record.metrics

    @property
    def run(self) -> Run:
        """Settings and networks, with the trained weights.

        Raises:
            UserError: a file is missing, cut off, or does not belong to the settings.
        """
        return self.caches.runs.get(self.version, lambda: open_run(self.folder))

    @property
    def untrained(self) -> Run:
        """The networks with the weights that training started from."""
        trained = self.run
        return self.caches.untrained.get(trained.key, lambda: untrained_like(trained))

    @cached_property
    def dataset(self) -> Dataset:
        """The data set the run learned from.

        Raises:
            UserError: its images are not on this machine.
        """
        return load_dataset(self.config.dataset)

    @property
    def size(self) -> int:
        """Side of the images the encoder takes, in pixels."""
        return self.record.image_size

    @property
    def has_training_loss(self) -> bool:
        """Whether one of this project's methods trained it: then its first weights and its loss are known."""
        return METHODS[self.config.method].trainable

    @property
    def has_temperature(self) -> bool:
        """Whether it was trained here by a loss that divides by a temperature."""
        return self.has_training_loss and METHODS[self.config.method].has_temperature

    @property
    def temperature(self) -> float:
        """Temperature of the loss: as training left it where it is learned, else that of the settings."""
        learned = None
        if self.has_temperature and self.config.learn_temperature:
            with contextlib.suppress(UserError):  # damaged weights: what needs them shows the error
                learned = self.run.method.loss_temperature
        return learned or self.config.temperature

    @property
    def sees_gray(self) -> bool:
        """Whether the encoder converts images to grayscale."""
        return any(isinstance(part, Gray) for part in self.run.method.encoder.modules())

    @property
    def spaces(self) -> tuple[Space, ...]:
        """The spaces in which a search makes sense."""
        return SPACES if self.has_training_loss else ("trained", "pixels")

    @property
    def choices(self) -> dict[str, int]:
        """Images of the data set to pick from: name -> row."""
        data = self.dataset
        return self.caches.choices.get((data.name, data.digest, data.version), lambda: image_choices(data))

    @overload
    def embed(self, images: Images, layer: Layer = ..., output: Literal["numpy"] = ...) -> Array: ...

    @overload
    def embed(self, images: Images, layer: Layer = ..., *, output: Literal["torch"]) -> Tensor: ...

    def embed(self, images: Images, layer: Layer = "feature", output: Literal["numpy", "torch"] = "numpy") -> Array | Tensor:
        """Embed whole images, on the fastest device at hand.

        Args:
            images: one image or several: paths, PIL images, arrays (H, W, 3) or (N, H, W, 3) uint8, tensors (3, H, W) or
                (N, 3, H, W), uint8 or float in [0, 1]. They are scaled to the size the encoder takes.
            layer: "feature", the encoder's h, or "embedding", the projection head's z (SimCLR, figure 2).
            output: "numpy" or "torch".

        Returns:
            (N, D) float32, each row of length 1.

        Raises:
            UserError: an image cannot be read, or a file of the run is damaged.
        """
        features = run_features(self.run, as_images(images, self.size), layer if self.run.method.has_head else "feature")
        return features.numpy() if output == "numpy" else features

    def search(self, image: Images, top: int = 5, space: Space = "trained") -> list[Neighbor]:
        """Find the images of the data set most like one image.

        Args:
            image: one image, in a form that `embed` takes.
            top: number of answers, 1 to 1,000; fewer where the data set has fewer groups of images.
            space: "trained" features, "untrained" ones or raw "pixels".

        Returns:
            Best first; `cosine` is in -1 to 1.

        Raises:
            UserError: the image cannot be read, `top` or `space` is out of range, or the data set is not on this machine.
        """
        if not 1 <= top <= MAX_ANSWERS:
            raise UserError("model.top", most=f"{MAX_ANSWERS:,}", given=quoted(top))
        if space not in self.spaces:
            raise UserError("model.space", choices=", ".join(self.spaces), given=quoted(space))
        batch = as_images(image, self.size)
        if len(batch) != 1:
            raise UserError("model.one_image", count=len(batch))
        return self.search_tensor(batch, top, space)

    def search_tensor(
        self,
        image: Tensor,
        top: int,
        space: Space = "trained",
        without: Collection[int] = (),
        among: Tensor | None = None,
    ) -> list[Neighbor]:
        """`search` for an image (1, 3, S, S) uint8; concurrent queries share one batch.

        Args:
            without: groups that are no answers, such as the image's own.
            among: (N,) bool, the images of the data set that may be answers; by default all.
        """
        return self._gallery(space).search(Query(image, top, without, among))

    def explain(self, image: Tensor, row: int) -> tuple[float, list[Explained], list[Tensor]]:
        """Why an image is similar to one of the data set: by the features of the whole images, as on the map.

        Args:
            image: (1, 3, S, S) uint8.
            row: of the data set.

        Returns:
            The cosine; its explanations; and for each the image without its most important part, (1, 3, S, S) uint8. Slow
            encoders get quick explanations.
        """
        data, before = self.dataset, self.untrained if self.has_training_loss else None
        key = self.key_of(self.run), image.numpy().tobytes(), row
        return self.caches.reasons.get(key, lambda: explain_images(self.run, before, image, data.images[row : row + 1]))

    def gallery(self, space: Space = "trained") -> Gallery:
        """The data set's images in one of three spaces; the first call of each computes their features."""
        return self._gallery(space).gallery

    def gallery_progress(self, space: Space) -> float | None:
        """The fraction of a gallery that has been computed, 0 to 1; None once it is ready."""
        key = self._gallery_key(space)
        done = self.caches.preparing.get(key, 0.0)  # first: it is removed after the gallery is stored
        return None if key in self.caches.galleries else done

    def _gallery_key(self, space: Space) -> Hashable:
        data = self.dataset
        if space == "pixels":
            return data.name, data.digest, data.version, self.size
        return self.key_of(self._weights(space))

    def _weights(self, space: Space) -> Run:
        return self.run if space == "trained" else self.untrained

    def _gallery(self, space: Space) -> BatchedGallery:
        data, key = self.dataset, self._gallery_key(space)

        def computed() -> Gallery:
            if space == "pixels":
                return pixel_gallery(data, self.size)
            report = partial(self.caches.preparing.__setitem__, key)
            return run_gallery(self._weights(space), data, report, self.caches.database)

        try:
            run = partial(self._weights, "trained" if space == "pixels" else space)
            return self.caches.galleries.get(key, lambda: BatchedGallery.of(computed(), partial(run_features, run())))
        finally:
            self.caches.preparing.pop(key, None)

    def review(self) -> Review:
        """Near-duplicates, odd ones out and doubtful labels among the data set's images, by the trained features."""
        return self.caches.reviews.get(self.key_of(self.run), lambda: review(self.gallery()))

    def map_cosines(self, image: Tensor, rows: Sequence[int], space: Space = "trained") -> list[float]:
        """Cosines of an image and those of the data set by the features of the whole images, as on the map.

        A search takes other ones: `gallery`, `explore.descriptors`.

        Args:
            image: (1, 3, S, S) uint8.
            rows: of the data set.
            space: "trained" or "untrained".
        """
        if not rows:
            return []
        run, data = self._weights(space), self.dataset
        known = self.caches.features.found(("all features", self.key_of(run), "feature"))
        features = cached_features(run, data, torch.tensor(rows)) if known is None else known[list(rows)]
        return (features @ self._gallery(space).features(image)).tolist()

    def search_cosines(self, row: int, others: Sequence[int], layer: MapLayer = "feature") -> list[float] | None:
        """Cosines of an image of the data set and others as a search computes them.

        None for the projection head, which is not searched, and until a search has computed the gallery, which takes long.
        """
        run, kind = self.layer(layer)
        if kind == "embedding":
            return None
        space: Space = "untrained" if layer == "untrained" else "trained"
        if self.key_of(run) not in self.caches.galleries and not is_stored(run, self.dataset):
            return None
        return self.gallery(space).cosines(row, others)

    def evaluate(self, progress: Callable[[], None] = lambda: None) -> dict[str, Report]:
        """Measure the features on the data set: kNN, linear probe, clusters and geometry, with their protocols.

        Args:
            progress: called after each of the nine measurements.

        Returns:
            A report for the "trained" network, for the "untrained" one and for raw "pixels".

        Raises:
            UserError: the data set has no labels, or is not on this machine.
        """
        if not has_split(self.dataset, labels_seen=True):  # the linear probe's is the smaller one
            raise UserError("model.no_labels", dataset=self.dataset.name)
        return compare_with_baselines(self.run, self.dataset, progress)

    def layer(self, layer: MapLayer) -> tuple[Run, Layer]:
        """The networks and the layer behind a choice of the map; an encoder without a head has one layer.

        Raises:
            UserError: the first weights of a public encoder are unknown.
        """
        if layer == "untrained":
            if not self.has_training_loss:
                raise UserError("models.no_untrained", name=self.name)
            return self.untrained, "feature"
        return self.run, layer if self.run.method.has_head else "feature"

    def map_features(self, layer: MapLayer = "feature") -> Tensor:
        """Features of the images on the map (`Dataset.on_map`), (P, D) float32 of length 1."""
        data = self.dataset
        run, kind = self.layer(layer)
        return self._of_map("features", layer, lambda: cached_features(run, data, data.on_map, kind))

    def features(self, layer: MapLayer = "feature") -> Tensor:
        """Features of all images of the data set, (N, D) float32 of length 1."""
        data = self.dataset
        run, kind = self.layer(layer)
        return self._of_map("all features", layer, lambda: dataset_features(run, data, kind))

    def map_points(self, projector: Projector, layer: MapLayer = "feature") -> Tensor:
        """The images on the map as points, (P, 2) float32."""
        run, kind = self.layer(layer)
        return map_points(run, self.dataset, projector, kind, lambda: self.map_features(layer))

    def map_regions(self, projector: Projector, layer: MapLayer = "feature") -> tuple[list[Region], NeighborPreservation]:
        """Regions of a map where one class is the majority, and how well the map keeps neighbors."""
        run, kind = self.layer(layer)
        data = self.dataset

        def make() -> tuple[list[Region], NeighborPreservation]:
            points, labels = self.map_points(projector, layer), data.labels[data.on_map]
            named = regions(points, labels) if data.labeled else []
            return named, neighbor_preservation(points, self.map_features(layer), labels, data.groups[data.on_map])

        return self.caches.regions.get((self.key_of(run), kind, projector), make)

    def knn_accuracy(self, layer: MapLayer = "feature") -> float | None:
        """kNN accuracy of a layer by the protocol of the run's metrics; None without labels or for a large data set."""
        data = self.dataset
        labels_seen = METHODS[self.config.method].uses_labels(self.config)
        if len(data) > MAX_MEASURED or not has_split(data, labels_seen):
            return None

        def make() -> Tensor:
            return torch.tensor(evaluate_knn(self.features(layer), data, labels_seen=labels_seen).accuracy)

        return float(self._of_map("knn", layer, make))

    def map_agreement(self, layer: MapLayer = "feature") -> Tensor:
        """Fraction of the 10 nearest neighbors of each image on the map with its label, (P,) in [0, 1]; NaN without one."""
        data = self.dataset
        return self._of_map(
            "agreement",
            layer,
            lambda: label_agreement(self.map_features(layer), data.labels[data.on_map], data.groups[data.on_map]),
        )

    def map_clusters(self, layer: MapLayer = "feature") -> Tensor:
        """k-means clusters of the images on the map, one for each coarse label, at most P; (P,) int64."""

        def make() -> Tensor:
            features = self.map_features(layer)
            count = min(len(self.dataset.family_names), len(features))
            *_, last = kmeans_steps(features, kmeans_start(features, count, 0))
            return last.assignment

        return self._of_map("clusters", layer, make)

    def map_losses(self) -> Tensor:
        """The loss of each image on the map, (P,) float32, in nats.

        Raises:
            UserError: the loss of a public encoder is unknown.
        """
        if not self.has_training_loss:
            raise UserError("models.no_loss", name=self.name)
        data = self.dataset
        return self._of_map("losses", "embedding", lambda: per_image_losses(self.run, data.images[data.on_map]))

    def key_of(self, run: Run) -> Hashable:
        """Key of what is computed in memory from the data set by a run's weights."""
        return features_key(run, self.dataset), self.dataset.version

    def _of_map(self, what: str, layer: MapLayer, make: Callable[[], Tensor]) -> Tensor:
        run, kind = self.layer(layer)
        return self.caches.features.get((what, self.key_of(run), kind), make)


def version_of(folder: RunFolder) -> tuple[str, int, int]:
    """Path, modification time in nanoseconds and size in bytes of the weights: equal while they are the same."""
    try:
        now = folder.model_file.stat()
    except OSError:
        return str(folder.path), 0, 0
    return str(folder.path), now.st_mtime_ns, now.st_size
