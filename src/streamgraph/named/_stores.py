"""The stores that a command line can name."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from sqlite3 import IntegrityError, OperationalError
from typing import AsyncContextManager, AsyncIterator, Awaitable, Callable

from streamgraph.named._places import missing, place_of
from streamgraph.named._postgres import open_pool, set_up

_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between the attempts to make tables that another process makes: one for each migration, and one more."""


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
        await _make_tables(store.setup)
        yield store


async def _make_tables(setup: Callable[[], Awaitable[None]]) -> None:
    """Make the tables of a store on SQLite, also while another process does.

    Its migrations are not guarded against each other: who comes second is told of a column or a row that is there
    already, and finds that step done when it looks again.
    """
    for pause in _PAUSES:
        try:
            return await setup()
        except (OperationalError, IntegrityError):
            await asyncio.sleep(pause)
    return await setup()


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
