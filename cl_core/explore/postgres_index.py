"""Search of vectors in a PostgreSQL database with the extension pgvector, for galleries that other programs share.

The vectors stay in the cache, too: the database finds the nearest rows, and their cosines are computed here.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cl_core.errors import UserError
from cl_core.explore.flat_index import FlatIndex
from cl_core.explore.hnsw import EXPANSION, Progress

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

PREFIX = "contrastive_explorer_"
BATCH = 20_000  # rows of one transaction
MAX_RESULTS = 1_000  # of pgvector's search; more are searched for exactly, here
MAX_DIM = 2_000  # of pgvector's HNSW index on float32
CONNECT_S = 10
EXTENSION_LOCK = 7_239_411  # any number that no other program takes


class PostgresIndex:
    """Vectors (N, D) float32 of length 1 in a table of a database; `filled_index` makes one.

    A search is approximate (pgvector's HNSW); cosines are computed from `vectors` in float32.

    table: its name. Threads share one connection, which is opened again when the server has closed it.
    """

    def __init__(self, vectors: Tensor, url: str, table: str) -> None:
        self.vectors, self._url, self.table = vectors, url, table
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None

    def search(self, queries: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Cosines (Q, K) and rows (Q, K) int64 of the K = min(count, N) vectors nearest to each query (Q, D), best first.

        Raises:
            UserError: the server cannot be reached.
        """
        count = min(count, len(self.vectors))
        if count > MAX_RESULTS:
            return FlatIndex(self.vectors).search(queries, count)
        with self._lock:
            used = self._connection is not None
            try:
                found = self._rows(queries, count)
            except UserError:
                self._close()
                if not used:
                    raise
                found = self._rows(queries, count)  # the server was restarted, say
        whole = [len(each) == count and min(each) >= 0 and max(each) < len(self.vectors) for each in found]
        if not all(whole):  # the approximate search found too few, or somebody changed the table
            return FlatIndex(self.vectors).search(queries, count)
        rows = torch.tensor(found)
        cosines = (self.vectors[rows] @ queries[:, :, None])[:, :, 0]
        cosines, order = cosines.sort(dim=1, descending=True, stable=True)
        return cosines, rows.gather(1, order)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _rows(self, queries: Tensor, count: int) -> list[list[int]]:
        from psycopg import sql

        with _problems():
            if self._connection is None:
                self._connection = connect(self._url)
            nearest = sql.SQL('SELECT "row" FROM {} ORDER BY feature <#> %s LIMIT %s').format(sql.Identifier(self.table))
            wide = sql.SQL("SET LOCAL hnsw.ef_search = {}").format(sql.Literal(max(count, min(MAX_RESULTS, EXPANSION))))
            with self._connection.transaction():
                self._connection.execute(wide)
                found = [self._connection.execute(nearest, (each.numpy(), count)).fetchall() for each in queries]
        return [[row for (row,) in each] for each in found]


@contextlib.contextmanager
def _problems() -> Iterator[None]:
    """Errors of the database as `UserError`. Their texts may have parts of the address, and so of a password: none is quoted."""
    import psycopg

    try:
        yield
    except psycopg.ProgrammingError as error:
        if error.sqlstate is None:
            raise UserError("gallery.bad_address") from None
        raise UserError("gallery.database", code=error.sqlstate) from None
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile):
        raise UserError("gallery.no_extension") from None
    except psycopg.OperationalError as error:
        if error.sqlstate is None or error.sqlstate.startswith("08"):
            raise UserError("gallery.unreachable") from None
        raise UserError("gallery.database", code=error.sqlstate) from None
    except (psycopg.Error, OSError, UnicodeError) as error:
        raise UserError("gallery.database", code=getattr(error, "sqlstate", None) or type(error).__name__) from None


def check_address(url: str) -> None:
    """Check that an address of a database can be read; nothing is connected.

    Raises:
        UserError: it cannot, or psycopg is not installed.
    """
    try:
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise UserError("gallery.no_driver") from None
    with _problems():
        conninfo_to_dict(url)


def connect(url: str) -> psycopg.Connection[Any]:
    """A connection to a database with pgvector.

    Raises:
        UserError: psycopg is not installed, the server cannot be reached, or pgvector is not installed there.
    """
    try:
        import psycopg
        from pgvector.psycopg import register_vector
    except ImportError:
        raise UserError("gallery.no_driver") from None
    with _problems():
        connection = psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_S, application_name="contrastive-explorer")
        try:
            # Two that create the extension at once would collide.
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (EXTENSION_LOCK,))
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            register_vector(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def filled_index(vectors: Tensor, url: str, key: str, progress: Progress | None = None) -> PostgresIndex:
    """An index of vectors (N, D) float32 of length 1 in the database `url`, filled at the first call.

    Rows are added in transactions of 20,000: an interrupted call resumes after the last one. Programs that fill the same table
    wait for each other.

    Args:
        url: such as postgresql://user:password@host/database.
        key: what the vectors are; another key has another table.
        progress: called with the fraction done, 0 to 1, while rows are added.

    Raises:
        UserError: psycopg is not installed, the server cannot be reached, pgvector is not installed there, or the vectors have
            more than 2,000 dimensions.
    """
    if vectors.shape[1] > MAX_DIM:
        raise UserError("gallery.too_wide", dim=vectors.shape[1], most=f"{MAX_DIM:,}")
    with connect(url) as connection, _problems():
        table = _fill(connection, vectors, key, progress)
    return PostgresIndex(vectors, url, table)


def _fill(connection: psycopg.Connection[Any], vectors: Tensor, key: str, progress: Progress | None) -> str:
    """Add the rows and the graph that a table does not have yet; returns its name."""
    import psycopg
    from psycopg import sql

    table = PREFIX + hashlib.sha256(key.encode()).hexdigest()[:16]
    name, index = sql.Identifier(table), sql.Identifier(f"{table}_nearest")
    lock = int.from_bytes(hashlib.sha256(table.encode()).digest()[:7])
    connection.execute("SELECT pg_advisory_lock(%s)", (lock,))
    columns = sql.SQL('("row" bigint PRIMARY KEY, feature vector({}) NOT NULL)').format(sql.Literal(vectors.shape[1]))
    connection.execute(sql.SQL("CREATE TABLE IF NOT EXISTS {} {}").format(name, columns))
    counted = connection.execute(sql.SQL('SELECT coalesce(max("row") + 1, 0) FROM {}').format(name)).fetchone()
    stored = counted[0] if counted else 0
    copy = sql.SQL('COPY {} ("row", feature) FROM STDIN (FORMAT BINARY)').format(name)
    for start in range(stored, len(vectors), BATCH):
        part = vectors[start : start + BATCH].numpy()
        with connection.transaction(), connection.cursor().copy(copy) as rows:
            rows.set_types(["int8", "vector"])
            for place, feature in enumerate(part, start):
                rows.write_row((place, feature))
        if progress:
            progress((start + len(part)) / len(vectors))
    # After the rows: one graph of all is built faster than one that grows with each batch.
    graph = sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} USING hnsw (feature vector_ip_ops) WITH (m = 16, ef_construction = 128)")
    try:
        _add_graph(connection, graph.format(index, name), f"SET LOCAL maintenance_work_mem = '{_graph_mb(vectors)}MB'")
    except (
        psycopg.OperationalError,
        psycopg.DataError,
    ):  # too little memory, or too little shared memory, as in containers: slower
        _add_graph(connection, graph.format(index, name), "SET LOCAL max_parallel_maintenance_workers = 0")
    return table


def _add_graph(connection: psycopg.Connection[Any], graph: sql.Composed, setting: str) -> None:
    with connection.transaction():
        connection.execute(setting.encode())
        connection.execute(graph)


def _graph_mb(vectors: Tensor) -> int:
    """Memory for building a graph, which is several times slower where it does not fit; at most 2 GB."""
    return int(min(2_000, max(64, len(vectors) * (4 * vectors.shape[1] + 400) / 1e6)))
