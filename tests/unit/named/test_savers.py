"""Which savers a command line can name."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from streamgraph.errors import MissingPackageError, UnknownOptionError
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.named import open_saver, saver_named


def test_savers() -> None:
    for name in ("memory", "sqlite:x.db", "postgres://me@host/db", "postgres:host=/tmp"):
        assert callable(saver_named(name))
    for name in ("redis:x", "sqlite:", "sqlite"):
        with pytest.raises(UnknownOptionError, match="no checkpointer"):
            saver_named(name)


def test_savers_that_are_open(tmp_path: Path) -> None:
    """The same file holds threads of both kinds of programs, with an event loop and without one."""
    pytest.importorskip("langgraph.checkpoint.sqlite.aio")
    name = f"sqlite:{tmp_path / 'threads.db'}"
    config: Any = {"configurable": {"thread_id": "t"}}

    def graph(saver: Any) -> Any:
        builder = StateGraph(MessagesState).add_node("say", lambda state: {"messages": [("ai", "x")]})
        return builder.add_edge(START, "say").compile(checkpointer=saver)

    async def main() -> int:
        async with saver_named(name)() as saver:
            return len((await graph(saver).ainvoke({"messages": "?"}, config))["messages"])

    with open_saver(name) as saver:
        assert len(graph(saver).invoke({"messages": "?"}, config)["messages"]) == 2
    assert asyncio.run(main()) == 4
    with open_saver("memory") as saver:
        assert len(graph(saver).invoke({"messages": "?"}, config)["messages"]) == 2
    with pytest.raises(UnknownOptionError, match="no checkpointer"), open_saver("redis:x"):
        pass


@pytest.mark.parametrize("name", ["sqlite:x.db", "postgres://me@host/db"])
def test_a_saver_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    async def main() -> None:
        async with saver_named(name)():
            pass

    for missing in ("sqlite", "sqlite.aio", "postgres", "postgres.aio"):
        monkeypatch.setitem(sys.modules, f"langgraph.checkpoint.{missing}", None)
    with pytest.raises(MissingPackageError, match="pip install langgraph-checkpoint-"), open_saver(name):
        pass
    with pytest.raises(MissingPackageError, match="pip install langgraph-checkpoint-"):
        asyncio.run(main())
