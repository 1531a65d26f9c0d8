"""The command line: train, list, evaluate, search, project."""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType, UnionType
from typing import Any

from pydantic import BaseModel, ValidationError

from cl_core.errors import UserError, from_validation

EXIT_USER_ERROR = 2


def _add_settings(parser: argparse.ArgumentParser, model: type[BaseModel], prefix: str = "") -> None:
    """One option a field of the settings; options not given stay out of the namespace."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            _add_settings(parser, kind, f"{prefix}{name}.")
            continue
        default = field.get_default(call_default_factory=True)
        default = f"{default:.4g}" if isinstance(default, float) else default
        parser.add_argument(
            f"--{prefix}{name}".replace("_", "-"),
            dest=prefix + name,
            default=argparse.SUPPRESS,
            metavar=name.upper(),
            help=f"{field.description} (default: {default})".replace("%", "%%"),
        )


def _settings(namespace: argparse.Namespace, model: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """The settings that were given, nested as the model is."""
    given: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and not isinstance(kind, UnionType) and issubclass(kind, BaseModel):
            nested = _settings(namespace, kind, f"{prefix}{name}.")
            if nested:
                given[name] = nested
        elif hasattr(namespace, prefix + name):
            given[name] = getattr(namespace, prefix + name)
    return given


def _train(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from cl_core.device import choose_device
    from cl_core.training import session as sessions
    from cl_core.training.config import RunConfig
    from cl_core.training.loop import Logged, Snapshot, StepDone

    settings = _settings(arguments, RunConfig)
    if arguments.like:
        from cl_core.runs import find_run

        settings = sessions.merge(find_run(arguments.like).read_record().config.model_dump(), settings)
    session = sessions.start(arguments.run, settings, choose_device(arguments.device))
    if session is None:
        print(f"The run in {arguments.run} is finished; choose another folder to train again.")
        return 0
    stop = _StopRequest()
    training = session.training
    last = ""
    with tqdm(total=training.total, initial=training.step, unit="step", file=sys.stderr) as bar:
        events = session.events(arguments.save_every)
        for event in events:
            if isinstance(event, StepDone):
                bar.update(event.step - bar.n)
                if stop.requested and event.step < training.total:
                    events.close()
                    bar.close()
                    print(
                        f"\nStopped at step {event.step:,} of {training.total:,}; the same command goes on from there.",
                        file=sys.stderr,
                    )
                    return 130
            elif isinstance(event, Logged):
                bar.set_postfix_str(f"loss {event.loss:.3f} (chance {event.chance:.2f}){last}")
            elif isinstance(event, Snapshot):
                last = f", kNN {event.knn.accuracy:.1%}"
                bar.write(f"epoch {event.epoch:.1f}: {event.words}; kNN {event.knn.accuracy:.1%}", file=sys.stderr)
    print(f"Finished: {arguments.run}")
    figures = session.record.figures
    if "knn" in figures:
        print(f"kNN {figures['knn']['accuracy']:.1%}: {figures['protocol']}")
        print(f"It is {figures['health']['words']}")
    return 0


class _StopRequest:
    """Ctrl-C and a polite kill ask for a stop at the next step; a second Ctrl-C does not wait."""

    def __init__(self) -> None:
        self.requested = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


def _list(arguments: argparse.Namespace) -> int:
    from cl_core.data.catalog import DATASETS, TABLES
    from cl_core.encoders import ENCODERS
    from cl_core.methods import METHODS
    from cl_core.runs import local_runs, shipped_runs

    listing: dict[str, list[dict[str, Any]]] = {
        "datasets": [_describe_dataset(name) for name in [*DATASETS, *TABLES]],
        "methods": [{"name": name} for name in METHODS],
        "encoders": [{"name": name} for name in ENCODERS],
        "checkpoints": [_describe_run(folder, folder.name) for folder in shipped_runs()],
        "runs": [_describe_run(folder, str(folder.path)) for folder in local_runs(arguments.runs)],
    }
    if arguments.json:
        print(json.dumps(listing, indent=2))
        return 0
    for heading, rows in listing.items():
        print(heading)
        for row in rows or [{"name": "(none)"}]:
            name, *rest = (f"{value:.1%} kNN" if isinstance(value, float) else str(value) for value in row.values() if value)
            print(f"  {name:<26}{'  '.join(rest)}")
    return 0


def _describe_dataset(name: str) -> dict[str, Any]:
    from cl_core.data.catalog import TABLES, load_dataset

    if name in TABLES:
        table = TABLES[name]()
        return {"name": name, "content": f"{len(table.values):,} rows x {table.values.shape[1]}", "licence": table.licence}
    data = load_dataset(name)
    return {"name": name, "content": f"{len(data):,} pictures {data.size}x{data.size}", "licence": data.licence}


def _describe_run(folder: Any, name: str) -> dict[str, Any]:
    try:
        record = folder.read_record()
    except UserError as error:
        return {"name": name, "state": "damaged", "problem": str(error)}
    accuracy = record.figures.get("knn", {}).get("accuracy")
    return {
        "name": name,
        "state": record.state,
        "dataset": record.config.dataset,
        "method": record.config.method,
        "steps": f"{record.step}/{record.total_steps}",
        "knn": None if accuracy is None else round(accuracy, 4),
    }


def _evaluate(arguments: argparse.Namespace) -> int:
    from cl_core.data.catalog import load_dataset
    from cl_core.evaluation.compare import compare_with_baselines
    from cl_core.runs import load_run

    run = load_run(arguments.checkpoint)
    dataset = load_dataset(arguments.dataset or run.record.config.dataset)
    rows = compare_with_baselines(run, dataset)
    if arguments.json:
        figures = {name: dataclasses.asdict(result) | {"protocol": result.protocol()} for name, result in rows.items()}
        print(
            json.dumps(
                {"checkpoint": run.name, "dataset": dataset.name, "layer": "feature h", "step": run.record.step, "knn": figures},
                indent=2,
            )
        )
        return 0
    print(f"{run.name} on {dataset.name}, feature h after step {run.record.step:,} (the last)")
    print(next(iter(rows.values())).protocol())
    for name, result in rows.items():
        print(f"  {name:<12} {result.accuracy:7.2%}")
    return 0


def _search(arguments: argparse.Namespace) -> int:
    import torch
    from torch import Tensor
    from tqdm import tqdm

    from cl_core.data.catalog import load_dataset
    from cl_core.data.decoding import decode_picture, find_pictures, is_animated, to_tensor
    from cl_core.retrieval import Neighbour, run_gallery
    from cl_core.runs import load_run

    run = load_run(arguments.checkpoint)
    files: list[Path] = []
    for path in arguments.pictures:
        files += find_pictures(path) if path.is_dir() else [path]
    queries: dict[Path, Tensor] = {}
    problems = []
    for file in files:
        try:
            queries[file] = to_tensor(decode_picture(file), run.size)
        except UserError as error:
            problems.append(str(error))
            continue
        if is_animated(file):
            print(f"{file.name} is animated: its first frame is searched for.", file=sys.stderr)
    found: list[list[Neighbour]] = []
    if queries:
        with tqdm(total=100, unit="%", desc="gallery", file=sys.stderr, leave=False, delay=1) as bar:
            dataset = load_dataset(arguments.dataset or run.record.config.dataset)
            gallery = run_gallery(run, dataset, lambda share: bar.update(round(100 * share) - bar.n))
        found = gallery.search(gallery.embedder(torch.cat(list(queries.values()))), arguments.top)
    answers = [
        {"query": str(file), "neighbours": [n.as_json() for n in neighbours]}
        for file, neighbours in zip(queries, found, strict=True)
    ]
    if arguments.json:
        print(json.dumps(answers, indent=2, ensure_ascii=False))
    else:
        for file, neighbours in zip(queries, found, strict=True):
            print(file)
            for n in neighbours:
                print(f"  {n.rank:>2}  {n.cosine:+.3f}  {n.name}  [{n.label}]  {n.id}")
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return EXIT_USER_ERROR if problems else 0


def _project(arguments: argparse.Namespace) -> int:
    from cl_core.data.catalog import load_dataset
    from cl_core.maps import compute_maps
    from cl_core.runs import load_run, untrained_like

    run = load_run(arguments.checkpoint)
    for each in (run, untrained_like(run)):
        for projector in compute_maps(each, load_dataset(run.record.config.dataset)):
            print(f"{each.name}: {projector} kept in {each.folder.path / 'projections'}")
    return 0


def _parser() -> argparse.ArgumentParser:
    from cl_core.training.config import RunConfig

    parser = argparse.ArgumentParser(prog="python -m cl_core", description="Train, look at and search with contrastive models.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(call=run)
        return sub

    train = command("train", _train, "Train a model; goes on with an unfinished run.")
    train.add_argument("--run", type=Path, required=True, metavar="DIR", help="folder the run is kept in")
    train.add_argument("--like", metavar="NAME|DIR", help="take the settings of this run; options given here come on top")
    train.add_argument("--save-every", type=float, default=30, metavar="S", help="seconds between saves (default: 30)")
    train.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    _add_settings(train, RunConfig)

    listing = command("list", _list, "Show data sets, methods, encoders, checkpoints and runs.")
    listing.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where to look for runs (default: runs)")

    evaluate = command("evaluate", _evaluate, "kNN accuracy beside raw pixels and the untrained encoder.")
    search = command("search", _search, "Find the pictures most like yours.")
    search.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE|FOLDER")
    search.add_argument("--top", type=_positive, default=5, help="answers a picture (default: 5)")
    for sub in (evaluate, search):
        sub.add_argument("--checkpoint", required=True, metavar="NAME|DIR", help="a shipped checkpoint or a run folder")
        sub.add_argument("--dataset", help="other pictures than those the run learned from")
    for sub in (listing, evaluate, search):
        sub.add_argument("--json", action="store_true", help="print JSON")

    project = command("project", _project, "Compute a run's maps (PCA, t-SNE, UMAP) ahead and keep them beside it.")
    project.add_argument("--checkpoint", required=True, metavar="NAME|DIR")
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1 is needed, not {text!r}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 is success, 2 an error of the user's, 130 a stop by Ctrl-C."""
    try:
        parsed = _parser().parse_args(arguments)
        return parsed.call(parsed)
    except ValidationError as error:
        print(f"error: {from_validation(error)}", file=sys.stderr)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    return EXIT_USER_ERROR
