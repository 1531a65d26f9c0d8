"""The command line: every command with its options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from cl_core.cli import data, hub, words
from cl_core.cli.evaluate import evaluate as run_evaluate
from cl_core.cli.experiment import NAMES
from cl_core.cli.experiment import experiment as run_experiment
from cl_core.cli.export import export as run_export
from cl_core.cli.listing import show_list
from cl_core.cli.project import project as run_project
from cl_core.cli.search import search as run_search
from cl_core.cli.sweep import sweep as run_sweep
from cl_core.cli.train import train as run_train
from cl_core.errors import EXIT_USER_ERROR, UserError, from_validation
from cl_core.runs.options import add_settings


def _parser() -> argparse.ArgumentParser:
    from cl_core.runs.config import RunConfig

    parser = argparse.ArgumentParser(prog="python -m cl_core", description="Train, look at and search with contrastive models.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(call=run)
        return sub

    train = command("train", run_train, "Train a model; goes on with an unfinished run.")
    # torchrun takes --run for an option of its own, cut short.
    train.add_argument("--run", "--run-dir", type=Path, required=True, metavar="DIR", help="folder the run is kept in")
    train.add_argument("--like", metavar="NAME|DIR", help="take the settings of this run; options given here come on top")
    train.add_argument("--save-every", type=float, default=30, metavar="S", help="seconds between saves (default: 30)")
    train.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    add_settings(train, RunConfig)

    sweep = command("sweep", run_sweep, "Train every combination of the values given, e.g. --lr 1e-3 3e-3 --batch-size 128 256.")
    sweep.add_argument("--run", type=Path, required=True, metavar="DIR", help="folder of the runs, the table and the heat map")
    sweep.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    add_settings(sweep, RunConfig, several=True)

    experiment = command("experiment", run_experiment, "A published small experiment with SupCon, beside its figures.")
    experiment.add_argument("name", choices=NAMES)
    experiment.add_argument("--full", action="store_true", help="mnist-*: all 70,000 digits, fetched once (12 MB)")
    experiment.add_argument("--seeds", type=_positive, metavar="N", help="how many times (default: 5 for iris, else 1)")
    experiment.add_argument("--epochs", type=_positive, metavar="N", help="of the encoder (default: the source's)")
    experiment.add_argument("--out", type=Path, metavar="DIR", help="where the result and the map go (default: runs/NAME)")

    listing = command("list", show_list, "Show data sets, methods, encoders, checkpoints and runs.")
    listing.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where to look for runs (default: runs)")

    evaluate = command(
        "evaluate", run_evaluate, "kNN, linear probe, clusters and geometry beside raw pixels and the untrained encoder."
    )
    search = command("search", run_search, "Find the images most like yours.")
    search.add_argument("images", nargs="+", type=Path, metavar="IMAGE|FOLDER")
    search.add_argument("--top", type=_positive, default=5, help="answers an image (default: 5)")
    for sub in (evaluate, search):
        sub.add_argument("--checkpoint", required=True, metavar="NAME|DIR", help="a shipped checkpoint or a run folder")
        sub.add_argument("--dataset", help="other images than those the run learned from")
    for sub in (listing, evaluate, search, sweep, experiment):
        sub.add_argument("--json", action="store_true", help="print JSON")

    project = command("project", run_project, "Compute a run's maps (PCA, t-SNE, UMAP) ahead and keep them beside it.")
    project.add_argument("--checkpoint", required=True, metavar="NAME|DIR")

    export = command("export", run_export, "Write a finished run to a folder fit to be shared: small, opened like any other.")
    export.add_argument("--run", required=True, metavar="NAME|DIR", help="a run folder or a shipped checkpoint")
    export.add_argument("--to", type=Path, required=True, metavar="DIR", help="the folder to write; it must not exist yet")

    pull = command("pull", hub.pull, "Bring a run from the Hugging Face Hub; from then on it is there without the Hub.")
    pull.add_argument("repository", metavar="OWNER/NAME[@REVISION]", help="revision: a branch, a tag or a commit (default: main)")
    encoder = command(
        "encoder", hub.encoder, "Bring a public encoder of timm's from the Hub; from then on it is used as any run."
    )
    encoder.add_argument(
        "repository", nargs="?", metavar="[hf-hub:]OWNER/NAME[@REVISION]", help="default: list some that were tried"
    )
    encoder.add_argument("--dataset", default="emoji", help="the images it is to look at (default: emoji)")
    encoder.add_argument(
        "--image-size", type=_side, default=0, metavar="PX", help="side it takes (default: its own, at most 256)"
    )
    push = command("push", hub.push, "Publish a finished run on the Hugging Face Hub, with a page that says what it is.")
    push.add_argument("run", metavar="RUN", help="a run folder or a shipped checkpoint")
    push.add_argument("repository", metavar="OWNER/NAME", help="where to; made if there is none")
    deploy = command("deploy", hub.deploy, "Make this app a Space of the Hugging Face Hub, or bring that up to date.")
    deploy.add_argument("repository", metavar="OWNER/NAME", help="the Space; made if there is none")
    deploy.add_argument(
        "--hardware", metavar="NAME", help="cpu-basic, zero-a10g, t4-small, ... (default: as it is, or cpu-basic)"
    )
    deploy.add_argument("--checkpoints", nargs="+", metavar="NAME", help="the models to show (default: all that are shipped)")
    deploy.add_argument("--dry-run", action="store_true", help="print the files and their sizes, send nothing")
    for sub in (push, deploy):
        sub.add_argument("--private", action="store_true", help="for you alone, if the repository is made now")
    _add_data(commands)
    _add_words(commands)
    return parser


def _add_data(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "Bring images onto this machine, once, under a name to train on and search in."
    actions = commands.add_parser("data", help=text, description=text).add_subparsers(dest="action", required=True)

    get = actions.add_parser("get", help="fetch a public data set", description="Fetch a public data set (cifar10).")
    get.add_argument("name", metavar="NAME")
    get.set_defaults(call=data.get)

    text = "Take the images of a folder or archive: a folder a class; train and test (or val) folders above them are parts."
    add = actions.add_parser("add", help="take the images of a folder or archive", description=text)
    add.add_argument("name", metavar="NAME", help="what to call them: small letters, digits, dots, dashes")
    add.add_argument("images", type=Path, metavar="FOLDER|ARCHIVE", help="a folder, or a zip or tar archive")
    add.add_argument("--title", default="", help="what to call them where figures are printed (default: the name)")
    add.add_argument("--license", default="", help="under which terms they may be used")
    add.add_argument("--size", type=_side, default=0, metavar="PX", help="side they are kept at (default: their own, at most 64)")
    add.set_defaults(call=data.add)


def _add_words(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from cl_core.words.config import PRESETS, WordConfig

    text = "Word vectors by noise-contrastive estimation: train them, ask them."
    questions = commands.add_parser("words", help=text, description=text).add_subparsers(dest="question", required=True)

    def question(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = questions.add_parser(name, help=text, description=text)
        sub.set_defaults(call=run)
        return sub

    train = question("train", words.train, "Learn word vectors from a text; goes on with an unfinished run.")
    train.add_argument("--run", type=Path, required=True, metavar="DIR", help="folder the run is kept in")
    train.add_argument("--preset", choices=PRESETS, help="settings to start from; options given here come on top")
    train.add_argument("--save-every", type=float, default=30, metavar="S", help="seconds between saves (default: 30)")
    train.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    add_settings(train, WordConfig)

    similar = question("similar", words.similar, "The words most like a word, or the cosine of two.")
    similar.add_argument("words", nargs="+", metavar="WORD")
    similar.add_argument("--each", action="store_true", help="of two words, too, list the words like each")
    analogy = question("analogy", words.analogy, "A word by arithmetic, such as: king - man + woman.")
    analogy.add_argument("terms", nargs="+", metavar="WORD|SIGN")
    evaluate = question("evaluate", words.evaluate, "log Z over contexts, and agreement with people's judgments.")
    evaluate.add_argument("--pairs", type=Path, nargs="+", default=[], metavar="FILE", help="two words and a number a line")
    project = question("project", words.project, "Compute the map of the most frequent words ahead and keep it beside the run.")
    for sub in (similar, analogy):
        sub.add_argument("--top", type=_positive, default=10, help="answers (default: 10)")
    for sub in (similar, analogy, evaluate, project):
        sub.add_argument("--checkpoint", default="words-wordnet", metavar="NAME|DIR", help="default: words-wordnet")
    for sub in (similar, analogy, evaluate):
        sub.add_argument("--json", action="store_true", help="print JSON")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number of at least 1 is needed, not {text!r}")
    return int(text)


def _side(text: str) -> int:
    if not text.isdigit() or not 8 <= int(text) <= 512:
        raise argparse.ArgumentTypeError(f"a whole number of pixels from 8 to 512 is needed, not {text!r}")
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
