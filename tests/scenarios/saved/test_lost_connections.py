"""PostgreSQL ends the connections of a run, as after a restart or when they are idle: runs go on with new ones."""

from __future__ import annotations

import asyncio
import operator
from typing import Any, Dict, List

import pytest
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import Connection, OperationalError
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from typing_extensions import Annotated, TypedDict

from streamgraph.graph import START, StateGraph
from support.savers import new_database

CONFIG: Dict[str, Any] = {"configurable": {"thread_id": "1"}}
OPTIONS: Dict[str, Any] = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
WHOLE = {"seen": ["in", "a", "b", "c"]}


class State(TypedDict, total=False):
    seen: Annotated[List[Any], operator.add]


def end_connections(database: str) -> None:
    """Let the server end all connections to a database but this one."""
    with Connection.connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def build(database: str) -> StateGraph[State]:
    """Nodes in a line; while each of them runs, the server ends the connections."""
    builder = StateGraph(State)
    names = ("a", "b", "c")

    def node(name: str) -> Any:
        def run(state: State) -> State:
            end_connections(database)
            return {"seen": [name]}

        return run

    for source, name in zip((START, *names), names):
        builder.add_node(name, node(name)).add_edge(source, name)
    return builder


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["sync", "async"])
def test_a_pool(durability: Any) -> None:
    """A pool has other connections, so no run fails (langgraph #5675)."""
    database = new_database()
    with ConnectionPool(database, min_size=1, max_size=2, kwargs=OPTIONS, open=True) as pool:
        saver = PostgresSaver(pool)  # type: ignore[arg-type]
        saver.setup()
        graph = build(database).compile(checkpointer=saver)
        assert graph.invoke({"seen": ["in"]}, CONFIG, durability=durability) == WHOLE
        end_connections(database)
        assert graph.get_state(CONFIG).values == WHOLE
        end_connections(database)
        assert [state.next for state in graph.get_state_history(CONFIG)] == [(), ("c",), ("b",), ("a",), ("__start__",)]


@pytest.mark.slow
def test_a_large_pool() -> None:
    """However many connections a pool has, a restart of the server may end all of them at once."""
    database = new_database()
    with ConnectionPool(database, min_size=20, max_size=20, kwargs=OPTIONS, open=True) as pool:
        saver = PostgresSaver(pool)  # type: ignore[arg-type]
        saver.setup()
        graph = build(database).compile(checkpointer=saver)
        pool.wait()
        assert graph.invoke({"seen": ["in"]}, CONFIG, durability="sync") == WHOLE
        pool.wait()
        end_connections(database)
        assert len([*graph.get_state_history(CONFIG)]) == 5


@pytest.mark.slow
def test_an_async_pool() -> None:
    database = new_database()

    async def main() -> None:
        async with AsyncConnectionPool(database, min_size=1, max_size=2, kwargs=OPTIONS, open=False) as pool:
            saver = AsyncPostgresSaver(pool)  # type: ignore[arg-type]
            await saver.setup()
            graph = build(database).compile(checkpointer=saver)
            assert await graph.ainvoke({"seen": ["in"]}, CONFIG) == WHOLE
            assert (await graph.aget_state(CONFIG)).values == WHOLE
            end_connections(database)
            assert len([state async for state in graph.aget_state_history(CONFIG)]) == 5

    asyncio.run(main())


@pytest.mark.slow
def test_a_connection_that_is_lost_for_good() -> None:
    """One connection cannot be opened again by others than its owner: the error is PostgreSQL's, the thread whole."""
    database = new_database()
    with PostgresSaver.from_conn_string(database) as saver:
        saver.setup()
        graph = build(database).compile(checkpointer=saver)
        with pytest.raises(OperationalError):
            graph.invoke({"seen": ["in"]}, CONFIG, durability="sync")
    with PostgresSaver.from_conn_string(database) as saver:
        graph = build(database).compile(checkpointer=saver)
        assert graph.get_state(CONFIG).next == ("a",)
        assert graph.get_state(CONFIG).values == {"seen": ["in"]}
