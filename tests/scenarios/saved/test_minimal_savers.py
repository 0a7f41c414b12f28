"""Savers of third parties, with no more than the documented contract, work in sync runs and in async runs."""

from __future__ import annotations

import asyncio
import operator
from typing import Any, Dict, List, Type

import pytest
from typing_extensions import Annotated, TypedDict

from streamgraph.graph import START, StateGraph
from streamgraph.types import Command, Send, interrupt
from support.minimal_savers import MINIMAL

CONFIG: Dict[str, Any] = {"configurable": {"thread_id": "1"}}


class State(TypedDict, total=False):
    seen: Annotated[List[Any], operator.add]


def note(name: str) -> Any:
    return lambda state: {"seen": [name]}


def builder() -> StateGraph[State]:
    """A join behind a nested graph, a question, and tasks that are sent."""
    inner = StateGraph(State).add_node("x", note("x")).add_edge(START, "x").compile()
    graph = StateGraph(State).add_node("a", note("a")).add_node("b", note("b")).add_node("inner", inner)
    graph.add_node("ask", lambda state: {"seen": [interrupt("?")]})
    graph.add_node("sent", lambda state: {"seen": [state["number"]]})
    graph.add_edge(START, "a").add_edge("a", "b").add_edge("a", "inner").add_edge(["b", "inner"], "ask")
    return graph.add_conditional_edges(
        "ask", lambda state: [Send("sent", {"number": 1}), Send("sent", {"number": 2})], ["sent"]
    )


ASKING = ["in", "a", "b", "in", "a", "x"]
WHOLE = [*ASKING, "yes", 1, 2]


@pytest.mark.parametrize("kind", MINIMAL)
@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_sync_runs(kind: Type[Any], durability: Any) -> None:
    graph = builder().compile(checkpointer=kind())
    paused = graph.invoke({"seen": ["in"]}, CONFIG, durability=durability)
    assert (paused["seen"], len(paused["__interrupt__"])) == (ASKING, 1)
    assert graph.get_state(CONFIG, subgraphs=True).next == ("ask",)
    assert graph.invoke(Command(resume="yes"), CONFIG, durability=durability) == {"seen": WHOLE}
    history = list(graph.get_state_history(CONFIG, limit=2))
    assert (history[0].values, history[0].next) == ({"seen": WHOLE}, ())
    changed = graph.update_state(CONFIG, {"seen": ["changed"]}, as_node="a")
    assert graph.get_state(changed).next == ("b", "inner")
    assert graph.invoke(None, CONFIG)["seen"][: len(WHOLE) + 1] == [*WHOLE, "changed"]


@pytest.mark.parametrize("kind", MINIMAL)
@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_async_runs(kind: Type[Any], durability: Any) -> None:
    graph = builder().compile(checkpointer=kind())

    async def main() -> None:
        paused = await graph.ainvoke({"seen": ["in"]}, CONFIG, durability=durability)
        assert (paused["seen"], len(paused["__interrupt__"])) == (ASKING, 1)
        assert (await graph.aget_state(CONFIG, subgraphs=True)).next == ("ask",)
        assert await graph.ainvoke(Command(resume="yes"), CONFIG, durability=durability) == {"seen": WHOLE}
        history = [state async for state in graph.aget_state_history(CONFIG, limit=2)]
        assert (history[0].values, history[0].next) == ({"seen": WHOLE}, ())
        changed = await graph.aupdate_state(CONFIG, {"seen": ["changed"]}, as_node="a")
        assert (await graph.aget_state(changed)).next == ("b", "inner")

    asyncio.run(main())


def test_a_history_that_was_left_leaves_nothing_behind() -> None:
    """A sync history of an async saver has an event loop, which ends with it."""
    import threading

    graph = builder().compile(checkpointer=MINIMAL[1]())
    graph.invoke({"seen": []}, CONFIG)
    before = threading.active_count()
    history = graph.get_state_history(CONFIG)
    assert next(history).next == ("ask",)
    assert threading.active_count() > before
    history.close()
    assert threading.active_count() == before
