"""Which stores a command line can name; and that processes that start together make the tables of a database once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from streamgraph.errors import UnknownOptionError
from streamgraph.named import saver_named, store_named
from support.savers import new_database


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def address(request: Any, tmp_path: Path) -> str:
    """A database of its own, as a command line names it."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'all.db'}"
    return "memory" if request.param == "memory" else new_database()


def test_stores() -> None:
    for name in ("memory", "sqlite:x.db", "postgres://me@host/db", "postgres:host=/tmp"):
        assert callable(store_named(name))
    for name in ("redis:x", "sqlite:", "sqlite"):
        with pytest.raises(UnknownOptionError, match="no store"):
            store_named(name)


def test_savers_and_stores_that_open_together(address: str) -> None:
    async def opened(number: int) -> Any:
        async with saver_named(address)() as saver, store_named(address)() as store:
            found: Any = store
            await found.aput(("said",), str(number), {"number": number})
            item = await found.aget(("said",), str(number))
            stored: Any = saver
            assert await stored.aget_tuple({"configurable": {"thread_id": "none"}}) is None
            return item.value["number"]

    async def all_of_them() -> Any:
        if address.startswith("sqlite"):  # whose packages do not wait for each other while they make tables
            return [await opened(number) for number in range(3)]
        return await asyncio.gather(*(opened(number) for number in range(3)))

    assert list(asyncio.run(all_of_them())) == [0, 1, 2]
