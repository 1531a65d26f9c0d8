"""Recording a training run on words into its folder: start, save, resume."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from cl_core.errors import quoted
from cl_core.runs.config import RunState
from cl_core.text import text
from cl_core.training.recorder import Recorder, resolve_settings
from cl_core.words.config import WordConfig
from cl_core.words.corpus import READ_BYTES, Corpus, build_corpus, decode, read_parts, read_sentences, synthetic, wordnet
from cl_core.words.evaluation import log_partition_over_contexts
from cl_core.words.folder import WordFolder, WordRecord
from cl_core.words.training import Event, WordsLogged, WordTraining

STANDARD_INPUT = "-"


class WordRecorder(Recorder[Event, WordRecord]):
    """A `WordTraining` and the folder that stores its run."""

    def __init__(self, folder: WordFolder, config: WordConfig, corpus: Corpus, device: torch.device, resume: bool) -> None:
        self.training = WordTraining(config, corpus, device)
        if not resume:
            folder.write_corpus(corpus)
        super().__init__(folder, self.training, WordRecord(config=config, words=corpus.total), device, resume)

    def _record(self, event: Event) -> None:
        if isinstance(event, WordsLogged):
            point = dataclasses.asdict(event)
            self.folder.append_metrics({"kind": "loss", **point})
            self.record.metrics["last"] = {name: point[name] for name in ("loss", "accuracy", "recall", "words_per_s")}

    def _weights(self) -> dict[str, torch.Tensor]:
        return self.training.vectors.tensors()

    def save(self, state: RunState) -> None:
        """As in the base class, but a state with values that are not finite never replaces a good one."""
        if self.training.is_finite():
            super().save(state)
        else:
            self._write_record(state)

    def _complete(self) -> None:
        vectors, counts = self.training.vectors, self.training.corpus.vocabulary.counts
        self.record.metrics["log_z"] = dataclasses.asdict(log_partition_over_contexts(vectors, counts))


def sentences_of(config: WordConfig, pasted: str | None = None) -> Iterable[list[str]]:
    """The sentences of `config.text`; for `-` those of `pasted`, or of standard input.

    Raises:
        UserError: while reading, if a file cannot be read or is not a text.
    """
    if config.text == "wordnet":
        return wordnet()
    if config.text == "synthetic":
        return synthetic(config.synthetic_vocabulary, config.synthetic_length, config.seed)
    if config.text == STANDARD_INPUT:
        if pasted is not None:
            return read_sentences([pasted])
        parts = iter(partial(sys.stdin.buffer.read, READ_BYTES), b"")
        return read_sentences(decode(parts, text("words.standard_input")))
    path = Path(config.text)
    return read_sentences(decode(read_parts(path), quoted(path)))


def start(path: Path, settings: dict[str, Any], device: torch.device, pasted: str | None = None) -> WordRecorder | None:
    """Start a run in `path`, or resume the unfinished one there; None if it is finished.

    Args:
        settings: the given settings; those of a run in the folder must be the same.
        pasted: the text if `settings["text"]` is `-`; by default standard input is read.

    Raises:
        UserError: the folder holds something else or a run with other settings, or the text is too short or too long.
        ValidationError: a setting is out of range.
    """
    folder = WordFolder(path)
    begun = resolve_settings(folder, WordConfig, settings)
    if begun is None:
        return None
    config, resume = begun
    if resume or folder.exists():
        corpus = folder.read_corpus()
    else:
        sentences = sentences_of(config, pasted)
        corpus = build_corpus(sentences, config.min_count, config.vocabulary_size, config.max_words)
    return WordRecorder(folder, config, corpus, device, resume)
