"""`experiment`: repeat a small published experiment."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from cl_core.cli.options import Commands, add_command, add_json, positive, progress_bar
from cl_core.errors import UserError

NAMES = ("iris", "mnist-cnn", "mnist-mlp")
MAP_ROWS = 2000


def add_parser(commands: Commands) -> None:
    description = "Repeat a small published experiment with SupCon and compare its accuracies with the published ones."
    parser = add_command(commands, "experiment", experiment, description)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--full", action="store_true", help="mnist-*: all 70,000 digits, downloaded once (12 MB)")
    parser.add_argument("--seeds", type=positive, metavar="N", help="number of repetitions (default: 5 for iris, else 1)")
    parser.add_argument("--epochs", type=positive, metavar="N", help="epochs of the encoder (default: as published)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the result and the maps (default: runs/NAME)")
    add_json(parser)


def experiment(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from cl_core.data.downloads import get as download
    from cl_core.system.files import write_json
    from cl_core.training.experiments import experiments, run_experiment

    chosen = experiments(arguments.full)[arguments.name]
    if arguments.full and arguments.name == "iris":
        raise UserError("cli.full_iris")
    if arguments.full:
        with progress_bar("mnist-full") as fetched:
            download("mnist-full", fetched)
    folder: Path = arguments.out or Path("runs") / chosen.name
    seeds = arguments.seeds or (5 if arguments.name == "iris" else 1)
    epochs = arguments.epochs or chosen.epochs
    chosen = dataclasses.replace(chosen, epochs=epochs)
    write_json(folder / "settings.json", {"experiment": chosen.name, "settings": chosen.settings()})
    with tqdm(total=seeds * epochs, unit="epoch", file=sys.stderr) as bar:

        def progress(loss: float) -> None:
            bar.update(1)
            bar.set_postfix_str(f"loss {loss:.3f}")

        outcome, task, encoders = run_experiment(chosen, seeds, progress)
    last = chosen.head_epochs
    report: dict[str, Any] = {
        "experiment": chosen.name,
        "settings": chosen.settings(),
        "data": f"{len(task.train):,} train, {len(task.test):,} test",
        "seeds": seeds,
        "accuracies": {f"after {n}": dict(zip(("trained", "random"), outcome.after(n), strict=True)) for n in (1, last)},
        "source": {"trained": chosen.source_trained, "random": chosen.source_random, "note": chosen.source_note},
    }
    write_json(folder / "result.json", report | dataclasses.asdict(outcome))
    _write_maps(folder, task, encoders)
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        _print(report, last)
        print(f"Result: {folder / 'result.json'}; maps of the test split: {folder / 'trained.html'}, {folder / 'random.html'}")
    return 0


def _print(report: dict[str, Any], last: int) -> None:
    print(f"{report['experiment']}: {report['settings']}")
    print(f"{report['data']}; mean of {report['seeds']} seed(s)")
    first, final, source = report["accuracies"]["after 1"], report["accuracies"][f"after {last}"], report["source"]
    print(f"\n{'accuracy of a linear head':<28}{'1 epoch':>10}{f'{last} epochs':>11}{'source':>9}")
    for key, name in (("trained", "on the trained encoder"), ("random", "on the random encoder")):
        published = "" if source[key] is None else f"{source[key]:.1%}"
        print(f"{name:<28}{first[key]:>10.1%}{final[key]:>11.1%}{published:>9}")
    margins = [f"{f['trained'] - f['random']:.1%}" for f in (first, final)]
    published = "" if source["random"] is None else f"{source['trained'] - source['random']:.1%}"
    print(f"{'margin':<28}{margins[0]:>10}{margins[1]:>11}{published:>9}")
    print(f"(source: {source['note']})\n")


def _write_maps(folder: Path, task: Any, encoders: tuple[Any, Any]) -> None:
    """Write t-SNE maps of the test split's features from both encoders, colored by class."""
    import torch
    import torch.nn.functional as F

    from cl_core.data.dataset import spaced
    from cl_core.explore.projection import tsne
    from cl_core.figures.page import write_page
    from cl_core.figures.scatter import map_figure
    from cl_core.training.experiments import features_of

    rows = spaced(torch.arange(len(task.test)), MAP_ROWS)
    labels = task.test_labels[rows]
    for name, encoder in zip(("trained", "random"), encoders, strict=True):
        points = tsne(F.normalize(features_of(encoder, task.test[rows]), dim=1))
        write_page(map_figure(points, labels, [str(c) for c in range(task.classes)]), folder / f"{name}.html")
