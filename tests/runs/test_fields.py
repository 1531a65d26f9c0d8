"""Settings as a form shows them: kinds, bounds and defaults are those that pydantic checks."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cl_core.runs.config import RunConfig
from cl_core.runs.fields import SettingField, setting_fields
from cl_core.runs.options import read_settings

FIELDS = {field.name: field for field in setting_fields(RunConfig)}


def accepts(name: str, value: float) -> bool:
    given = f"{value:.0f}" if FIELDS[name].kind == "whole" else f"{value!r}"
    try:
        RunConfig.model_validate(read_settings(f"--{name.replace('_', '-')}={given}", RunConfig))
    except ValidationError as error:
        return name.split(".")[-1] not in str(error.errors()[0]["loc"])
    return True


def test_the_kinds() -> None:
    kinds = {name: FIELDS[name].kind for name in ("epochs", "lr", "stop_gradient", "schedule", "dataset", "augment.hue")}
    assert kinds == {
        "epochs": "whole",
        "lr": "number",
        "stop_gradient": "flag",
        "schedule": "choice",
        "dataset": "text",
        "augment.hue": "number",
    }
    assert FIELDS["schedule"].choices == ("cosine", "constant", "plateau")
    assert FIELDS["stop_gradient"].default == "true"


@pytest.mark.parametrize("field", [each for each in FIELDS.values() if each.low is not None], ids=lambda each: each.name)
def test_bounds_are_those_that_are_checked(field: SettingField) -> None:
    assert field.low is not None
    step = 1.0 if field.kind == "whole" else 1e-6
    if field.name != "image_size":  # 0 means that of the images
        assert accepts(field.name, field.low) is not field.above
    assert not accepts(field.name, field.low - step)
    if field.high is not None:
        assert accepts(field.name, field.high) is not field.below
        assert not accepts(field.name, field.high + step)


def test_defaults_are_accepted_as_options() -> None:
    line = " ".join(f"--{field.name.replace('_', '-')} {field.default}" for field in FIELDS.values())
    config, usual = RunConfig.model_validate(read_settings(line, RunConfig)), RunConfig()
    assert config.augment.crop_aspect == pytest.approx(usual.augment.crop_aspect, abs=1e-5)
    assert config.model_dump(exclude={"augment"}) == usual.model_dump(exclude={"augment"})
