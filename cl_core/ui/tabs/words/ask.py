"""The map of words, and questions: a word, two words, or an analogy."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import gradio as gr
import torch

from cl_core.evaluation.pca import pca
from cl_core.explore.projection import Projector
from cl_core.text import text
from cl_core.ui.components import figure_view
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.events import PRESSED, QUICK
from cl_core.ui.explanation import explanation
from cl_core.ui.page import Event, Page, any_of
from cl_core.words.explore import WordModel
from cl_core.words.maps import MAP_WORDS
from cl_core.words.similarity import Answer, parse_analogy

NEIGHBORS = 15
ON_CARD = 5
EXAMPLES = ["violin", "red", "disease", "dog cat", "king - man + woman"]


def answer_query(model: WordModel, query: str) -> tuple[str, list[str], list[Answer]]:
    """The question in words, its words, and the answers.

    `a` asks for the words like a, `a b` (or `a, b`) how alike two are, `a - b + c` for an analogy.

    Raises:
        UserError: a word is not known, or it is none of the three.
    """
    space = model.space
    terms = query.replace(",", " ").split()
    if len(terms) == 1:
        found = space.similar(terms[0], NEIGHBORS)
        return text("words.answer.similar", word=terms[0].lower()), terms, found
    if len(terms) == 2 and not set(terms) & {"+", "-"}:
        cosine = space.cosine(*terms)
        summary = text("words.answer.cosine", first=terms[0].lower(), second=terms[1].lower(), cosine=f"{cosine:+.3f}")
        return summary, terms, space.similar(terms[0], NEIGHBORS)
    plus, minus = parse_analogy(terms)
    found = space.analogy(plus, minus, NEIGHBORS)
    return text("words.answer.analogy", terms=" ".join(terms), word=found[0].word), [*plus, *minus], found


def answer(model: WordModel, query: str | None) -> tuple[dict[str, Any], str]:
    """A figure of the neighborhood of the query, and the answer in words."""
    from cl_core.figures.words import around_figure, cosine_figure

    query = query if query and query.strip() else EXAMPLES[0]
    space = model.space
    summary, terms, found = answer_query(model, query)
    rare = [term.lower() for term in terms if space.vocabulary.index_of(term) >= MAP_WORDS]
    if rare:
        summary += " " + text("words.answer.rare", words=", ".join(rare), count=f"{MAP_WORDS:,}")
    drawn = [space.vocabulary.words[space.vocabulary.index_of(terms[0])], *(each.word for each in found)]
    vectors = space.unit[[space.vocabulary.index_of(word) for word in drawn]]
    points = pca(vectors)
    points = points - points[0]
    around = around_figure(points, drawn, text("words.neighborhood.around"))
    bars = cosine_figure(drawn[1:], [each.cosine for each in found], text("words.neighborhood.cosine"))
    return figures_value(around, bars, label=summary), summary


def show_map(model: WordModel, projector: Projector, query: str | None) -> dict[str, Any]:
    """The most frequent words as points, the query marked."""
    from cl_core.figures.scatter import map_figure
    from cl_core.figures.words import mark_words

    space = model.space
    points, groups = model.map(projector), model.clusters
    figure = map_figure(points, groups.members, groups.names)
    marked, count = list[int](), 0
    if query and query.strip():
        _, terms, found = answer_query(model, query)
        queried = dict.fromkeys(space.vocabulary.index_of(word) for word in terms)
        others = dict.fromkeys(space.vocabulary.index_of(each.word) for each in found)
        count = sum(number < len(points) for number in queried)
        marked = [number for number in (queried | others) if number < len(points)]
    mark_words(figure, points[marked], [space.vocabulary.words[number] for number in marked], marked, count)
    words = space.vocabulary.words[: len(points)]
    return figures_value(figure, label=text("words.map.label"), card="words", lines=_cards(model), names=words)


@cache
def _cards(model: WordModel) -> list[str]:
    """Beside each word of the map, its nearest words among all."""
    space = model.space
    cosines = space.unit[:MAP_WORDS] @ space.unit.T
    cosines[torch.arange(len(cosines)), torch.arange(len(cosines))] = -2
    nearest = cosines.topk(min(ON_CARD, cosines.shape[1] - 1)).indices.tolist()
    return [", ".join(space.vocabulary.words[number] for number in row) for row in nearest]


def clicked(model: WordModel, event: gr.EventData) -> str:
    """The word whose point was clicked."""
    point = event._data["id"]
    words = model.space.vocabulary.words
    return words[point] if isinstance(point, int) and 0 <= point < len(words) else EXAMPLES[0]


def build(page: Page, which: gr.Dropdown, opened: Event) -> None:
    """Lay out the tab; it is drawn when its tab opens."""
    with gr.Row(elem_classes="panel-row turned-on-phones"):
        with gr.Column(scale=1, min_width=320):
            summary = gr.Markdown(elem_classes="summary")
            neighborhood = figure_view(elem_id="words-neighborhood")
        with gr.Column(scale=0, min_width=260, elem_classes="panel aside"):
            query = gr.Textbox(
                EXAMPLES[0],
                label=text("words.ask"),
                info=text("words.ask_hint"),
                placeholder=EXAMPLES[-1],
                elem_id="words-ask",
            )
            with gr.Row(elem_classes="chips"):
                examples = [gr.Button(example, size="sm", variant="secondary", min_width=80) for example in EXAMPLES]
    page.link("word", query)
    explanation("words-map", text("words.map.about"))
    projector = gr.Radio(
        [("t-SNE", "tsne"), ("UMAP", "umap"), ("PCA", "pca")],
        value="tsne",
        label=text("map.projector"),
        info=text("words.map.hint", count=f"{MAP_WORDS:,}"),
    )
    view = figure_view(elem_id="words-map")
    page.link("wordmap", projector)
    answering: tuple[Any, Any, Any] = (page.handles(answer, [which]), [which, query], [neighborhood, summary])
    gr.on([opened, which.change, query.submit], *answering, **PRESSED)
    redrawn = any_of([opened, which.change, projector.change, summary.change])
    redrawn(page.handles(show_map, [which]), [which, projector, query], view, **PRESSED)
    for button, example in zip(examples, EXAMPLES, strict=True):
        button.click(partial(str, example), None, query, **QUICK).then(*answering, **PRESSED)
    chosen = view.point_click(page.handles(clicked, which), which, query, show_progress="hidden", api_visibility="private")
    chosen.then(*answering, **PRESSED)
