"""Every tab of the words draws in every language; what is no word is refused."""

from __future__ import annotations

from itertools import islice

import pytest

from cl_core.errors import UserError
from cl_core.text import LANGUAGES, using_language
from cl_core.ui.tabs.words import ask, cost, curves, noise, step
from cl_core.words.explore import WordStore

MODEL = WordStore().get("words-wordnet")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_tab_draws(language: str) -> None:
    with using_language(language):
        drawn = {
            "step": step.show(MODEL, "dog", "cat", 1),
            "noise": noise.show(MODEL, 0.75),
            "curves": curves.show(MODEL),
            "answer": ask.answer(MODEL, "dog"),
            "cost": next(islice(cost.measure(5), 1)),
        }
        points = ask.show_map(MODEL, "pca", "dog")
    for value, summary in drawn.values():
        assert value["figures"] and value["label"]
        assert "{" not in summary
    assert len(points["names"]) == len(points["lines"]) == len(MODEL.map("pca"))


@pytest.mark.parametrize("query", ["dog", "dog cat", "king - man + woman"])
def test_a_query_is_answered_by_its_kind(query: str) -> None:
    summary, terms, found = ask.answer_query(MODEL, query)
    assert set(terms) <= set(query.split())
    assert len(found) == ask.NEIGHBORS
    assert not {each.word for each in found} & set(terms)
    assert terms[0] in summary


def test_what_is_no_word_is_refused() -> None:
    with pytest.raises(UserError, match="'qwertz' is not in the vocabulary"):
        ask.answer(MODEL, "qwertz")
    with pytest.raises(UserError, match="'qwertz' is not in the vocabulary"):
        step.show(MODEL, "dog", "qwertz", 1)
