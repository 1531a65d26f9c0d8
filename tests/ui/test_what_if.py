"""The what-if of the loss microscope: the pair that is chosen, and what the page gets."""

from __future__ import annotations

import pytest

from cl_core.errors import UserError
from cl_core.explore.batch import chosen_batch
from cl_core.explore.model_store import ModelStore
from cl_core.explore.what_if import default_pair, what_if
from cl_core.ui.tabs.what_if import chosen_pair, show

MODEL = ModelStore().get("emoji-simclr-small")
T = MODEL.config.temperature


def test_the_cell_of_the_matrix_is_the_pair() -> None:
    batch = chosen_batch(MODEL, "", 8, 1)
    assert chosen_pair("1.2.13", batch, T, False) == (2, 13)
    usual = default_pair(batch, T)
    for cell in ("", "0.2.10", "0.3.3", "0.2.16", "0.-1.3", "x", "0.1", "0.1.2.3"):
        assert chosen_pair(cell, batch, T, False) == usual


def test_the_numbers_are_those_of_the_change() -> None:
    table, rows = show(MODEL, "nt-xent", 8, 1, "", "1.2.13", change="leave_out")
    found = what_if(MODEL, chosen_batch(MODEL, "", 8, 1), 2, 13, "leave_out", False)
    assert f"| Loss of the anchor | {found.before.row_loss:.4f} | {found.after.row_loss:.4f} |" in table
    assert f"to {found.cosines[1]:.4f} without the change, and to {found.cosines[2]:.4f} with it" in table
    assert [[item["id"] for item in row["items"]] for row in rows["rows"]] == [[i for i, _ in near] for near in found.neighbors]


@pytest.mark.parametrize("loss", ["example-out", "example-in"])
def test_the_worked_example_takes_no_step(loss: str) -> None:
    with pytest.raises(UserError):
        show(MODEL, loss, 8, 1, "", "", change="leave_out")
