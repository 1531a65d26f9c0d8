"""Upload an image and see the most similar ones: trained, untrained and raw pixels side by side."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from torch import Tensor

from cl_core.data.dataset import Dataset, gallery_rows
from cl_core.data.decoding import decode_image, is_animated
from cl_core.data.pixels import to_tensor
from cl_core.errors import UserError, quoted
from cl_core.explore.examples import Example, examples
from cl_core.explore.filters import Part, parts_of, rows_among
from cl_core.explore.model import Model, Space
from cl_core.explore.preparation import prepare_galleries, quickest_first
from cl_core.text import text
from cl_core.ui import images
from cl_core.ui.components import image_rows, image_upload, menu, search_queries, why_view
from cl_core.ui.events import PRESSED, QUICK
from cl_core.ui.explanation import explanation
from cl_core.ui.links import image_reader
from cl_core.ui.names import class_name, family_names, image_choices, image_name
from cl_core.ui.neighbors import neighbor_row, offered_name
from cl_core.ui.page import Event, Page, after_drawing, notice
from cl_core.ui.tabs import review as review_view
from cl_core.ui.tabs import why

TOP = why.ANSWERS
SIMILAR = "similar"
# By style, for Gradio would mount a hidden component anew.
HIDE_REASONS = (
    f"(kind) => {{ document.getElementById('search-why').style.display = kind === '{SIMILAR}' ? '' : 'none'; return []; }}"
)
KINDS = (SIMILAR, *review_view.KINDS)
MAX_LEFT_OUT = 500
MAX_CHOSEN = 20  # classes or families at once
PART = re.compile(r"(family|class)-[0-9]{1,6}")
WRITE_LINK = "(name) => { window.contrastiveLink.set('query', name, null); return []; }"


@dataclasses.dataclass(frozen=True)
class Query:
    """What is searched for.

    image: (1, 3, H, W) uint8. without: groups of images that are left out of the answers. animated: whether the upload has
    more than one frame.
    """

    image: Tensor
    item: dict[str, Any]
    without: frozenset[int] = frozenset()
    animated: bool = False


def query_of(model: Model, upload: str | None, choice: str | None) -> Query:
    """The upload, or else the chosen image, or else the first example.

    Raises:
        UserError: the upload is not an image.
    """
    data, size = model.dataset, model.size
    if upload:
        file = Path(upload)
        image = to_tensor(decode_image(file, text("common.file")), size)
        asked = query_item(images.data_url(images.to_image(image[0])), text("common.your_image"))
        return Query(image, asked, animated=is_animated(file))
    if choice and choice in (rows := model.choices):
        row = rows[choice]
        asked = query_item(images.thumbnail(data, row), image_name(data, row))
        return Query(data.images[row : row + 1], asked, frozenset({int(data.groups[row])}))
    first = examples(data)[0]
    return Query(to_tensor(first.image, size), query_item(images.data_url(first.image), _example_name(data, first)))


def left_out(model: Model, excluded: str) -> frozenset[int]:
    """Groups of the images that a person has left out of the answers.

    Args:
        excluded: their rows, separated by spaces; what is no row of the data set is ignored.
    """
    data = model.dataset
    named = excluded[: 10 * MAX_LEFT_OUT].split()
    given = [int(each) for each in named if each.isascii() and each.isdecimal() and len(each) < 10]
    return frozenset(int(data.groups[row]) for row in given[:MAX_LEFT_OUT] if row < len(data))


def show(
    model: Model, upload: str | None, choice: str | None, kind: str = SIMILAR, among: Sequence[str] = (), excluded: str = ""
) -> dict[str, Any]:
    """The images most like the query, in each space, or images worth a second look."""
    *_, last = show_steps(model, upload, choice, kind, among, excluded)
    return last


def show_steps(
    model: Model, upload: str | None, choice: str | None, kind: str, among: Sequence[str], excluded: str
) -> Iterator[dict[str, Any]]:
    """`show`; while galleries are computed, the answers of those that are ready, and how far the others have come."""
    mask = rows_among(model.dataset, among)
    if kind != SIMILAR:
        yield from _review_steps(model, kind, mask)
        return
    try:
        query = query_of(model, upload, choice)
    except UserError as error:  # earlier answers are not those of this file
        notice(error)
        yield {"rows": [], "empty": str(error)}
        return
    if query.animated:
        gr.Info(text("search.animated"))
    without = query.without | left_out(model, excluded)
    answers: dict[Space, dict[str, Any]] = {}

    def value(complete: bool) -> dict[str, Any]:
        for space in model.spaces:
            if space not in answers and (complete or model.gallery_progress(space) is None):
                answers[space] = _answers(model, query, space, without, mask)
        rows = [answers.get(space) or _waiting(model, query, space) for space in model.spaces]
        return {"rows": rows, "remove": text("search.leave_out"), "more": not complete}

    with contextlib.closing(prepare_galleries(model, quickest_first(model))) as waits:
        for _ in waits:
            yield value(complete=False)
    yield value(complete=True)


def _review_steps(model: Model, kind: str, mask: Tensor | None) -> Iterator[dict[str, Any]]:
    if kind != review_view.LABELS or model.dataset.labeled:
        with contextlib.closing(prepare_galleries(model, ["trained"])) as waits:
            for _ in waits:
                yield {"rows": [], "empty": _preparing(model, "trained"), "more": True}
    yield review_view.show(model, kind, mask)


def _answers(model: Model, query: Query, space: Space, without: frozenset[int], mask: Tensor | None) -> dict[str, Any]:
    near = [(each.row, each.cosine) for each in model.search_tensor(query.image, TOP, space, without, mask)]
    by_map = [] if space == "pixels" else model.map_cosines(query.image, [row for row, _ in near], space)
    details = [text("search.by_map", cosine=f"{cosine:.2f}") for cosine in by_map]
    row = neighbor_row(text(f"spaces.{space}"), text(f"search.hint.{space}"), model.dataset, near, details=details)
    return row | {"items": [query.item, *row["items"]]}


def _waiting(model: Model, query: Query, space: Space) -> dict[str, Any]:
    return {"title": text(f"spaces.{space}"), "hint": _preparing(model, space), "items": [query.item]}


def _preparing(model: Model, space: Space) -> str:
    count = f"{len(gallery_rows(model.dataset)):,}"
    if space == "pixels":
        return text("search.preparing_pixels", count=count)
    return text("search.preparing", count=count, percent=f"{100 * (model.gallery_progress(space) or 0.0):.0f}")


def show_why(
    model: Model,
    upload: str | None,
    choice: str | None,
    kind: str,
    among: Sequence[str],
    excluded: str,
    rank: float,
) -> dict[str, Any]:
    """Why an answer of the trained network is similar to the query."""
    if kind != SIMILAR:
        return why.NOTHING
    try:
        query = query_of(model, upload, choice)
    except UserError:  # the answers show the error
        return why.NOTHING
    without = query.without | left_out(model, excluded)
    return why.show(model, query.image, query.item, without, why.checked(rank), rows_among(model.dataset, among))


def query_item(src: str, caption: str) -> dict[str, Any]:
    """The query as the first image of a row; a click on it does nothing."""
    return {"src": src, "caption": caption, "note": text("common.query"), "id": None}


def show_examples(model: Model) -> dict[str, Any]:
    """Queries to begin with."""
    data = model.dataset
    shown = [
        {"src": images.data_url(each.image), "kind": each.kind, "name": _example_name(data, each)} for each in examples(data)
    ]
    return {"examples": shown}


def _example_name(data: Dataset, example: Example) -> str:
    return text(f"sketches.{example.name}") if example.row is None else image_name(data, example.row)


def ask_for_answer(model: Model, taken: float, event: gr.EventData) -> tuple[str, float]:
    """The clicked answer becomes the query; also the number of queries that were chosen so.

    Raises:
        UserError: there is no such image, or the menu does not have it.
    """
    row = event._data.get("id")
    if type(row) is not int or not 0 <= row < len(model.dataset):
        raise UserError("search.not_offered", name=quoted(row))
    return offered_name(model, row), taken + 1


def ask_again(model: Model, taken: float, event: gr.EventData) -> tuple[str | None, float]:
    """An earlier query from the menu; without a name the example that the tab opens with. Otherwise as `ask_for_answer`."""
    name = event._data.get("name")
    if name == "":
        return None, taken + 1
    if not isinstance(name, str) or name not in model.choices:
        raise UserError("search.not_offered", name=quoted(name))
    return name, taken + 1


def leave_out(model: Model, excluded: str, event: gr.EventData) -> tuple[str, Any]:
    """Leave an answer out of all further answers, and offer to take all of them back."""
    row = event._data.get("id")
    if type(row) is not int or not 0 <= row < len(model.dataset):
        return gr.skip(), gr.skip()
    rows = [*excluded.split()[-(MAX_LEFT_OUT - 1) :], str(row)]
    return " ".join(rows), gr.update(visible=True, value=text("search.take_back", count=len(rows)))


def offered_parts(model: Model, chosen: Sequence[str]) -> Any:
    """The families and classes that answers can be limited to; hidden where there are none."""
    data, parts = model.dataset, parts_of(model.dataset)
    values = {part.value for part in parts}
    listed = [(part_name(data, part), part.value) for part in parts]
    kept = [each for each in chosen if each in values]
    changed: dict[str, Any] = {} if kept == list(chosen) else {"value": kept}
    return gr.update(choices=listed, visible=bool(parts), **changed)


def part_name(data: Dataset, part: Part) -> str:
    """The name of a family or class, with the number of its images."""
    name = family_names(data)[part.index] if part.kind == "family" else class_name(data, part.index)
    return text(f"search.part.{part.kind}", name=name, count=f"{part.images:,}")


def read_parts(raw: str, _: Any) -> list[str]:
    """Parts from a link; those of another data set are dropped when the menu is filled.

    Raises:
        ValueError: not a list of parts.
    """
    chosen = raw.split(",")
    if len(chosen) > MAX_CHOSEN or not all(PART.fullmatch(each) for each in chosen):
        raise ValueError
    return chosen


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; it searches when a query is chosen or uploaded."""
    explanation("search", text("search.about"))
    with gr.Row(elem_classes="panel-row"):
        with gr.Column(scale=0, min_width=260, elem_classes="panel aside"):
            kinds = [(text(f"search.find.{kind}"), kind) for kind in KINDS]
            kind = gr.Radio(
                kinds, value=SIMILAR, label=text("search.find"), show_label=False, container=False, elem_id="search-find"
            )
            queries = search_queries("search-upload", "search-view", elem_id="search-queries")
            upload = image_upload(
                text("search.upload"), elem_id="search-upload", height=166, sources=["upload", "clipboard", "webcam"]
            )
            choice = menu([], label=text("search.choice"), info=text("search.choice_hint"), elem_id="search-choice")
            limits = {"multiselect": True, "max_choices": MAX_CHOSEN}
            among = menu([], value=[], **limits, label=text("search.among"), elem_id="search-among")
        with gr.Column(scale=3, min_width=320):
            back = gr.Button("", visible=False, size="sm", scale=0, min_width=220, elem_id="search-take-back")
            found = image_rows(clickable=True, elem_id="search-view")
            reasons = why_view(elem_id="search-why")
    rank = gr.Number(0, visible=False, precision=0)
    excluded = gr.Textbox("", visible=False)
    taken = gr.Number(0, visible=False, precision=0)  # queries chosen among the answers; a notice leaves it as it is
    asked = [page.model, upload, choice, kind, among, excluded]
    page.link("find", kind)
    page.link("among", among, read=read_parts)
    page.link("query", choice, event="input", read=image_reader(page.store))
    choice.input(lambda: None, None, upload, show_progress="hidden", api_visibility="private")  # takes its place
    page.wanted.change(lambda: None, None, upload, show_progress="hidden", api_visibility="private")
    offered = opened(page.handles(choices, page.model), [page.model, choice, page.wanted], [choice, page.wanted], **QUICK)
    # The link names the image that another tab requested, and no longer one that this data set lacks.
    offered.then(None, choice, None, js=WRITE_LINK, api_visibility="private")
    opened(page.handles(offered_parts, page.model), [page.model, among], among, **QUICK)
    # Gradio reports a change of the menu whenever its choices are set, too, and each would cost a search.
    chosen = gr.Textbox("", visible=False)
    among.change(None, among, chosen, js="(parts) => (parts ?? []).join()", api_visibility="private")
    triggers = [opened, upload.change, choice.change, kind.change, chosen.change, excluded.change]
    asking = [upload.upload, choice.input, page.wanted.change]
    gr.on(asking, lambda: SIMILAR, None, kind, show_progress="hidden", api_visibility="private")
    found.item_remove(page.handles(leave_out, page.model), [page.model, excluded], [excluded, back], **QUICK)
    nothing = gr.on([back.click, page.model.change], None, None, excluded, js="() => ''", api_visibility="private")
    nothing.then(lambda: gr.update(visible=False), None, back, show_progress="hidden", api_visibility="private")
    page.draws([opened], show_examples, [page.model], queries)
    for event, handler in ((found.image_click, ask_for_answer), (queries.ask, ask_again)):
        event(page.handles(handler, [page.model, taken]), [page.model, taken], [choice, taken], **PRESSED)
    # The upload is not an output above: after a notice Gradio would build it anew, without the check of uploads.
    taken.change(lambda: None, None, upload, show_progress="hidden", api_visibility="private")
    taken.change(None, choice, None, js=WRITE_LINK, api_visibility="private")
    taken.change(lambda: SIMILAR, None, kind, show_progress="hidden", api_visibility="private")
    uploaded = upload.upload(lambda: None, None, choice, show_progress="hidden", api_visibility="private")  # takes its place
    uploaded.success(None, choice, None, js=WRITE_LINK, api_visibility="private")
    answered = page.draws(triggers, show_steps, asked, found, queue=True, trigger_mode="multiple")  # a next query need not wait
    answered.then(None, None, rank, js="() => 0", api_visibility="private")  # the first answer is explained
    below = after_drawing(answered)
    one_at_a_time: dict[str, Any] = {"queue": True, "concurrency_limit": 1, "concurrency_id": "why"}
    kind.change(None, kind, None, js=HIDE_REASONS, api_visibility="private")
    page.draws([below.change], show_why, [*asked, rank], reasons, **one_at_a_time)
    picked = reasons.answer_pick(why.picked, None, rank, **QUICK)
    picked.success(None, None, below, js="() => window.contrastiveLink.nextTurn()", api_visibility="private")


def choices(model: Model, chosen: str | None, wanted: str) -> tuple[Any, str]:
    """The images to choose from. The choice stays if it is among them, unless another tab asks for one (`wanted`)."""
    names = model.choices
    wish = wanted if wanted in names else chosen
    kept = wish if wish in names else None
    # A value that is set again would be searched for again.
    changed: dict[str, Any] = {} if kept == chosen else {"value": kept}
    return gr.update(choices=image_choices(model.dataset, names), **changed), ""
