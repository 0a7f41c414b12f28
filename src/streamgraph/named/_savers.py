"""The savers that a command line can name."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import AsyncContextManager, AsyncIterator, Callable, Iterator

from streamgraph._checkpoint.wire import readable
from streamgraph.errors import MissingPackageError, UnknownOptionError
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
    kind, _, rest = given.partition(":")
    if kind == "memory":
        return _memory
    if kind == "sqlite" and rest:
        return lambda: _sqlite(rest[2:] if rest.startswith("//") else rest)
    if kind in ("postgres", "postgresql") and rest:
        return lambda: _postgres(f"postgresql:{rest}" if rest.startswith("//") else rest)
    raise UnknownOptionError(
        f"There is no checkpointer {given!r:.100}", hint="Give memory, sqlite:PATH or postgres://USER@HOST/DATABASE."
    )


@asynccontextmanager
async def _memory() -> AsyncIterator[object]:
    yield in_memory()


@asynccontextmanager
async def _sqlite(path: str) -> AsyncIterator[object]:
    try:
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
    except ImportError as error:
        raise _missing("langgraph-checkpoint-sqlite") from error
    async with AsyncSqliteSaver.from_conn_string(path) as saver:
        yield saver


@asynccontextmanager
async def _postgres(url: str) -> AsyncIterator[object]:
    try:
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    except ImportError as error:
        raise _missing("langgraph-checkpoint-postgres psycopg[binary]") from error
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
    saver_named(given)  # refuses what stands for none
    kind, _, rest = given.partition(":")
    if kind == "memory":
        yield in_memory()
    elif kind == "sqlite":
        try:
            from langgraph.checkpoint.sqlite import SqliteSaver
        except ImportError as error:
            raise _missing("langgraph-checkpoint-sqlite") from error
        with SqliteSaver.from_conn_string(rest[2:] if rest.startswith("//") else rest) as saver:
            yield saver
    else:
        try:
            from langgraph.checkpoint.postgres import PostgresSaver
        except ImportError as error:
            raise _missing("langgraph-checkpoint-postgres psycopg[binary]") from error
        with PostgresSaver.from_conn_string(f"postgresql:{rest}" if rest.startswith("//") else rest) as postgres:
            postgres.setup()
            yield postgres


def _missing(packages: str) -> MissingPackageError:
    return MissingPackageError("This checkpointer needs further packages", hint=f"Install them: pip install {packages}")
