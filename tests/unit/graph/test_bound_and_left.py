"""Graphs that are bound twice, and graphs that outlive the run they were started in."""

import asyncio
import operator
from typing import Any, List

import pytest
from typing_extensions import Annotated, TypedDict

from streamgraph import END, START, StateGraph, get_stream_writer


class Items(TypedDict):
    """A state that collects."""

    items: Annotated[list, operator.add]


def test_bound_twice() -> None:
    """Binding a bound graph adds up, and brings in no limit that nobody has set."""
    builder = StateGraph(Items).add_node("step", lambda state: {"items": [1]}).add_edge(START, "step")
    builder.add_conditional_edges("step", lambda state: "step" if len(state["items"]) < 30 else END)
    graph = builder.compile().with_config(tags=["one"], metadata={"a": 1, "b": 1})
    graph = graph.with_config({"tags": ["two"], "metadata": {"b": 2}})

    assert len(graph.invoke({"items": []})["items"]) == 30
    start = next(iter(graph.stream({"items": []}, stream_mode="tasks")))
    assert start["metadata"] == {"a": 1, "b": 2, "tags": ["one", "two"]}


def test_graph_that_outlives_the_run_it_was_started_in() -> None:
    """What a node leaves running goes on undisturbed: a graph in progress, and one that starts later."""

    async def main() -> List[Any]:
        started, over = asyncio.Event(), asyncio.Event()
        left: List[Any] = []

        async def work(state: Items) -> Any:
            started.set()
            await over.wait()
            get_stream_writer()("too late")
            return {"items": ["worked"]}

        async def rest(state: Items) -> Any:
            get_stream_writer()("also too late")
            return {"items": ["rested"]}

        inner = StateGraph(Items).add_sequence([("work", work), ("rest", rest)]).add_edge(START, "work").compile()

        async def later() -> Any:
            await over.wait()
            return [chunk async for chunk in inner.astream({"items": []}, stream_mode=["custom", "values"])]

        async def leave(state: Items) -> Any:
            left.extend([asyncio.create_task(inner.ainvoke({"items": []})), asyncio.create_task(later())])
            await started.wait()
            return {"items": ["left"]}

        outer = StateGraph(Items).add_node("leave", leave).add_edge(START, "leave").compile()
        assert [chunk async for chunk in outer.astream({"items": []}, stream_mode="custom")] == []
        over.set()
        return list(await asyncio.gather(*left))

    with pytest.warns(RuntimeWarning, match="after its run had ended"):
        in_progress, later = asyncio.run(main())

    assert in_progress == {"items": ["worked", "rested"]}
    assert [chunk for mode, chunk in later if mode == "custom"] == ["too late", "also too late"]
    assert later[-1] == ("values", {"items": ["worked", "rested"]})
