"""The folder of a run on words: the files of every run, and

vocabulary.json     the words, the most frequent first, and their counts
corpus.safetensors  the text as word indices, needed to resume; not part of a shipped checkpoint
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field

from cl_core.errors import UserError
from cl_core.runs.folder import Folder, find_folder, run_paths
from cl_core.runs.record import Record
from cl_core.system.files import fingerprint, read_bytes, write_bytes
from cl_core.system.paths import CHECKPOINTS
from cl_core.words.config import WordConfig
from cl_core.words.corpus import Corpus
from cl_core.words.model import WordVectors
from cl_core.words.vocabulary import Vocabulary

MAX_VOCABULARY = 500_000_000  # bytes


class WordRecord(Record):
    """The content of `run.json`."""

    kind: Literal["words"] = "words"
    config: WordConfig
    words: int = Field(0, ge=0, description="words of the text")


class WordFolder(Folder[WordRecord]):
    """The files of a run on words."""

    kind = "words"
    record_model = WordRecord
    before_record = Folder.before_record | {"vocabulary.json", "corpus.safetensors"}

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.vocabulary_file = path / "vocabulary.json"
        self.corpus_file = path / "corpus.safetensors"

    def write_vocabulary(self, vocabulary: Vocabulary) -> None:
        content = {"words": vocabulary.words, "counts": vocabulary.counts.tolist()}
        write_bytes(self.vocabulary_file, json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())

    def read_vocabulary(self) -> Vocabulary:
        try:
            content = json.loads(read_bytes(self.vocabulary_file, MAX_VOCABULARY))
            vocabulary = Vocabulary([str(word) for word in content["words"]], torch.tensor(content["counts"], dtype=torch.int64))
        except FileNotFoundError:
            raise UserError("runs.missing_file", file=str(self.vocabulary_file)) from None
        except (ValueError, KeyError, TypeError):
            raise UserError("words.bad_vocabulary", file=str(self.vocabulary_file)) from None
        if len(vocabulary.words) != len(vocabulary.counts):
            raise UserError("words.bad_vocabulary", file=str(self.vocabulary_file))
        return vocabulary

    def write_corpus(self, corpus: Corpus) -> None:
        self.write_vocabulary(corpus.vocabulary)
        self._write(self.corpus_file, {"ids": corpus.ids, "lengths": corpus.lengths}, {"total": str(corpus.total)})

    def read_corpus(self) -> Corpus:
        tensors, header = self._read(self.corpus_file)
        vocabulary = self.read_vocabulary()
        try:
            corpus = Corpus(vocabulary, tensors["ids"], tensors["lengths"], int(header["total"]))
        except (KeyError, ValueError):
            raise UserError("words.bad_corpus", file=str(self.corpus_file)) from None
        valid = len(corpus.ids) > 0 and int(corpus.ids.min()) >= 0 and int(corpus.ids.max()) < len(vocabulary)
        if not valid or int(corpus.lengths.sum()) != len(corpus.ids):
            raise UserError("words.corpus_mismatch", file=str(self.corpus_file), vocabulary=self.vocabulary_file.name)
        return corpus


@dataclasses.dataclass(frozen=True)
class WordRun:
    """An opened run, on the CPU.

    Attributes:
        key: fingerprint of the vectors' file.
    """

    folder: WordFolder
    record: WordRecord
    vocabulary: Vocabulary
    vectors: WordVectors
    key: str

    @property
    def name(self) -> str:
        return self.folder.name


def open_words(folder: WordFolder) -> WordRun:
    """Load vocabulary and vectors.

    Raises:
        UserError: a file is missing, damaged, or does not belong to the others.
    """
    record, vocabulary, tensors = folder.read_record(), folder.read_vocabulary(), folder.read_model()
    size = (len(vocabulary), record.config.dim)
    expected = {"center": size, "context": size, "bias": size[:1]}
    if {name: tuple(value.shape) for name, value in tensors.items()} != expected:
        raise UserError("words.model_mismatch", file=str(folder.model_file))
    folder.check_types(tensors, dict.fromkeys(expected, torch.float32))
    return WordRun(folder, record, vocabulary, WordVectors(**tensors), fingerprint(folder.model_file))


def shipped_words() -> list[WordFolder]:
    """Folders of runs on words below `checkpoints/`, by name."""
    return [WordFolder(path) for path in run_paths(CHECKPOINTS, "words")]


def find_words(name: str) -> WordFolder:
    """Find a shipped checkpoint by name or a run by its folder.

    Raises:
        UserError: neither exists.
    """
    return find_folder(name, shipped_words(), WordFolder)
