"""Galleries in PostgreSQL: a real server with pgvector, filled in batches, resumed after a kill, and searched."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pgserver
import psycopg
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cl_core.data.registry import load_dataset
from cl_core.errors import UserError
from cl_core.explore import postgres_index as module
from cl_core.explore import vector_index
from cl_core.explore.flat_index import FlatIndex
from cl_core.explore.gallery import run_gallery
from cl_core.explore.postgres_index import PostgresIndex, check_address, filled_index
from cl_core.runs.store import load_run
from cl_core.system.paths import ROOT


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server of its own; its user must be able to enter the folder."""
    folder = Path(tempfile.mkdtemp(prefix="gallery-"))
    folder.chmod(0o755)
    server = pgserver.get_server(folder / "data", cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def made(count: int, dim: int = 32, seed: int = 0) -> Tensor:
    """Around 40 centers, as features of images are."""
    generator = torch.Generator().manual_seed(seed)
    centers = torch.randn(40, dim, generator=generator)[torch.randint(0, 40, (count,), generator=generator)]
    return F.normalize(centers + 0.7 * torch.randn(count, dim, generator=generator), dim=1)


def rows_of(url: str, index: PostgresIndex) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row for (row,) in connection.execute(f'SELECT "row" FROM {index.table} ORDER BY "row"')]


def test_it_finds_what_exact_search_finds(url: str) -> None:
    vectors = made(20_000)
    fractions: list[float] = []
    index = filled_index(vectors, url, "recall", fractions.append)
    queries = F.normalize(vectors[::100] + 0.1 * torch.randn(200, 32, generator=torch.Generator().manual_seed(1)), dim=1)
    expected_cosines, expected = FlatIndex(vectors).search(queries, 10)
    cosines, rows = index.search(queries, 10)
    assert (expected[:, :, None] == rows[:, None]).any(2).float().mean() >= 0.95
    assert (cosines[:, 0] - expected_cosines[:, 0]).abs().max() < 1e-6
    torch.testing.assert_close((vectors[rows] * queries[:, None]).sum(2), cosines, rtol=0, atol=1e-6)
    assert fractions[-1] == 1
    with psycopg.connect(url) as connection:
        plan = connection.execute(
            f"EXPLAIN SELECT 1 FROM {index.table} ORDER BY feature <#> (SELECT feature FROM {index.table} LIMIT 1) LIMIT 10"
        )
        assert f"{index.table}_nearest" in str(plan.fetchall()), "the search uses the graph"


def test_more_results_than_the_database_gives_are_exact(url: str) -> None:
    vectors = made(3_000)
    index = filled_index(vectors, url, "many")
    assert index.search(vectors[:2], 2_500)[1].tolist() == FlatIndex(vectors).search(vectors[:2], 2_500)[1].tolist()
    assert index.search(vectors[:2], 5_000)[1].shape == (2, 3_000)


def test_a_filled_table_is_used_again(url: str) -> None:
    vectors = made(500)
    first = filled_index(vectors, url, "again")
    again = filled_index(vectors, url, "again", lambda _: pytest.fail("rows were added"))
    assert first.table == again.table
    assert filled_index(made(500, seed=1), url, "other").table != first.table


def test_a_killed_program_leaves_whole_batches_and_the_next_one_adds_the_rest(url: str) -> None:
    script = f"""
        import os, signal
        from cl_core.explore import postgres_index as module
        from tests.explore.test_postgres_index import made
        module.BATCH = 100
        kill = lambda fraction: os.kill(os.getpid(), signal.SIGKILL) if fraction > 0.3 else None
        module.filled_index(made(1000), {url!r}, "killed", kill)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, env={**os.environ, "PYTHONPATH": "."})
    assert killed.returncode == -signal.SIGKILL
    fractions: list[float] = []
    index = filled_index(made(1000), url, "killed", fractions.append)
    assert fractions == [1.0], "the first 400 rows were there"
    assert rows_of(url, index) == list(range(1000))
    rows = index.search(made(1000)[:50], 1)[1]
    assert rows[:, 0].tolist() == list(range(50))


def test_two_programs_that_fill_one_table_wait_for_each_other(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 50)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: filled_index(made(1000), url, "together"), range(2))
    assert first.table == second.table and rows_of(url, first) == list(range(1000))


def test_a_search_survives_a_restart_of_the_server(url: str) -> None:
    vectors = made(500)
    index = filled_index(vectors, url, "restart")
    before = index.search(vectors[:3], 5)[1]
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
        )
    assert torch.equal(index.search(vectors[:3], 5)[1], before)


def test_a_run_searches_its_gallery_there(url: str, small_run: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, data = load_run(str(small_run)), load_dataset("digits")
    embedded = run_gallery(run, data)
    monkeypatch.setattr(vector_index, "EXACT_UP_TO", 0)
    gallery = run_gallery(run, data, database=url)
    assert isinstance(gallery.index, PostgresIndex)
    queries = embedded.features[:20]
    found = [[each.row for each in answers] for answers in gallery.search(queries, 5)]
    expected = [[each.row for each in answers] for answers in embedded.search(queries, 5)]
    assert sum(len(set(a) & set(b)) for a, b in zip(found, expected, strict=True)) >= 0.95 * 100


def test_a_table_that_somebody_changed_is_not_believed(url: str) -> None:
    vectors = made(300)
    index = filled_index(vectors, url, "changed")
    with psycopg.connect(url) as connection:
        connection.execute(f'DELETE FROM {index.table} WHERE "row" > 2')
        assert index.search(vectors[:2], 10)[1].tolist() == FlatIndex(vectors).search(vectors[:2], 10)[1].tolist()
        connection.execute(f'UPDATE {index.table} SET "row" = "row" + 100000')
    assert index.search(vectors[:2], 3)[1].tolist() == FlatIndex(vectors).search(vectors[:2], 3)[1].tolist()


def test_a_graph_is_built_with_less_memory_where_there_is_little(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_graph_mb", lambda _: 10**9)  # the server refuses this
    vectors = made(300)
    index = filled_index(vectors, url, "little memory")
    assert index.search(vectors[:1], 1)[1].tolist() == [[0]]


def test_what_is_wrong_with_a_database_is_one_sentence_without_its_password(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for bad, said in (
        ("postgresql://user:secret@127.0.0.1:1/none", "cannot be reached"),
        ("postgres:/user:secret@host/database", "cannot be read"),
        ("user:secret@host", "cannot be read"),
        ("postgresql://user:sec%ret@host/database", "cannot be read"),
        ("postgresql://user:my@secret@127.0.0.1/database", "cannot be reached"),
        (f"{url}&dbname=missing", "SQLSTATE 3D000|cannot be reached"),
    ):
        with pytest.raises(UserError, match=said) as raised:
            filled_index(made(10), bad, "bad")
        assert "sec" not in str(raised.value) and "\n" not in str(raised.value)
    with pytest.raises(UserError, match="cannot be read"):
        check_address("user:secret@host")
    check_address(url)
    with pytest.raises(UserError, match="2100 dimensions"):
        filled_index(torch.eye(2100)[:2], url, "wide")
    missing: Any = None
    monkeypatch.setitem(sys.modules, "psycopg", missing)
    with pytest.raises(UserError, match="needs more packages"):
        filled_index(made(10), url, "none")
