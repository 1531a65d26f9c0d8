"""`words`: train word vectors, and ask them."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cl_core.runs.options import given_settings

if TYPE_CHECKING:
    from cl_core.words.questions import Answer, WordSpace
    from cl_core.words.run_folder import WordRun


def train(arguments: argparse.Namespace) -> int:
    from cl_core.cli.follow import follow
    from cl_core.system.device import choose_device
    from cl_core.words.config import PRESETS, WordConfig
    from cl_core.words.recorder import start

    settings = (PRESETS[arguments.preset] if arguments.preset else {}) | given_settings(arguments, WordConfig)
    session = start(arguments.run, settings, choose_device(arguments.device))
    if session is None:
        print(f"The run in {arguments.run} is finished; choose another folder to train again.")
        return 0
    training = session.training
    vocabulary = training.corpus.vocabulary
    print(f"{training.corpus.total:,} words, {len(vocabulary):,} of them different and frequent enough.", file=sys.stderr)

    def report(bar: Any, event: Any) -> None:
        bar.set_postfix_str(
            f"loss {event.loss:.3f}, accuracy {event.accuracy:.1%}, {event.words_per_s:,.0f} words/s", refresh=False
        )

    if not follow(session.events(arguments.save_every), training, report):
        return 130
    print(f"Finished: {arguments.run}")
    last, log_z = session.record.metrics["last"], session.record.metrics["log_z"]
    print(f"loss {last['loss']:.3f}, accuracy {last['accuracy']:.1%}, log Z {log_z['mean']:+.2f} ± {log_z['std']:.2f}")
    return 0


def similar(arguments: argparse.Namespace) -> int:
    space = _space(_open(arguments))
    if len(arguments.words) == 2 and not arguments.each:
        cosine = space.cosine(*arguments.words)
        print(json.dumps({"words": arguments.words, "cosine": cosine}) if arguments.json else f"{cosine:+.3f}")
        return 0
    found = {word: space.similar(word, arguments.top) for word in arguments.words}
    _show(found, arguments.json)
    return 0


def analogy(arguments: argparse.Namespace) -> int:
    from cl_core.words.questions import parse_analogy

    plus, minus = parse_analogy(arguments.terms)
    _show({" ".join(arguments.terms): _space(_open(arguments)).analogy(plus, minus, arguments.top)}, arguments.json)
    return 0


def evaluate(arguments: argparse.Namespace) -> int:
    from cl_core.words.evaluation import agreement, log_partition_over_contexts, read_judgments
    from cl_core.words.training import noise_log_kq

    run = _open(arguments)
    space = _space(run)
    files: list[Path] = arguments.pairs
    agreements = [agreement(space, read_judgments(file), file.stem) for file in files]
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
    metrics["agreement"] = [dataclasses.asdict(each) for each in agreements]
    if arguments.json:
        print(json.dumps(metrics, indent=2))
        return 0
    print(f"{run.name}: {run.record.config.loss}, {len(run.vocabulary):,} words, dimension {run.record.config.dim}")
    if metrics["last"]:
        print(f"loss {metrics['last']['loss']:.3f}, accuracy {metrics['last']['accuracy']:.1%} (mean of the last steps)")
    print(f"log Z {log_z.mean:+.2f} ± {log_z.std:.2f}: {log_z.protocol()}")
    if "log_z_with_log_kq" in metrics:
        print(f"log Z of score + log(k q) {log_p.mean:+.2f} ± {log_p.std:.2f}")
    for each in agreements:
        agreed = "too few known pairs" if each.spearman is None else f"Spearman {each.spearman:.3f}"
        print(f"{each.name}: {agreed} ({each.known} of {each.pairs} pairs have both words known)")
    return 0


def project(arguments: argparse.Namespace) -> int:
    from cl_core.words.maps import compute_word_maps

    run = _open(arguments)
    for projector in compute_word_maps(run):
        print(f"{run.name}: {projector} kept in {run.folder.path / 'projections'}")
    return 0


def _open(arguments: argparse.Namespace) -> WordRun:
    from cl_core.words.run_folder import find_words, open_words

    return open_words(find_words(arguments.checkpoint))


def _space(run: WordRun) -> WordSpace:
    from cl_core.words.questions import WordSpace

    return WordSpace.of(run.vocabulary, run.vectors)


def _show(found: dict[str, list[Answer]], as_json: bool) -> None:
    if as_json:
        answers = {asked: [dataclasses.asdict(answer) for answer in answers] for asked, answers in found.items()}
        print(json.dumps(answers, indent=2, ensure_ascii=False))
        return
    for asked, listed in found.items():
        print(asked)
        for answer in listed:
            print(f"  {answer.cosine:+.3f}  {answer.word}")
