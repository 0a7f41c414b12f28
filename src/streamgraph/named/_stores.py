"""The stores that a command line can name."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import AsyncContextManager, AsyncIterator, Callable

from streamgraph.named._places import missing, place_of
from streamgraph.named._postgres import open_pool, set_up


def store_named(given: str) -> Callable[[], AsyncContextManager[object]]:
    """Return the function that opens the store that a name stands for.

    Args:
        given: `"memory"`, `"sqlite:PATH"`, or `"postgres:..."`, a URL of PostgreSQL with or without slashes.

    Raises:
        UnknownOptionError: It stands for none.
    """
    place = place_of(given, "store")
    if place.kind == "memory":
        return _memory
    return partial(_sqlite if place.kind == "sqlite" else _postgres, place.address)


@asynccontextmanager
async def _memory() -> AsyncIterator[object]:
    from langgraph.store.memory import InMemoryStore

    yield InMemoryStore()


@asynccontextmanager
async def _sqlite(path: str) -> AsyncIterator[object]:
    try:
        from langgraph.store.sqlite.aio import AsyncSqliteStore
    except ImportError as error:
        raise missing("store", "langgraph-checkpoint-sqlite") from error
    async with AsyncSqliteStore.from_conn_string(path) as store:
        await store.setup()
        yield store


@asynccontextmanager
async def _postgres(url: str) -> AsyncIterator[object]:
    try:
        from langgraph.store.postgres.aio import AsyncPostgresStore
    except ImportError as error:
        raise missing("store", "langgraph-checkpoint-postgres psycopg[binary]") from error
    async with open_pool(url) as pool:
        store = AsyncPostgresStore(pool)
        await set_up(pool, store.setup)
        async with store:
            yield store
