"""What if one pair of a batch were another: part of the tab Loss."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cl_core.errors import UserError
from cl_core.explore.batch import Batch, chosen_batch
from cl_core.explore.model import Model
from cl_core.explore.what_if import CHANGES, Change, ChangeEffect, Pairs, default_pair, what_if
from cl_core.runs.config import RunConfig
from cl_core.text import text
from cl_core.ui import images
from cl_core.ui.components import image_rows
from cl_core.ui.events import QUICK
from cl_core.ui.names import image_name
from cl_core.ui.neighbors import neighbor_row
from cl_core.ui.page import Event, Page

STATES = ("before", "plain", "changed")
NOTHING: dict[str, Any] = {"rows": []}
SEEDS = 1_000_000
# The change, the seed of another view, and the pair that is chosen in the matrix: all from the browser.
ASK = "() => `{change} ${{Date.now() % {seeds}}} ${{window.contrastiveLink.get('cell') ?? ''}}`"


def pairs_of(loss: str, config: RunConfig) -> Pairs:
    """What a loss of the menu compares.

    Raises:
        UserError: it does not compare views with views as NT-Xent and SupCon do.
    """
    if loss == "nt-xent":
        return "nt_xent"
    if loss == "out" or (loss == "own" and config.method == "supcon" and config.sup_con_form == "out"):
        return "sup_con"
    if loss == "own" and config.method == "simclr":
        return "no_false_negatives" if config.exclude_false_negatives else "nt_xent"
    raise UserError("what_if.no_views")


def chosen_pair(cell: str, batch: Batch, temperature: float, pairs: Pairs) -> tuple[int, int]:
    """The pair of views that "panel.row.column" names, if they show two images; else `default_pair`."""
    count = len(batch.rows)
    try:
        _, row, column = (int(part) for part in cell.split("."))
    except ValueError:
        row = column = 0
    if max(row, column) < 2 * count and min(row, column) >= 0 and row % count != column % count:
        return row, column
    return default_pair(batch, temperature, pairs)


def show(model: Model, loss: str, count: float, seed: float, picked: str, asked: str) -> tuple[str, dict[str, Any]]:
    """What a change does to the loss, and to the anchor's neighbors after one step.

    Args:
        asked: "change seed cell", see `ASK`.

    Raises:
        UserError: the model was not trained here, or the loss is another one.
    """
    change, number, cell = ([*asked[:100].split(" "), "", "", ""])[:3]
    chosen: Change | None = next((each for each in CHANGES if each == change), None)
    if chosen is None or not number.isdecimal():
        return "", NOTHING
    if not model.has_training_loss or loss.startswith("example-"):
        raise UserError("what_if.not_here")
    pairs = pairs_of(loss, model.config)
    batch = chosen_batch(model, picked, int(count), int(seed))
    row, column = chosen_pair(cell, batch, model.temperature, pairs)
    found = what_if(model, batch, row, column, chosen, pairs, int(number) % SEEDS)
    names = [image_name(model.dataset, int(batch.rows[each % len(batch.rows)])) for each in (row, column)]
    rows = _rows(found, model)
    if found.view is not None:
        shown = zip(("before", "after"), (batch.views[column], found.view), strict=True)
        items = [
            {"src": images.data_url(images.to_image(view)), "caption": names[1], "note": text(f"what_if.view.{name}"), "id": None}
            for name, view in shown
        ]
        rows.insert(0, {"title": text("what_if.view.title"), "hint": "", "items": items})
    return _table(found, chosen, names, pairs), {"rows": rows}


def _table(found: ChangeEffect, change: Change, names: list[str], pairs: Pairs) -> str:
    lines = [text(f"what_if.change.{change}", anchor=names[0], other=names[1]), ""]
    lines += [f"| | {text('what_if.head.before')} | {text('what_if.head.after')} |", "|---|---|---|"]
    for name in ("cosine", "probability", "row_loss", "loss", "gradient"):
        before, after = (getattr(pair, name) for pair in (found.before, found.after))
        named = text(f"what_if.row.{name}")
        lines.append(f"| {named} | {before:.4f} | {after:.4f} |")
    losses = {name: f"{value:.4f}" for name, value in zip(STATES, found.losses, strict=True)}
    cosines = {f"cosine_{name}": f"{value:.4f}" for name, value in zip(STATES, found.cosines, strict=True)}
    loss = "sup_con" if pairs == "sup_con" else "nt_xent"
    by = text(f"what_if.by.{loss}")
    return "\n".join([*lines, "", text("what_if.after_step", **losses, **cosines, by=by)])


def _rows(found: ChangeEffect, model: Model) -> list[dict[str, Any]]:
    return [
        neighbor_row(text(f"what_if.state.{state}"), text("what_if.neighbors"), model.dataset, near)
        for state, near in zip(STATES, found.neighbors, strict=True)
    ]


def build(page: Page, opened: Event, loss: gr.Dropdown) -> None:
    """Lay out the part; it computes when one of its buttons is pressed, and is empty for another batch or loss."""
    gr.Markdown(text("what_if.about"), elem_classes="summary")
    asked = gr.Textbox("", visible=False)
    with gr.Row():
        for change in CHANGES:
            button = gr.Button(text(f"what_if.button.{change}"), elem_id=f"what-if-{change}", min_width=200)
            button.click(None, None, asked, js=ASK.format(change=change, seeds=SEEDS), api_visibility="private")
    result = gr.Markdown(elem_classes="summary", elem_id="what-if-result")
    near = image_rows(None, elem_id="what-if-neighbors")
    given = [page.model, loss, page.count, page.seed, page.picked, asked]
    one_at_a_time = {"queue": True, "concurrency_limit": 1, "concurrency_id": "what-if"}
    asked.change(page.handles(show, given), given, [result, near], **(QUICK | one_at_a_time))
    for event in (opened, loss.change):
        event(lambda: ("", "", NOTHING), None, [asked, result, near], **QUICK)
