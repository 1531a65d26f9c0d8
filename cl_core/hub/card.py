"""What a published run says of itself: settings, curves, protocol, figures, its data's licence, and how to use it."""

from __future__ import annotations

from huggingface_hub import EvalResult, ModelCardData

from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.runs.folder import RunRecord

CURVES_FILE = "curves.png"
SPACE = "Contrastive Explorer"


def model_card(record: RunRecord, repository: str, curves: bool) -> str:
    """README.md of the run in `repository` (OWNER/NAME)."""
    config, figures = record.config, record.figures
    try:
        data = load_dataset(config.dataset)
        title, licence = data.title, data.licence
    except UserError:  # its pictures have left this machine
        title, licence = config.dataset, "not known to who published this"
    knn = figures.get("knn")
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
        license_name="licence-of-the-data",
        library_name="contrastive-explorer",
        pipeline_tag="image-feature-extraction",
        tags=["contrastive-learning", "self-supervised-learning", config.method, config.encoder],
        model_name=repository.split("/")[1],
        eval_results=results,
    )
    parts = [
        f"---\n{front.to_yaml()}\n---",
        f"# {repository.split('/')[1]}",
        f"A {config.encoder} trained by {config.method} on {title}, {config.epochs} epochs, with {SPACE}.",
        *([f"![Curves of the training]({CURVES_FILE})"] if curves else []),
        "## Figures",
        _figures(record),
        "## Use",
        _use(repository),
        "## Settings",
        _settings(record),
        "## Licence",
        f"Learned from: {licence}. Whoever uses the weights does so under what that allows.",
        "## What it is not",
        "A small model for looking at how contrastive learning works; judge it by the figures above on the data above.",
    ]
    return "\n\n".join(parts) + "\n"


def _figures(record: RunRecord) -> str:
    figures = record.figures
    rows = []
    for key, name in (("knn", "kNN of the features"), ("pixels", "kNN of raw pixels")):
        if figures.get(key):
            rows.append((name, f"{100 * figures[key]['accuracy']:.1f} %"))
    for key, name in (("alignment", "Alignment"), ("uniformity", "Uniformity"), ("std", "Std of the outputs")):
        if figures.get("geometry", {}).get(key) is not None:
            rows.append((name, f"{figures['geometry'][key]:.3f}"))
    table = _table(("", ""), rows) if rows else "None were measured."
    protocol = " ".join(
        f"{figures[key][0].upper()}{figures[key][1:]}." for key in ("protocol", "geometry_protocol") if key in figures
    )
    seconds = f"Trained for {record.seconds / 60:,.0f} minutes on {record.device or 'an unknown device'}, {record.step:,} steps."
    return "\n\n".join(part for part in (table, protocol, seconds) if part)


def _use(repository: str) -> str:
    return f"""With {SPACE} and its requirements installed:

```
python -m cl_core pull {repository}
python -m cl_core search --checkpoint {repository} PICTURE
```

```python
import torch

from cl_core.hub.pull import pull
from cl_core.runs.store import open_run, run_features

run = open_run(pull("{repository}"))
pictures = torch.randint(0, 256, (4, 3, run.size, run.size), dtype=torch.uint8)  # yours go here
features = run_features(run, pictures)  # one row a picture, of length 1: dot products are cosines
print(features.shape)
```

run.json and safetensors only: opening it cannot run code."""


def _settings(record: RunRecord) -> str:
    settings = record.config.model_dump(mode="json", exclude={"views"})
    views = {f"views.{key}": value for key, value in record.config.views.model_dump(mode="json").items()}
    rows = [(f"`{key}`", f"`{value}`") for key, value in (settings | {"image_size": record.image_size} | views).items()]
    return (
        _table(("Setting", "Value"), rows) + "\n\n" + ", ".join(f"{name} {version}" for name, version in record.versions.items())
    )


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, ("---", "---"), *rows)]
    return "\n".join(lines)
