"""Savers that belong to an event loop, in runs that are elsewhere: nothing waits for ever, and nothing is mixed up."""

from __future__ import annotations

import asyncio
import operator
import threading
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from typing_extensions import Annotated, TypedDict

from streamgraph.errors import EventLoopError
from streamgraph.graph import START, StateGraph
from support.minimal_savers import AsyncSaver
from support.savers import aopen_saver

CONFIG: Dict[str, Any] = {"configurable": {"thread_id": "1"}}
KINDS = ("async sqlite", "async postgres")


class State(TypedDict, total=False):
    seen: Annotated[List[Any], operator.add]


def line() -> StateGraph[State]:
    builder = StateGraph(State)
    for name in "abc":
        builder.add_node(name, lambda state, name=name: {"seen": [name]})
    return builder.add_edge(START, "a").add_edge("a", "b").add_edge("b", "c")


@pytest.mark.parametrize("kind", KINDS)
def test_a_sync_call_on_the_loop_of_the_saver(kind: str, tmp_path: Path) -> None:
    """It would wait for itself; nothing of it is run or stored."""

    async def main() -> None:
        async with aopen_saver(kind, tmp_path) as saver:
            graph = line().compile(checkpointer=saver)
            calls: List[Callable[[], Any]] = [
                lambda: graph.invoke({"seen": []}, CONFIG),
                lambda: list(graph.stream({"seen": []}, CONFIG)),
                lambda: graph.get_state(CONFIG),
                lambda: list(graph.get_state_history(CONFIG)),
                lambda: graph.update_state(CONFIG, {"seen": []}, as_node="a"),
            ]
            for call in calls:
                with pytest.raises(EventLoopError, match="the event loop that this call blocks"):
                    call()
            assert (await graph.aget_state(CONFIG)).created_at is None
            assert await graph.ainvoke({"seen": []}, CONFIG) == {"seen": ["a", "b", "c"]}

    asyncio.run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_runs_in_other_threads_and_on_other_loops(kind: str, tmp_path: Path) -> None:
    """Their calls are made on the loop of the saver, whose connection knows no other."""

    async def elsewhere(graph: Any) -> List[Any]:
        await graph.ainvoke({"seen": []}, CONFIG)
        return [state.next async for state in graph.aget_state_history(CONFIG)]

    async def main() -> None:
        async with aopen_saver(kind, tmp_path) as saver:
            graph = line().compile(checkpointer=saver)
            steps = [(), ("c",), ("b",), ("a",), ("__start__",)]
            assert await asyncio.to_thread(asyncio.run, elsewhere(graph)) == steps
            await asyncio.to_thread(graph.update_state, CONFIG, {"seen": ["changed"]}, as_node="c")
            history = await asyncio.to_thread(lambda: [state.next for state in graph.get_state_history(CONFIG)])
            assert history == [(), *steps]
            # One that was left gives the connection back.
            await asyncio.to_thread(lambda: next(graph.get_state_history(CONFIG)))
            assert (await graph.aget_state(CONFIG)).values == {"seen": ["a", "b", "c", "changed"]}

    asyncio.run(main())


def test_a_saver_whose_loop_does_not_run(tmp_path: Path) -> None:
    """A program that calls `asyncio.run` for each request has savers like this one."""
    loop = asyncio.new_event_loop()
    manager = aopen_saver("async sqlite", tmp_path)
    saver = loop.run_until_complete(manager.__aenter__())
    try:
        graph = line().compile(checkpointer=saver)
        assert graph.invoke({"seen": []}, CONFIG) == {"seen": ["a", "b", "c"]}
        assert len(asyncio.run(graph.ainvoke({"seen": []}, CONFIG))["seen"]) == 6
        assert len(list(graph.get_state_history(CONFIG))) == 10
    finally:
        loop.run_until_complete(manager.__aexit__(None, None, None))
        loop.close()


@pytest.mark.parametrize(
    "call",
    [
        lambda graph: graph.invoke({"seen": []}, CONFIG),
        lambda graph: asyncio.run(graph.ainvoke({"seen": []}, CONFIG)),
    ],
)
def test_a_saver_whose_loop_ends_during_a_run(call: Callable[[Any], Any]) -> None:
    """The run ends with an error; it does not wait for a loop that will never answer."""
    opened, entered = threading.Event(), threading.Event()

    class LoopSaver(AsyncSaver):
        loop: Any = None

        async def aput(self, *args: Any) -> Any:
            entered.set()
            await asyncio.sleep(60)

    saver = LoopSaver()

    async def serve() -> None:
        saver.loop = asyncio.get_running_loop()
        opened.set()
        await asyncio.to_thread(entered.wait, 20)

    graph = line().compile(checkpointer=saver)
    server = threading.Thread(target=lambda: asyncio.run(serve()))
    server.start()
    assert opened.wait(20)
    with pytest.raises(EventLoopError, match="has ended while the run was being saved"):
        call(graph)
    server.join()
