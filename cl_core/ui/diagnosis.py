"""The training doctor's diagnosis in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cl_core.runs.config import RunConfig
from cl_core.text import text
from cl_core.training.doctor import PROGRESS, TOLERANCE, curve_points, diagnose, error_report, rank_without_gain, reference_runs
from cl_core.training.setup import uses_labels


def diagnosis(metrics: Sequence[dict[str, Any]], config: RunConfig, total: int) -> str:
    """What happens in a run, how it is expected to end, and what to change, as Markdown; "" before there is a curve."""
    found = diagnose(metrics, config, total)
    if found is None:
        return ""
    last = curve_points(metrics)[-1]
    numbers = {
        "spread": f"{100 * last.spread:.0f}",
        "rank": f"{last.geometry.effective_rank:.0f}",
        "dim": last.geometry.dim,
        "flagged": error_report()["flagged"]["runs"],
        "collapsed": error_report()["flagged"]["collapsed_and_flagged"],
    }
    parts = [text("doctor.lead", step=f"{found.step:,}"), text(f"doctor.state.{found.state}", **numbers)]
    # The runs behind the estimate learned without labels.
    if found.expected is not None and found.error is not None and not uses_labels(config) and found.state != "collapsing":
        shares = {"expected": found.expected, "error": found.error, "untrained": rank_without_gain()}
        values = {name: f"{100 * share:.0f}" for name, share in shares.items()} | {"runs": str(len(reference_runs()))}
        parts.append(text("doctor.expected", **values))
    return " ".join([*parts, text(f"doctor.advice.{found.advice}")])


def early_diagnosis(metrics: Sequence[dict[str, Any]], config: RunConfig, total: int) -> str:
    """`diagnosis` as it was after a tenth of training."""
    until = (PROGRESS[0] + TOLERANCE) * total
    return diagnosis([point for point in metrics if point["step"] <= until], config, total)
