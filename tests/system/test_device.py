"""Selection of device and precision."""

from __future__ import annotations

import pytest
import torch

from cl_core.errors import UserError
from cl_core.system.device import autocast, choose_device


def test_fastest_device_is_the_default() -> None:
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_device().type == expected
    assert choose_device("cpu").type == "cpu"


@pytest.mark.parametrize("name", ["tpu", "cpu:", "cpu:foo", "cpu:7", "cuda:99"])
def test_missing_device_raises_user_error(name: str) -> None:
    with pytest.raises(UserError, match=f"This machine has no device '{name}': choose auto or one of"):
        choose_device(name)


def test_precision() -> None:
    x = torch.rand(4, 4)
    with autocast(torch.device("cpu"), "bf16"):
        assert (x @ x).dtype == torch.bfloat16
    with autocast(torch.device("cpu"), "float32"):
        assert (x @ x).dtype == torch.float32
