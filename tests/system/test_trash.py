"""Folders that were removed and can be brought back."""

from __future__ import annotations

from pathlib import Path

import pytest

from cl_core.errors import UserError
from cl_core.system import trash


def test_removed_folders_can_be_restored_for_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(name)
    trash.remove_folder(tmp_path / "one")
    assert not (tmp_path / "one").exists()
    trash.restore_folder(tmp_path / "one")
    assert (tmp_path / "one" / "run.json").read_text() == "one"
    with pytest.raises(UserError, match="cannot be brought back"):
        trash.restore_folder(tmp_path / "one")
    trash.remove_folder(tmp_path / "one")
    (tmp_path / "one").mkdir()
    with pytest.raises(UserError, match="cannot be brought back"):
        trash.restore_folder(tmp_path / "one")
    trash.remove_folder(tmp_path / "one")  # another one of this name
    assert trash.purge(tmp_path) == [] and trash.purge(tmp_path / "nowhere") == []
    monkeypatch.setattr(trash, "RESTORABLE_S", -1.0)
    assert trash.purge(tmp_path) == ["one"]
    assert not list((tmp_path / trash.REMOVED).iterdir()) and (tmp_path / "two").exists()
