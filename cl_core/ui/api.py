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
from cl_core.data.decoding import decode_image, to_tensor
from cl_core.errors import UserError, from_validation, quoted
from cl_core.explore.maps import map_points
from cl_core.explore.projection import PROJECTORS, Projector
from cl_core.models.embedding import Layer
from cl_core.runs.store import run_features
from cl_core.ui import images as images
from cl_core.ui import model_store as library
from cl_core.ui.model_store import MAP_LAYERS, MapLayer, Space
from cl_core.ui.tabs.loss import compare_by

MOST_BYTES = 20_000_000  # of an image inside a call
LARGEST_SEED = 2**63 - 1
MOST_IMAGES, MOST_ROWS, MOST_NUMBERS, MOST_ANSWERS = 64, 256, 4096, 100
OfferedLoss = Literal["nt-xent", "ratio", "out", "in", "in-sum"]


def list_models() -> list[dict[str, Any]]:
    """List the trained models: name, method, encoder, data set, side of its images in pixels, and kNN accuracy (0 to 1)."""
    found = []
    for name in library.checkpoint_names():
        record = library.folder(name).read_record()
        config = record.config
        found.append(
            {
                "name": name,
                "method": config.method,
                "encoder": config.encoder,
                "dataset": config.dataset,
                "image_size": record.image_size,
                "temperature": config.temperature,
                "knn_accuracy": record.metrics.get("knn", {}).get("accuracy"),
            }
        )
    return found


def augment(model: str, image: str, count: int = 2, seed: int = 0) -> list[dict[str, Any]]:
    """Draw random views of an image the way the model was trained: each a PNG data URL, with its crop box and changes.

    Args:
        model: a name that list_models gives.
        image: a data URL (data:image/png;base64,...), or the name of an image of the model's data set.
        count: how many views, 1 to 64.
        seed: the same seed draws the same views.
    """
    _within("count", count, 1, MOST_IMAGES)
    _within("seed", seed, 0, LARGEST_SEED)
    run = library.run(_model(model))
    query = _image(model, image)
    height, width = query.shape[-2:]
    record = sample_record(count, height, width, run.record.config.augment, torch.Generator().manual_seed(seed))
    views = apply_record(query.expand(count, -1, -1, -1), record, run.size)
    return [
        {
            "image": images.data_url(images.to_image(views[i])),
            "box": dict(zip(("top", "left", "height", "width"), record.box[i].tolist(), strict=True)),
            "flipped": bool(record.flipped[i]),
            "gray": bool(record.gray[i]),
            "blur_sigma": float(record.sigma[i]),
        }
        for i in range(count)
    ]


def similarity(model: str, images: list[str], layer: Layer = "feature") -> list[list[float]]:
    """Compare images with each other: the matrix of their cosines, -1 to 1.

    Args:
        model: a name that list_models gives.
        images: 1 to 64 data URLs or names of images of the model's data set.
        layer: "feature", what the encoder gives, or "embedding", what the projection head makes of it.
    """
    _within("the number of images", len(images), 1, MOST_IMAGES)
    _one_of("layer", layer, get_args(Layer))
    run = library.run(_model(model))
    z = run_features(run, torch.cat([_sized(model, each) for each in images]), layer)
    return _numbers(z @ z.T)


def loss_anatomy(
    embeddings: list[list[float]],
    loss: OfferedLoss = "nt-xent",
    temperature: float = 0.1,
    labels: list[int] | None = None,
) -> dict[str, Any]:
    """Take a contrastive loss apart: cosines, logits, probabilities, each anchor's term, shares of the loss, gradients.

    Args:
        embeddings: 2 N rows of equal length: the first views of N images, then their second views in the same order.
        loss: nt-xent (SimCLR), ratio (the positive left out of the denominator), or SupCon's out, in or in-sum.
        temperature: above 0, what the cosines are divided by.
        labels: N class labels for SupCon; without them every image is a class of its own.
    """
    _one_of("loss", loss, get_args(OfferedLoss))
    _within("the number of rows", len(embeddings), 4, MOST_ROWS)
    if len(embeddings) % 2 or len({len(row) for row in embeddings}) != 1 or not 1 <= len(embeddings[0]) <= MOST_NUMBERS:
        raise UserError("embeddings must be an even number of rows of equal length: first views, then second views.")
    if not 0 < temperature <= 100:
        raise UserError(f"temperature must be above 0 and at most 100, but it was {temperature:g}.")
    z = torch.tensor(embeddings, dtype=torch.float32)
    if not bool(z.isfinite().all()) or bool((z.norm(dim=1) == 0).any()):
        raise UserError("embeddings must be finite numbers, and no row may be all zeros: it has no direction.")
    pairs = len(z) // 2
    for label in labels or []:
        _within("a label", label, -LARGEST_SEED, LARGEST_SEED)
    classes = torch.arange(pairs) if labels is None else torch.tensor(labels)
    if classes.shape != (pairs,):
        raise UserError(f"labels must be {pairs} whole numbers, one for each pair of rows, but there were {len(classes)}.")
    parts = compare_by(loss, torch.nn.functional.normalize(z, dim=1), classes, temperature).anatomy
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


def search(model: str, image: str, top: int = 8, space: Space = "trained") -> list[dict[str, Any]]:
    """Find the images of the model's data set most like an image: name, class, and cosine (-1 to 1), best first.

    Args:
        model: a name that list_models gives.
        image: a data URL, or the name of an image of the model's data set; that one is left out of its own answers.
        top: how many, 1 to 100.
        space: "trained", "untrained" (the same network before training) or "pixels".
    """
    _within("top", top, 1, MOST_ANSWERS)
    _one_of("space", space, library.spaces(_model(model)))
    data = library.dataset(model)
    row = library.choices(data).get(image)
    without = None if row is None else int(data.groups[row])
    found = library.search(model, space, _sized(model, image), top, without)
    return [
        {"name": data.names[each.row], "class": data.family_names[int(data.families[each.row])], "cosine": each.cosine}
        for each in found
    ]


def project(
    model: str,
    projection: Projector = "pca",
    layer: MapLayer = "feature",
) -> list[dict[str, Any]]:
    """Map the model's data set to the plane: name, class, x and y (-1 to 1) of every image.

    Args:
        model: a name that list_models gives.
        projection: "pca", "tsne" or "umap"; what is not computed ahead takes some seconds the first time.
        layer: "feature", "embedding", or "untrained" for the encoder before training.
    """
    _one_of("projection", projection, PROJECTORS)
    _one_of("layer", layer, MAP_LAYERS)
    data = library.dataset(_model(model))
    run, kind = library.layer_run(model, layer)
    points = map_points(run, data, projection, kind, features=lambda: library.shown_features(model, layer))
    return [
        {"name": data.names[row], "class": data.family_names[int(data.families[row])], "x": x, "y": y}
        for row, (x, y) in zip(data.shown.tolist(), _numbers(points), strict=True)
    ]


PUBLIC: tuple[Callable[..., Any], ...] = (list_models, augment, similarity, loss_anatomy, search, project)


def parameters() -> dict[str, list[str]]:
    """The names of these functions, and of what each takes."""
    return {function.__name__: list(inspect.signature(function).parameters) for function in PUBLIC}


def offer() -> None:
    """Give the app these functions as named endpoints; call it inside `gr.Blocks`."""
    for function in PUBLIC:
        gr.api(_told(function), api_name=function.__name__)


def _told(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` for callers from outside: checks the types of what they give, and says a `UserError` as a sentence."""
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


def _model(name: str) -> str:
    try:
        library.config(name)
    except UserError:
        names = ", ".join(library.checkpoint_names())
        raise UserError(f"There is no model {quoted(name)!r}: choose one of {names}.") from None
    return name


def _image(model: str, image: str) -> Tensor:
    data = library.dataset(model)
    rows = library.choices(data)
    if image in rows:
        return data.images[rows[image]][None]
    if not image.startswith("data:"):
        raise UserError(f"{quoted(image)!r} is neither an image of {data.title} nor a data URL (data:image/png;base64,...).")
    if len(image) > 4 / 3 * MOST_BYTES + 100:
        raise UserError(f"The image is too large: give one of at most {MOST_BYTES // 1_000_000} MB.")
    try:
        content = base64.b64decode(image.partition(",")[2], validate=True)
    except ValueError:  # letters outside ASCII are one, too
        raise UserError("The data URL is not in base64: encode the image's file and put it after the comma.") from None
    return to_tensor(decode_image(content, "The image"), library.run(model).size)


def _sized(model: str, image: str) -> Tensor:
    """`_image` at the side the model takes, (1, 3, S, S) uint8."""
    found, size = _image(model, image), library.run(model).size
    return found if found.shape[-1] == size else to_tensor(images.to_image(found[0]), size)


def _numbers(values: Tensor) -> Any:
    return values.double().tolist()


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UserError(f"{name} must be {least} to {most}, but it was {quoted(value)}.")


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UserError(f"{name} must be one of {', '.join(known)}, but it was {quoted(repr(value))}.")
