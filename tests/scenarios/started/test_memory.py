"""What a started run keeps is given back with its handle; while it is kept, the collector has little of it to walk."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from typing import Any, List

import pytest

from streamgraph.config import get_stream_writer
from streamgraph.graph import START, StateGraph
from streamgraph.runs import MemoryLog, RunHandle
from support.models import Model
from support.value_graphs import State, graph_of, line_of
from support.waiting import PATIENCE, eventually, run, threads

SPARE = 40  # objects by which caches may grow


def objects() -> int:
    """How many objects the collector knows of."""
    gc.collect()
    return len(gc.get_objects())


def finished(graph: Any, count: int) -> List[RunHandle[Any]]:
    """So many runs that are over, of which half are on a loop; each was read twice."""

    async def on_loop() -> List[RunHandle[Any]]:
        made = [await graph.astart({}) for _ in range(count // 2)]
        for handle in made:
            assert [chunk async for chunk in handle.astream("messages")]
            await handle
        return made

    handles = [graph.start({}) for _ in range(count // 2)]
    for handle in handles:
        assert list(handle.stream("messages"))
        assert handle.join(PATIENCE)
    return [*handles, *asyncio.run(on_loop())]


def test_a_thousand_finished_runs_are_given_back() -> None:
    """Nothing of them is left, neither objects nor threads, and what was in them need not be collected."""
    model = Model()

    async def aspeak(state: State) -> Any:
        return {"value": (await model.ainvoke("?")).content}

    graph = line_of(speak=lambda state: model.invoke("?") and {"value": "x"}, nested=graph_of(speak=aspeak))
    finished(graph, 20)
    before = objects()
    handles = finished(graph, 1000)
    logs = [weakref.ref(handle._run.log) for handle in handles]
    eventually(lambda: not threads())
    gc.collect()
    gc.disable()
    try:
        handles.clear()
        del handles
        assert [log for log in logs if log() is not None] == []
    finally:
        gc.enable()
    del logs
    assert objects() - before < SPARE


def test_a_token_that_is_kept_is_nothing_to_walk() -> None:
    """A kept token is a text and a number; the collector knows of none of it, or it would walk all for ever."""
    size, model = 2000, Model(words=["word "] * 2000, ids=[None] * 2000)

    def speak(state: State) -> None:
        model.invoke("?")

    graph = graph_of(speak=speak)
    graph.start({}, record="messages").result()
    before = objects()
    handle = graph.start({}, record="messages")
    assert len(list(handle.stream("messages"))) == size + 1
    eventually(lambda: not threads())
    assert objects() - before < size / 10
    log = handle._run.log
    assert isinstance(log, MemoryLog)
    assert log.bytes < 200 * size


def test_readers_that_have_left_leave_nothing() -> None:
    """Not even if thousands come to one run that goes on."""

    async def wait(state: State) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        handle = await graph_of(wait=wait).astart({})

        async def come(how: int) -> None:
            reader = handle.astream("updates", heartbeat=0.001, max_buffer=1, overflow="block")
            await reader.__anext__()
            if how == 0:
                await reader.aclose()

        for how in (0, 1):
            await come(how)
        before = objects()
        for index in range(300):
            await come(index % 2)
        assert objects() - before < SPARE
        handle.cancel()
        await handle.ajoin()

    run(main())


@pytest.mark.parametrize("limits", [{"max_events": 100}, {"max_bytes": 20_000}, {"max_age": 0.02}], ids=str)
def test_a_long_run_keeps_what_it_may(limits: Any) -> None:
    """However long it goes on, with tokens of many messages and other parts."""
    kept: List[int] = []
    model = Model(words=["word "] * 50, ids=[None] * 50)

    def speak(state: State) -> Any:
        writer = get_stream_writer()
        for _ in range(20):
            model.invoke("?")
            for number in range(50):
                writer({"number": [number]})
        time.sleep(0.03)
        writer("last")
        kept.append(objects())
        return {"value": state.get("value", "") + "x"}

    builder = StateGraph(State).add_node("speak", speak).add_edge(START, "speak")
    builder.add_conditional_edges("speak", lambda state: "speak" if len(state["value"]) < 6 else "__end__")
    handle = builder.compile().start({}, log=MemoryLog(**limits))
    assert handle.join(PATIENCE)
    # The run itself remembers its messages; the log would keep 10,000 objects more without a limit.
    assert kept[-1] - kept[2] < 3 * 20 * 12 + SPARE
