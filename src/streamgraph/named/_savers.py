"""The savers that a command line can name."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import AsyncContextManager, AsyncIterator, Callable, Iterator

from streamgraph._checkpoint.wire import readable
from streamgraph.named._places import missing, place_of
from streamgraph.named._postgres import open_pool, set_up


def in_memory() -> object:
    """Return a new saver that keeps threads in memory."""
    from langgraph.checkpoint.memory import InMemorySaver

    return InMemorySaver()


def readable_saver(saver: object) -> object:
    """Return a saver that reads all that graphs of this package have stored.

    Questions and others are stored under LangGraph's names. Who reads a saver without a graph, for a list of threads,
    gets a warning for each of them from a serializer that cannot import LangGraph.

    Args:
        saver: The saver.

    Returns:
        The saver itself where that is no matter, else a copy that shares what is stored.
    """
    return readable(saver) if hasattr(saver, "serde") else saver


def saver_named(given: str) -> Callable[[], AsyncContextManager[object]]:
    """Return the function that opens the saver that a name stands for.

    Args:
        given: `"memory"`, `"sqlite:PATH"`, or `"postgres:..."`, a URL of PostgreSQL with or without slashes.

    Raises:
        UnknownOptionError: It stands for none.
    """
    place = place_of(given, "checkpointer")
    if place.kind == "memory":
        return _memory
    return partial(_sqlite if place.kind == "sqlite" else _postgres, place.address)


@asynccontextmanager
async def _memory() -> AsyncIterator[object]:
    yield in_memory()


@asynccontextmanager
async def _sqlite(path: str) -> AsyncIterator[object]:
    try:
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
    except ImportError as error:
        raise missing("checkpointer", "langgraph-checkpoint-sqlite") from error
    async with AsyncSqliteSaver.from_conn_string(path) as saver:
        yield saver


@asynccontextmanager
async def _postgres(url: str) -> AsyncIterator[object]:
    try:
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    except ImportError as error:
        raise missing("checkpointer", "langgraph-checkpoint-postgres psycopg[binary]") from error
    async with open_pool(url) as pool:
        saver = AsyncPostgresSaver(pool)
        await set_up(pool, saver.setup)
        yield saver


@contextmanager
def open_saver(given: str) -> Iterator[object]:
    """Open the saver that a name stands for, for a program without an event loop; see `saver_named`.

    Args:
        given: `"memory"`, `"sqlite:PATH"` or `"postgres:..."`.

    Raises:
        UnknownOptionError: It stands for none.
        MissingPackageError: The package of the saver is not installed.
    """
    place = place_of(given, "checkpointer")
    if place.kind == "memory":
        yield in_memory()
    elif place.kind == "sqlite":
        try:
            from langgraph.checkpoint.sqlite import SqliteSaver
        except ImportError as error:
            raise missing("checkpointer", "langgraph-checkpoint-sqlite") from error
        with SqliteSaver.from_conn_string(place.address) as saver:
            yield saver
    else:
        try:
            from langgraph.checkpoint.postgres import PostgresSaver
        except ImportError as error:
            raise missing("checkpointer", "langgraph-checkpoint-postgres psycopg[binary]") from error
        with PostgresSaver.from_conn_string(place.address) as postgres:
            postgres.setup()
            yield postgres
