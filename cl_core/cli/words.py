"""`words`: train word vectors and query them."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cl_core.cli.options import Call, Commands, add_device, add_json, add_save_every, positive
from cl_core.runs.options import add_settings, given_settings

if TYPE_CHECKING:
    from cl_core.words.folder import WordRun
    from cl_core.words.similarity import Answer, WordSpace


def add_parser(commands: Commands) -> None:
    from cl_core.words.config import PRESETS, WordConfig

    description = "Word vectors by noise-contrastive estimation: train and query them."
    actions = commands.add_parser("words", help=description, description=description).add_subparsers(dest="action", required=True)

    def action(name: str, call: Call, description: str) -> argparse.ArgumentParser:
        parser = actions.add_parser(name, help=description, description=description)
        parser.set_defaults(call=call)
        return parser

    parser = action("train", train, "Train word vectors on a text; resumes an unfinished run.")
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="folder of the run")
    parser.add_argument("--preset", choices=PRESETS, help="settings to start from; options given here override them")
    add_save_every(parser)
    add_device(parser)
    add_settings(parser, WordConfig)

    parser = action("similar", similar, "List the words most similar to a word, or print the cosine of two words.")
    parser.add_argument("words", nargs="+", metavar="WORD")
    parser.add_argument("--each", action="store_true", help="with two words: list the words similar to each")
    _add_top(parser)
    _add_checkpoint(parser)
    add_json(parser)

    parser = action("analogy", analogy, "Solve an analogy, such as: king - man + woman.")
    parser.add_argument("terms", nargs="+", metavar="WORD|SIGN")
    _add_top(parser)
    _add_checkpoint(parser)
    add_json(parser)

    parser = action("evaluate", evaluate, "Measure log Z over contexts, and the agreement of cosines with human ratings.")
    parser.add_argument("--pairs", type=Path, nargs="+", default=[], metavar="FILE", help="two words and a rating per line")
    _add_checkpoint(parser)
    add_json(parser)

    parser = action("project", project, "Compute the map of the most frequent words in advance and store it beside the run.")
    _add_checkpoint(parser)


def _add_top(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--top", type=positive, default=10, help="number of results (default: 10)")


def _add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", default="words-wordnet", metavar="NAME|DIR", help="default: words-wordnet")


def train(arguments: argparse.Namespace) -> int:
    from cl_core.cli.follow import follow
    from cl_core.system.device import choose_device
    from cl_core.words.config import PRESETS, WordConfig
    from cl_core.words.recorder import start

    settings = (PRESETS[arguments.preset] if arguments.preset else {}) | given_settings(arguments, WordConfig)
    recorder = start(arguments.run, settings, choose_device(arguments.device))
    if recorder is None:
        print(f"The run in {arguments.run} is finished; choose another folder to train again.")
        return 0
    training = recorder.training
    vocabulary = training.corpus.vocabulary
    print(f"{training.corpus.total:,} words, vocabulary of {len(vocabulary):,}.", file=sys.stderr)

    def report(bar: Any, event: Any) -> None:
        bar.set_postfix_str(
            f"loss {event.loss:.3f}, accuracy {event.accuracy:.1%}, {event.words_per_s:,.0f} words/s", refresh=False
        )

    if not follow(recorder.events(arguments.save_every), training, report):
        return 130
    print(f"Finished: {arguments.run}")
    last, log_z = recorder.record.metrics["last"], recorder.record.metrics["log_z"]
    print(f"loss {last['loss']:.3f}, accuracy {last['accuracy']:.1%}, log Z {log_z['mean']:+.2f} ± {log_z['std']:.2f}")
    return 0


def similar(arguments: argparse.Namespace) -> int:
    space = _space(_open(arguments))
    if len(arguments.words) == 2 and not arguments.each:
        cosine = space.cosine(*arguments.words)
        print(json.dumps({"words": arguments.words, "cosine": cosine}) if arguments.json else f"{cosine:+.3f}")
        return 0
    _print({word: space.similar(word, arguments.top) for word in arguments.words}, arguments.json)
    return 0


def analogy(arguments: argparse.Namespace) -> int:
    from cl_core.words.similarity import parse_analogy

    plus, minus = parse_analogy(arguments.terms)
    _print({" ".join(arguments.terms): _space(_open(arguments)).analogy(plus, minus, arguments.top)}, arguments.json)
    return 0


def evaluate(arguments: argparse.Namespace) -> int:
    from cl_core.words.evaluation import log_partition_over_contexts, rating_correlation, read_ratings
    from cl_core.words.training import noise_log_kq

    run = _open(arguments)
    space = _space(run)
    files: list[Path] = arguments.pairs
    correlations = [rating_correlation(space, read_ratings(file), file.stem) for file in files]
    log_z = log_partition_over_contexts(run.vectors, run.vocabulary.counts)
    metrics: dict[str, Any] = {
        "checkpoint": run.name,
        "loss": run.record.config.loss,
        "vocabulary": len(run.vocabulary),
        "last": run.record.metrics.get("last"),
        "log_z": dataclasses.asdict(log_z),
    }
    if run.record.config.loss == "negative-sampling":
        counts = run.vocabulary.counts
        log_p = log_partition_over_contexts(run.vectors, counts, noise_log_kq(run.record.config, counts))
        metrics["log_z_with_log_kq"] = dataclasses.asdict(log_p)
    metrics["agreement"] = [dataclasses.asdict(each) for each in correlations]
    if arguments.json:
        print(json.dumps(metrics, indent=2))
        return 0
    print(f"{run.name}: {run.record.config.loss}, {len(run.vocabulary):,} words, dimension {run.record.config.dim}")
    if metrics["last"]:
        print(f"loss {metrics['last']['loss']:.3f}, accuracy {metrics['last']['accuracy']:.1%} (mean of the last steps)")
    print(f"log Z {log_z.mean:+.2f} ± {log_z.std:.2f}: {log_z.protocol()}")
    if "log_z_with_log_kq" in metrics:
        print(f"log Z of score + log(k q) {log_p.mean:+.2f} ± {log_p.std:.2f}")
    for each in correlations:
        correlation = "too few pairs" if each.spearman is None else f"Spearman {each.spearman:.3f}"
        print(f"{each.name}: {correlation} ({each.in_vocabulary} of {each.pairs} pairs are in the vocabulary)")
    return 0


def project(arguments: argparse.Namespace) -> int:
    from cl_core.words.maps import compute_word_maps

    run = _open(arguments)
    for projector in compute_word_maps(run):
        print(f"{run.name}: {projector} written to {run.folder.path / 'projections'}")
    return 0


def _open(arguments: argparse.Namespace) -> WordRun:
    from cl_core.words.folder import find_words, open_words

    return open_words(find_words(arguments.checkpoint))


def _space(run: WordRun) -> WordSpace:
    from cl_core.words.similarity import WordSpace

    return WordSpace.of(run.vocabulary, run.vectors)


def _print(answers: dict[str, list[Answer]], as_json: bool) -> None:
    if as_json:
        listed = {query: [dataclasses.asdict(answer) for answer in found] for query, found in answers.items()}
        print(json.dumps(listed, indent=2, ensure_ascii=False))
        return
    for query, found in answers.items():
        print(query)
        for answer in found:
            print(f"  {answer.cosine:+.3f}  {answer.word}")
