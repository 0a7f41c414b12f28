"""With `durability="async"` the records of a nested run are stored after the record that it belongs to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Event
from typing import Any, Dict, List

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from typing_extensions import TypedDict

from streamgraph.graph import START, StateGraph


class Text(TypedDict):
    text: str


class Held(SqliteSaver):
    """A saver that stores the records of the outer graph when it is let."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.let, self.began_inside, self.order = Event(), Event(), []  # type: ignore[var-annotated]

    def put(self, config: Any, *args: Any) -> Any:
        ns = config["configurable"]["checkpoint_ns"]
        if ns:
            self.began_inside.set()
        else:
            assert self.let.wait(20)
        done = super().put(config, *args)
        self.order.append(bool(ns))
        return done


@pytest.mark.parametrize("asynchronous", [False, True])
def test_nested_runs_are_stored_after_what_they_belong_to(asynchronous: bool, tmp_path: Path) -> None:
    with Held.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:

        def inside(state: Text) -> Dict[str, Any]:
            assert not saver.began_inside.wait(0.2)
            saver.let.set()
            return {"text": "done"}

        async def ainside(state: Text) -> Dict[str, Any]:
            return await asyncio.get_running_loop().run_in_executor(None, inside, state)  # type: ignore[arg-type]

        inner = StateGraph(Text).add_node("last", ainside if asynchronous else inside).add_edge(START, "last")
        outer = StateGraph(Text).add_node("inner", inner.compile()).add_edge(START, "inner")
        graph = outer.compile(checkpointer=saver)
        config: Any = {"configurable": {"thread_id": "1"}}
        if asynchronous:
            final = asyncio.run(graph.ainvoke({"text": ""}, config, durability="async"))
        else:
            final = graph.invoke({"text": ""}, config, durability="async")
    assert final == {"text": "done"}
    order: List[bool] = saver.order
    assert order == [False, False, True, True, True, False]
