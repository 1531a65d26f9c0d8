"""The model card of a published run: settings, curves, metrics with their protocol, license of the data, usage."""

from __future__ import annotations

from huggingface_hub import EvalResult, ModelCardData

from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.evaluation.geometry import Geometry
from cl_core.evaluation.knn import KnnResult
from cl_core.runs.config import NO_DRAWINGS
from cl_core.runs.record import RunRecord
from cl_core.text import DEFAULT_LANGUAGE, using_language

CURVES_FILE = "curves.png"
APP_NAME = "Contrastive Explorer"


def model_card(record: RunRecord, repository: str, curves: bool) -> str:
    """README.md of the repository OWNER/NAME that holds the run.

    Args:
        curves: whether the repository has the image `CURVES_FILE`.
    """
    config, metrics = record.config, record.metrics
    title, license = _title_and_license(config.dataset)
    images = title
    if config.drawings != NO_DRAWINGS:
        others, their_license = _title_and_license(config.drawings)
        images, license = f"{title} and {others}", f"{license}; {others}: {their_license}"
    knn = metrics.get("knn")
    results = (
        [
            EvalResult(
                task_type="image-classification",
                task_name="kNN on frozen features",
                dataset_type=config.dataset,
                dataset_name=title,
                metric_type="accuracy",
                metric_name=f"top-1, k = {knn['k']}",
                metric_value=round(knn["accuracy"], 4),
            )
        ]
        if knn
        else None
    )
    front = ModelCardData(
        license="other",
        license_name="license-of-the-data",
        library_name="contrastive-explorer",
        pipeline_tag="image-feature-extraction",
        tags=["contrastive-learning", "self-supervised-learning", config.method, config.encoder],
        model_name=repository.split("/")[1],
        eval_results=results,
    )
    parts = [
        f"---\n{front.to_yaml()}\n---",
        f"# {repository.split('/')[1]}",
        f"A {config.encoder} trained by {config.method} on {images}, {config.epochs} epochs, with {APP_NAME}.",
        *([f"![Training curves]({CURVES_FILE})"] if curves else []),
        "## Metrics",
        _metrics(record),
        "## Usage",
        _usage(repository),
        "## Settings",
        _settings(record),
        "## License",
        f"Training data: {license}. The use of the weights is subject to this license.",
        "## Limitations",
        "A small model for studying contrastive learning; the metrics above hold for the data above.",
    ]
    return "\n\n".join(parts) + "\n"


def _title_and_license(name: str) -> tuple[str, str]:
    """Of a data set, or its name and "unknown" if its images are no longer on this machine."""
    try:
        data = load_dataset(name)
    except UserError:
        return name, "unknown"
    return data.title, data.license


def _metrics(record: RunRecord) -> str:
    metrics = record.metrics
    rows = []
    for key, name in (("knn", "kNN of the features"), ("pixels", "kNN of raw pixels")):
        if metrics.get(key):
            rows.append((name, f"{100 * metrics[key]['accuracy']:.1f} %"))
    for key, name in (("alignment", "Alignment"), ("uniformity", "Uniformity"), ("std", "Std of the embeddings")):
        if metrics.get("geometry", {}).get(key) is not None:
            rows.append((name, f"{metrics['geometry'][key]:.3f}"))
    table = _table(("", ""), rows) if rows else "No metrics were measured."
    knn, geometry = KnnResult.from_metrics(metrics.get("knn")), Geometry.from_metrics(metrics.get("geometry"))
    with using_language(DEFAULT_LANGUAGE):  # as all pages of the Hub
        protocols = [each.protocol() for each in (knn, geometry) if each]
    protocol = " ".join(f"{each[0].upper()}{each[1:]}." for each in protocols)
    seconds = f"Trained for {record.seconds / 60:,.0f} minutes on {record.device or 'an unknown device'}, {record.step:,} steps."
    return "\n\n".join(part for part in (table, protocol, seconds) if part)


def _usage(repository: str) -> str:
    return f"""With {APP_NAME} and its requirements installed:

```
python -m cl_core pull {repository}
python -m cl_core search --checkpoint {repository} IMAGE
```

```python
import torch

from cl_core.hub.pull import pull
from cl_core.runs.store import open_run, run_features

run = open_run(pull("{repository}"))
images = torch.randint(0, 256, (4, 3, run.size, run.size), dtype=torch.uint8)  # your images
features = run_features(run, images)  # (4, D), rows of length 1: dot products are cosines
print(features.shape)
```

The files are JSON and safetensors: opening them cannot run code."""


def _settings(record: RunRecord) -> str:
    settings = record.config.model_dump(mode="json", exclude={"augment"})
    augment = {f"augment.{key}": value for key, value in record.config.augment.model_dump(mode="json").items()}
    rows = [(f"`{key}`", f"`{value}`") for key, value in (settings | {"image_size": record.image_size} | augment).items()]
    return (
        _table(("Setting", "Value"), rows) + "\n\n" + ", ".join(f"{name} {version}" for name, version in record.versions.items())
    )


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, ("---", "---"), *rows)]
    return "\n".join(lines)
