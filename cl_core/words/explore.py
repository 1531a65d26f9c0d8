"""Word models for the page: vectors, similarities and maps, each computed once."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from cl_core.explore.projection import Projector
from cl_core.system.memo import Memo
from cl_core.words.folder import WordFolder, WordRun, find_words, open_words, shipped_words
from cl_core.words.maps import Clusters, clusters, word_map
from cl_core.words.similarity import WordSpace


class WordModel:
    """The word vectors of a run; its files are read at the first use.

    Raises, from every property:
        UserError: a file of the run is missing or damaged.
    """

    def __init__(self, folder: WordFolder) -> None:
        self.folder, self.name = folder, folder.name

    @cached_property
    def run(self) -> WordRun:
        """Settings, vocabulary and vectors."""
        return open_words(self.folder)

    @cached_property
    def space(self) -> WordSpace:
        """Unit vectors, for similarity and analogies."""
        return WordSpace.of(self.run.vocabulary, self.run.vectors)

    @cached_property
    def clusters(self) -> Clusters:
        """Clusters of the most frequent words, for the colors of the map."""
        return clusters(self.run)

    def map(self, projector: Projector) -> Tensor:
        """Positions of the most frequent words, (P, 2) float32."""
        return word_map(self.run, projector)


class WordStore:
    """The shipped word models by name; each is opened once."""

    def __init__(self) -> None:
        self._models: Memo[WordModel] = Memo(8, measure=lambda _: 0)

    @cached_property
    def names(self) -> list[str]:
        """Names of the shipped models."""
        return [folder.name for folder in shipped_words()]

    def get(self, name: str) -> WordModel:
        """The model `name`.

        Raises:
            UserError: there is no such model.
        """
        return self._models.get(name, lambda: WordModel(find_words(name)))
