"""The form of the tab Train: every setting has its place, and the table and the line of options are one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.networks.methods import TRAINABLE
from cl_core.runs.config import RunConfig
from cl_core.runs.fields import setting_fields
from cl_core.training.advice import warnings_for
from cl_core.ui import training_plan
from cl_core.ui.access import Access
from cl_core.ui.tabs.train import settings_of
from cl_core.ui.tabs.training_form import (
    BATCH,
    EPOCHS,
    FIELDS,
    FORM,
    GROUPS,
    METHODS_OF,
    SNAPSHOTS,
    coffee_break,
    further_settings,
    planned,
    setting_changed,
    show_settings,
    with_setting,
)


def test_every_setting_has_one_place() -> None:
    placed = [*FORM, *(name for names in GROUPS.values() for name in names)]
    assert sorted(placed) == sorted(field.name for field in setting_fields(RunConfig))
    assert set(METHODS_OF) <= set(GROUPS)
    assert {method for methods in METHODS_OF.values() for method in methods} <= set(TRAINABLE)


def test_the_line_of_options_follows_the_table() -> None:
    line = with_setting("", "weight_decay", "0.05")
    assert line == "--weight-decay 0.05"
    line = with_setting(line, "augment.flip_prob", "0")
    assert line == "--weight-decay 0.05 --augment.flip-prob 0"
    assert with_setting(line, "weight_decay", "") == "--augment.flip-prob 0"
    assert further_settings(with_setting("", "weight_decay", "-1e-06")) == {"weight_decay": "-1e-06"}
    assert with_setting("--views.flip 0", "seed", "3") == "--augment.flip-prob 0 --seed 3", "old names are read"


@pytest.mark.parametrize("dataset", ["emoji", "digits"])
@pytest.mark.parametrize("method", TRAINABLE)
def test_its_own_defaults_are_not_warned_of(method: str, dataset: str) -> None:
    given = {"dataset": dataset, "method": method, "epochs": EPOCHS, "batch_size": BATCH}
    found = [each.key for each in warnings_for(settings_of(Access(), given, ""), load_dataset(dataset))]
    assert found == []


def test_the_coffee_break_fills_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_plan, "_seconds_per_step", lambda _: 0.5)
    values, line = coffee_break("emoji", 15)
    config = settings_of(Access(), dict(zip(FORM, values, strict=True)), line)
    assert (config.dataset, config.encoder, config.views, config.whitening) == ("emoji", "fast-resnet", 4, 0.75)
    assert config.train_size == 48, "three quarters of 64 px"
    assert training_plan.minutes_of(config) == 15
    for name, value in further_settings(line).items():
        assert name in FIELDS and value


def test_the_table_follows_the_line_of_options() -> None:
    assert show_settings("moco", "--queue-size 2048 --augment.hue 0.2 --lr 1") == {
        "method": "moco",
        "given": {"queue_size": "2048", "augment.hue": "0.2"},
    }, "the learning rate has a field of its own"
    assert show_settings("moco", "--nonsense 1") == {"method": "moco", "given": {}}


@pytest.mark.parametrize("name", ["lr", "nonsense", None, 5, "--seed", ["seed"]])
def test_only_settings_of_the_table_are_changed(name: Any) -> None:
    with pytest.raises(UserError, match="There is no setting"):
        setting_changed("", SimpleNamespace(_data={"name": name, "value": "1"}))  # type: ignore[arg-type]


def test_what_is_sent_stays_one_value() -> None:
    line = with_setting("", "seed", "1 --epochs 9; rm -rf '/'")
    assert further_settings(line) == {"seed": "1 --epochs 9; rm -rf '/'"}
    with pytest.raises(UserError, match="more than 2,000 characters"):
        with_setting("", "seed", "1" * 3000)
    with pytest.raises(UserError):
        setting_changed("", SimpleNamespace(_data={"name": "seed", "value": ["1"]}))  # type: ignore[arg-type]


def test_minutes_and_epochs_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_plan, "_seconds_per_step", lambda _: 0.5)
    config = RunConfig(dataset="emoji", epochs=100)  # 7 steps each
    assert training_plan.minutes_of(config) == 5.8
    assert "About 5.8 min" in training_plan.training_plan(config, 5.8)
    assert training_plan.in_minutes(config, 5.8, 5.8).epochs == 100, "nothing was typed"
    assert training_plan.in_minutes(config, 12, 5.8).epochs == 206
    assert training_plan.in_minutes(config, 1e9, 5.8).epochs == 100_000
    assert training_plan.in_minutes(config, 0.001, 5.8).epochs == 1
    assert training_plan.in_minutes(config, -3, 5.8) == training_plan.in_minutes(config, None, 5.8) == config
    monkeypatch.setattr(training_plan, "_seconds_per_step", lambda _: None)
    assert training_plan.minutes_of(config) is None and training_plan.in_minutes(config, 5, None) == config


def test_the_forms_own_default_is_shown_and_others_can_be_chosen() -> None:
    assert FIELDS["snapshots"].default == str(SNAPSHOTS) != str(RunConfig().snapshots)
    line = with_setting("", "snapshots", "12")
    assert settings_of(Access(), {"dataset": "digits"}, line).snapshots == 12
    assert settings_of(Access(), {"dataset": "digits"}, "").snapshots == SNAPSHOTS


def test_what_another_tab_wants_trained() -> None:
    assert planned("my-pets simclr #12") == ("my-pets", "simclr")
    assert planned("my-pets #13") == ("my-pets", gr.skip())
