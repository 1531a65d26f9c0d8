"""A model of words as the page holds it: vectors, answers and map, each computed once."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from cl_core.explore.projection import Projector
from cl_core.words.maps import Clusters, clusters, word_map
from cl_core.words.questions import WordSpace
from cl_core.words.run_folder import WordFolder, WordRun, open_words


class WordModel:
    """Word vectors by name; the files are read at the first use.

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
        """Groups of the most frequent words, for the colors of the map."""
        return clusters(self.run)

    def map(self, projector: Projector) -> Tensor:
        """The most frequent words as points, (P, 2) float32."""
        return word_map(self.run, projector)
