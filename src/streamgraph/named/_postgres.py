"""Connections to PostgreSQL for servers: several at once, renewed when they are lost, on tables that are made once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any, AsyncIterator, Awaitable, Callable

_MOST = 10
_LOCK = 0x73747265616D
"""The number of the lock under which tables are made: processes that start together would make them twice."""


@asynccontextmanager
async def open_pool(url: str) -> AsyncIterator[Any]:
    """Open connections, and close them at the end.

    Args:
        url: The address of the database.
    """
    from psycopg.rows import dict_row
    from psycopg_pool import AsyncConnectionPool

    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    pool = AsyncConnectionPool(url, min_size=1, max_size=_MOST, open=False, kwargs=options)
    await pool.open(wait=True)
    try:
        yield pool
    finally:
        await pool.close()


async def set_up(pool: Any, make: Callable[[], Awaitable[None]]) -> None:
    """Make tables, one process after the other.

    Args:
        pool: The connections.
        make: Makes what is missing.
    """
    async with pool.connection() as connection:
        # Asked for again and again, not waited for: who waits inside a statement holds up the making of an index.
        while not (await _one(connection, "SELECT pg_try_advisory_lock(%s) AS found"))["found"]:
            await asyncio.sleep(0.05)
        try:
            await make()
        finally:
            await _one(connection, "SELECT pg_advisory_unlock(%s)")


async def _one(connection: Any, statement: str) -> Any:
    return await (await connection.execute(statement, (_LOCK,))).fetchone()
