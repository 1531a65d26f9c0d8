"""What programs can call: gradio_client, curl, an MCP client. Plain types in, plain types out.

An image is given as a data URL (data:image/png;base64,...) or by its name in the model's data set.
"""

from __future__ import annotations

import base64
import functools
import inspect
from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin, get_type_hints

import gradio as gr
import torch
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from torch import Tensor

from cl_core.augment.record import sample_record
from cl_core.augment.views import apply_record
from cl_core.data.decoding import decode_image
from cl_core.data.pixels import to_tensor
from cl_core.errors import UserError, from_validation, quoted
from cl_core.explore.model import MAP_LAYERS, MapLayer, Model, Space
from cl_core.explore.model_store import ModelStore
from cl_core.explore.projection import PROJECTORS, Projector
from cl_core.networks.embedding import Layer
from cl_core.runs.store import run_features
from cl_core.text import text
from cl_core.ui import images
from cl_core.ui.tabs.loss import breakdown_by

MAX_BYTES = 20_000_000  # of an image inside a call
MAX_SEED = 2**63 - 1
MIN_TEMPERATURE = 0.001  # below it the logits of unit vectors leave the range of float32
MAX_IMAGES, MAX_ROWS, MAX_NUMBERS, MAX_ANSWERS = 64, 256, 4096, 100
OfferedLoss = Literal["nt-xent", "ratio", "out", "in", "in-sum"]


class Api:
    """The public functions, on one model store."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store

    def list_models(self) -> list[dict[str, Any]]:
        """List the models: name, method, encoder, data set, image size in pixels, temperature, kNN accuracy and its protocol.

        The accuracy is from 0 to 1, null if it was not measured.
        """
        found = []
        for name in self._store.names():
            model = self._store.get(name)
            config = model.config
            found.append(
                {
                    "name": name,
                    "method": config.method,
                    "encoder": config.encoder,
                    "dataset": config.dataset,
                    "image_size": model.size,
                    "temperature": model.temperature,
                    "knn_accuracy": model.metrics.get("knn", {}).get("accuracy"),
                    "knn_protocol": model.metrics.get("protocol", ""),
                }
            )
        return found

    def augment(self, model: str, image: str, count: int = 2, seed: int = 0) -> list[dict[str, Any]]:
        """Draw random views of an image the way the model was trained: each a PNG data URL, with its crop box and changes.

        Args:
            model: a name that list_models gives.
            image: a data URL (data:image/png;base64,...), or the name of an image of the model's data set.
            count: how many views, 1 to 64.
            seed: the same seed draws the same views.
        """
        _within("count", count, 1, MAX_IMAGES)
        _within("seed", seed, 0, MAX_SEED)
        opened = self._open(model)
        query = _image(opened, image)
        height, width = query.shape[-2:]
        record = sample_record(count, height, width, opened.config.augment, torch.Generator().manual_seed(seed))
        views = apply_record(query.expand(count, -1, -1, -1), record, opened.size)
        return [
            {
                "image": images.data_url(images.to_image(views[i])),
                "box": dict(zip(("top", "left", "height", "width"), record.box[i].tolist(), strict=True)),
                "flipped": bool(record.flipped[i]),
                "gray": bool(record.gray[i]),
                "blur_sigma": float(record.sigma[i]),
                "style": None if record.style is None else record.style.as_dict(i),
            }
            for i in range(count)
        ]

    def similarity(self, model: str, images: list[str], layer: Layer = "feature") -> list[list[float]]:
        """Compare images with each other: the matrix of their cosines, -1 to 1.

        Args:
            model: a name that list_models gives.
            images: 1 to 64 data URLs or names of images of the model's data set.
            layer: "feature", what the encoder gives, or "embedding", what the projection head makes of it.
        """
        _within("the number of images", len(images), 1, MAX_IMAGES)
        _one_of("layer", layer, get_args(Layer))
        opened = self._open(model)
        z = run_features(opened.run, torch.cat([_sized(opened, each) for each in images]), layer)
        return _numbers(z @ z.T)

    def loss_anatomy(
        self,
        embeddings: list[list[float]],
        loss: OfferedLoss = "nt-xent",
        temperature: float = 0.1,
        labels: list[int] | None = None,
    ) -> dict[str, Any]:
        """Take a contrastive loss apart: cosines, logits, probabilities, the terms of the loss, contributions, gradients.

        Args:
            embeddings: 2 N rows of equal length: the first views of N images, then their second views in the same order.
            loss: nt-xent (SimCLR), ratio (the positive left out of the denominator), or SupCon's out, in or in-sum.
            temperature: 0.001 to 100, what the cosines are divided by.
            labels: N class labels for SupCon; without them every image is a class of its own.
        """
        _one_of("loss", loss, get_args(OfferedLoss))
        _within("the number of rows", len(embeddings), 4, MAX_ROWS)
        if len(embeddings) % 2 or len({len(row) for row in embeddings}) != 1 or not 1 <= len(embeddings[0]) <= MAX_NUMBERS:
            raise UserError("api.embeddings")
        if not MIN_TEMPERATURE <= temperature <= 100:
            raise UserError("api.temperature", given=f"{temperature:g}")
        z = torch.tensor(embeddings, dtype=torch.float32)
        if not bool(z.isfinite().all()) or bool((z.norm(dim=1) == 0).any()):
            raise UserError("api.zero_row")
        pairs = len(z) // 2
        for label in labels or []:
            _within("a label", label, -MAX_SEED, MAX_SEED)
        classes = torch.arange(pairs) if labels is None else torch.tensor(labels)
        if classes.shape != (pairs,):
            raise UserError("api.labels", pairs=pairs, given=len(classes))
        parts = breakdown_by(loss, torch.nn.functional.normalize(z, dim=1), classes, temperature).anatomy
        return {
            "loss": parts.loss,
            "terms": _numbers(parts.terms),
            "cosines": _numbers(parts.cosines),
            "scaled": _numbers(parts.scaled),
            "probabilities": _numbers(parts.log_probabilities.exp()),
            "contribution": _numbers(parts.contribution),
            "gradient": _numbers(parts.gradient),
            "positive": parts.positive.tolist(),
            "negative": parts.negative.tolist(),
        }

    def search(self, model: str, image: str, top: int = 8, space: Space = "trained") -> list[dict[str, Any]]:
        """Find the images of the model's data set most like an image, best first: name, class, family (a group of classes)
        and cosine (-1 to 1).

        Args:
            model: a name that list_models gives.
            image: a data URL, or the name of an image of the model's data set; that one is left out of its own answers.
            top: how many, 1 to 100.
            space: "trained", "untrained" (the same network before training) or "pixels".
        """
        _within("top", top, 1, MAX_ANSWERS)
        opened = self._open(model)
        _one_of("space", space, opened.spaces)
        data = opened.dataset
        row = opened.choices.get(image)
        without = () if row is None else (int(data.groups[row]),)
        found = opened.search_tensor(_sized(opened, image), top, space, without)
        return [
            {
                "name": data.names[each.row],
                "class": data.label_name(each.row),
                "family": data.family_name(each.row),
                "cosine": each.cosine,
            }
            for each in found
        ]

    def project(
        self,
        model: str,
        projection: Projector = "pca",
        layer: MapLayer = "feature",
    ) -> list[dict[str, Any]]:
        """Map the model's data set to the plane: name, class, family (a group of classes), x and y (-1 to 1) of every image.

        Args:
            model: a name that list_models gives.
            projection: "pca", "tsne" or "umap"; what is not computed ahead takes some seconds the first time.
            layer: "feature", "embedding", or "untrained" for the encoder before training.
        """
        _one_of("projection", projection, PROJECTORS)
        _one_of("layer", layer, MAP_LAYERS)
        opened = self._open(model)
        data, points = opened.dataset, opened.map_points(projection, layer)
        return [
            {"name": data.names[row], "class": data.label_name(row), "family": data.family_name(row), "x": x, "y": y}
            for row, (x, y) in zip(data.on_map.tolist(), _numbers(points), strict=True)
        ]

    def _open(self, name: str) -> Model:
        try:
            return self._store.get(name)
        except UserError:
            raise UserError("api.no_model", name=quoted(name), choices=", ".join(self._store.names())) from None


PUBLIC = ("list_models", "augment", "similarity", "loss_anatomy", "search", "project")


def parameters() -> dict[str, list[str]]:
    """The names of the public functions, each with the names of its parameters."""
    return {name: list(inspect.signature(getattr(Api, name)).parameters)[1:] for name in PUBLIC}


def offer(store: ModelStore) -> None:
    """Add the public functions to the app as named endpoints; call it inside `gr.Blocks`."""
    api = Api(store)
    for name in PUBLIC:
        gr.api(_checked(getattr(api, name)), api_name=name)


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` for callers from outside: checks the types of its arguments; a `UserError` becomes Gradio's error."""
    given = _parameters(function)

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            checked = given.model_validate(dict(zip(given.model_fields, args, strict=False)) | kwargs)
            return function(**{name: getattr(checked, name) for name in given.model_fields})
        except ValidationError as error:
            raise gr.Error(str(from_validation(error)), print_exception=False) from None
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from None

    return wrapped


def _parameters(function: Callable[..., Any]) -> type[BaseModel]:
    """A model of a function's parameters, strict: a text is no number. Names to choose from the function itself explains."""
    hints = get_type_hints(function)
    fields: dict[str, Any] = {
        name: (str if get_origin(hints[name]) is Literal else hints[name], ... if each.default is each.empty else each.default)
        for name, each in inspect.signature(function).parameters.items()
    }
    config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())
    return create_model(function.__name__, __config__=config, **fields)


def _image(model: Model, image: str) -> Tensor:
    data = model.dataset
    rows = model.choices
    if image in rows:
        return data.images[rows[image]][None]
    if not image.startswith("data:"):
        raise UserError("api.image", given=quoted(image), dataset=data.title)
    if len(image) > 4 / 3 * MAX_BYTES + 100:
        raise UserError("api.large_image", most=MAX_BYTES // 1_000_000)
    try:
        content = base64.b64decode(image.partition(",")[2], validate=True)
    except ValueError:  # letters outside ASCII are one, too
        raise UserError("api.base64") from None
    return to_tensor(decode_image(content, text("api.the_image")), model.size)


def _sized(model: Model, image: str) -> Tensor:
    """`_image` at the side the model takes, (1, 3, S, S) uint8."""
    found, size = _image(model, image), model.size
    return found if found.shape[-1] == size else to_tensor(images.to_image(found[0]), size)


def _numbers(values: Tensor) -> Any:
    return values.double().tolist()


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UserError("api.range", name=name, least=least, most=most, given=quoted(value))


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UserError("api.one_of", name=name, choices=", ".join(choices), given=quoted(repr(value)))
