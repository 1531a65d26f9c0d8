"""The what-if of the loss microscope: the pair that is chosen, and what the page gets."""

from __future__ import annotations

import pytest

from cl_core.errors import UserError
from cl_core.explore.batch import chosen_batch
from cl_core.explore.model_store import ModelStore
from cl_core.explore.what_if import default_pair, what_if
from cl_core.ui.tabs.what_if import NOTHING, chosen_pair, pairs_of, show

MODEL = ModelStore().get("emoji-simclr-small")
T = MODEL.config.temperature


def test_the_cell_of_the_matrix_is_the_pair() -> None:
    batch = chosen_batch(MODEL, "", 8, 1)
    assert chosen_pair("1.2.13", batch, T, "nt_xent") == (2, 13)
    usual = default_pair(batch, T)
    for cell in ("", "0.2.10", "0.3.3", "0.2.16", "0.-1.3", "x", "0.1", "0.1.2.3"):
        assert chosen_pair(cell, batch, T, "nt_xent") == usual


def test_the_numbers_are_those_of_the_change() -> None:
    table, rows = show(MODEL, "nt-xent", 8, 1, "", "leave_out 0 1.2.13")
    found = what_if(MODEL, chosen_batch(MODEL, "", 8, 1), 2, 13, "leave_out", "nt_xent")
    assert f"| Loss of the anchor | {found.before.row_loss:.4f} | {found.after.row_loss:.4f} |" in table
    assert f"to {found.cosines[1]:.4f} without the change and to {found.cosines[2]:.4f} with it" in table
    assert [[item["id"] for item in row["items"]] for row in rows["rows"]] == [[i for i, _ in near] for near in found.neighbors]


def test_another_view_is_shown_and_is_another_each_time() -> None:
    first, second = (show(MODEL, "own", 8, 1, "", f"other_view {seed} 1.2.13")[1]["rows"][0]["items"] for seed in (1, 2))
    assert first[0]["src"] == second[0]["src"] and first[1]["src"] != second[1]["src"]


@pytest.mark.parametrize("asked", ["", "explode 0 1.2.3", "leave_out x 1.2.3", "leave_out"])
def test_what_no_button_asks_for_is_nothing(asked: str) -> None:
    assert show(MODEL, "nt-xent", 8, 1, "", asked) == ("", NOTHING)


@pytest.mark.parametrize(
    ("name", "loss"),
    [("emoji-simclr-small", "example-out"), ("emoji-moco", "own"), ("emoji-simsiam", "own"), ("emoji-simclr-small", "in")],
)
def test_losses_that_do_not_compare_views_with_views_take_no_step(name: str, loss: str) -> None:
    with pytest.raises(UserError):
        show(ModelStore().get(name), loss, 8, 1, "", "leave_out 0 ")


def test_each_loss_has_its_pairs() -> None:
    assert pairs_of("own", MODEL.config) == pairs_of("nt-xent", MODEL.config) == "nt_xent"
    assert pairs_of("own", ModelStore().get("emoji-simclr-no-false-negatives").config) == "no_false_negatives"
    assert pairs_of("own", ModelStore().get("emoji-supcon").config) == pairs_of("out", MODEL.config) == "sup_con"
