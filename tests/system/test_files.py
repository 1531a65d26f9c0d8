"""Files are replaced whole, also by several threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cl_core.system.files import modified_at, replace_file, total_size, write_bytes


def test_threads_that_write_the_same_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = [bytes([number]) * 200_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda content: write_bytes(path, content), contents * 5):
            assert path.read_bytes() in contents
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_files_that_are_gone_have_no_size_and_no_time(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert total_size([*tmp_path.iterdir(), tmp_path / "gone"]) == 5
    assert modified_at(tmp_path / "gone") == 0 < modified_at(tmp_path / "a")


def test_a_write_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("before")

    def interrupted(temporary: Path) -> None:
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_file(tmp_path / "a", interrupted)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a", "before")]
