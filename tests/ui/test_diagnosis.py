"""The diagnosis in words, on runs that ship."""

from __future__ import annotations

import pytest

from cl_core.runs.config import RunConfig
from cl_core.runs.store import find_run
from cl_core.text import LANGUAGES, using_language
from cl_core.training.doctor import diagnose, rank_without_gain, reference_runs
from cl_core.ui.diagnosis import diagnosis, early_diagnosis


def of(name: str, early: bool = True) -> str:
    folder = find_run(name)
    record = folder.read_record()
    return (early_diagnosis if early else diagnosis)(folder.read_metrics(), record.config, record.total_steps)


def test_the_numbers_are_those_of_the_doctor() -> None:
    folder = find_run("emoji-simclr-small")
    record = folder.read_record()
    found = diagnose(folder.read_metrics(), record.config, record.total_steps)
    assert found is not None and found.expected is not None and found.error is not None
    said = of("emoji-simclr-small", early=False)
    assert f"after step {record.step}" in said and f"error {100 * found.error:.0f} points" in said
    assert f"more kNN accuracy than {100 * found.expected:.0f} % of {len(reference_runs())} small runs" in said
    assert f"{100 * rank_without_gain():.0f} % of those runs ended below their own untrained network" in said


def test_a_collapse_gets_its_cure_and_no_estimate() -> None:
    assert "collapsing" in of("emoji-simsiam-no-stop-gradient", early=False)
    assert of("emoji-simsiam-no-stop-gradient", early=False).endswith("Turn the stop-gradient on.")
    assert of("emoji-simsiam-no-predictor", early=False).endswith("Use the predictor.")
    assert "Estimate" not in of("emoji-simsiam-no-predictor", early=False)


def test_methods_with_labels_get_no_estimate() -> None:
    assert "Estimate" not in of("emoji-supcon") and "Diagnosis after step" in of("emoji-supcon")


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_in_the_language_of_the_page(language: str) -> None:
    with using_language(language):
        assert diagnosis([], RunConfig(), 100) == ""
        assert of("emoji-simclr").startswith("**")
