"""The stores that a command line can name."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import AsyncContextManager, AsyncIterator, Callable

from streamgraph.errors import MissingPackageError, UnknownOptionError
from streamgraph.named._postgres import open_pool, set_up


def store_named(given: str) -> Callable[[], AsyncContextManager[object]]:
    """Return the function that opens the store that a name stands for.

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
        f"There is no store {given!r:.100}", hint="Give memory, sqlite:PATH or postgres://USER@HOST/DATABASE."
    )


@asynccontextmanager
async def _memory() -> AsyncIterator[object]:
    from langgraph.store.memory import InMemoryStore

    yield InMemoryStore()


@asynccontextmanager
async def _sqlite(path: str) -> AsyncIterator[object]:
    try:
        from langgraph.store.sqlite.aio import AsyncSqliteStore
    except ImportError as error:
        raise _missing("langgraph-checkpoint-sqlite") from error
    async with AsyncSqliteStore.from_conn_string(path) as store:
        await store.setup()
        yield store


@asynccontextmanager
async def _postgres(url: str) -> AsyncIterator[object]:
    try:
        from langgraph.store.postgres.aio import AsyncPostgresStore
    except ImportError as error:
        raise _missing("langgraph-checkpoint-postgres psycopg[binary]") from error
    async with open_pool(url) as pool:
        store = AsyncPostgresStore(pool)
        await set_up(pool, store.setup)
        async with store:
            yield store


def _missing(packages: str) -> MissingPackageError:
    return MissingPackageError("This store needs further packages", hint=f"Install them: pip install {packages}")
