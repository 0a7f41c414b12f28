"""Which stores a command line can name; and that processes that start together make the tables of a database once."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
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
        return await asyncio.gather(*(opened(number) for number in range(3)))

    assert list(asyncio.run(all_of_them())) == [0, 1, 2]


def test_a_store_whose_tables_another_process_is_making(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one has added a column, and not yet noted that it has: SQLite's store adds it once more."""
    aio = pytest.importorskip("langgraph.store.sqlite.aio")
    path = tmp_path / "all.db"
    set_up, refused = aio.AsyncSqliteStore.setup, []

    async def opened() -> None:
        async with store_named(f"sqlite:{path}")() as store:
            found: Any = store
            await found.aput(("said",), "it", {"number": 1})

    async def noticed(store: Any) -> None:
        try:
            await set_up(store)
        except sqlite3.Error as error:
            refused.append(str(error))
            with closing(sqlite3.connect(str(path))) as other, other:
                other.execute("INSERT INTO store_migrations (v) VALUES (?)", (last,))
            raise

    asyncio.run(opened())
    with closing(sqlite3.connect(str(path))) as other, other:
        last = max(v for v, sql in enumerate(aio.AsyncSqliteStore.MIGRATIONS) if "ADD COLUMN" in sql)
        other.execute("DELETE FROM store_migrations WHERE v >= ?", (last,))
    monkeypatch.setattr(aio.AsyncSqliteStore, "setup", noticed)
    asyncio.run(opened())
    assert len(refused) == 1 and "duplicate column" in refused[0]
