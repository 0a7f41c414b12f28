"""Savers of third parties, with no more than the documented contract, work in sync runs and in async runs."""

from __future__ import annotations

import asyncio
import operator
import threading
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

    def loops() -> int:
        return sum(thread.name == "streamgraph-loop" for thread in threading.enumerate())

    graph = builder().compile(checkpointer=MINIMAL[1]())
    graph.invoke({"seen": []}, CONFIG)
    assert loops() == 0
    history = graph.get_state_history(CONFIG)
    assert next(history).next == ("ask",)
    assert loops() == 1
    history.close()
    assert loops() == 0


@pytest.mark.parametrize("kind", MINIMAL)
@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_run_that_ends_early_is_stored(kind: Type[Any], durability: Any, asynchronous: bool) -> None:
    """Also when what the saver is awaited on ends with the run: by a failure, a question deep down, or a reader."""

    def fail(state: State) -> State:
        raise ValueError("broken")

    def asking(state: State) -> State:
        return inner.invoke({"seen": []})

    inner = StateGraph(State).add_node("ask", lambda state: {"seen": [interrupt("?")]}).add_edge(START, "ask").compile()
    graph = StateGraph(State).add_node("a", note("a")).add_node("b", note("b")).add_node(fail).add_node(asking)
    graph.add_edge(START, "a").add_edge("a", "b")
    graph.add_conditional_edges("a", lambda state: state["seen"][0], ["fail", "asking", "b"])
    compiled = graph.compile(checkpointer=kind())

    async def run(given: str) -> Any:
        config = {"configurable": {"thread_id": given}, "max_concurrency": 1}
        if given == "b":
            if asynchronous:
                async with compiled.astream({"seen": [given]}, config, durability=durability) as astream:
                    await astream.__anext__()
            else:
                with compiled.stream({"seen": [given]}, config, durability=durability) as stream:
                    next(stream)
        elif asynchronous:
            await compiled.ainvoke({"seen": [given]}, config, durability=durability)
        else:
            compiled.invoke({"seen": [given]}, config, durability=durability)
        return config

    async def main() -> None:
        for given in ("fail", "asking", "b"):
            config: Any = {"configurable": {"thread_id": given}}
            if given == "fail":
                with pytest.raises(ValueError, match="broken"):
                    await run(given)
            else:
                await run(given)
            state = await compiled.aget_state(config)
            assert (state.values["seen"][:2], state.next) == ([given, "a"], (given,))
            assert [question.value for question in state.interrupts] == (["?"] if given == "asking" else [])

    asyncio.run(main())
