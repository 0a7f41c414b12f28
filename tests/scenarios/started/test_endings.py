"""How started runs and their readers end: cancelled, left, dropped, with their loop."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextlib import suppress
from typing import Any, Callable, Dict, List

import pytest

from scenarios.started.leaving_a_program import started, waits, writes, writes_on_loop
from streamgraph.errors import EventLoopError, RunCancelledError, StreamBusyError
from streamgraph.testing import ScriptedModel
from support.value_graphs import State, graph_of
from support.waiting import PATIENCE, eventually, run, soon

NODES: Dict[str, Dict[str, Any]] = {
    "sync": {"node": writes},
    "async": {"node": waits},
    "async, busy": {"node": writes_on_loop},
    "side by side": {"one": writes, "two": waits},
}
NODE = pytest.mark.parametrize("nodes", list(NODES.values()), ids=list(NODES))


@NODE
def test_cancelled_from_another_thread(nodes: Dict[str, Any]) -> None:
    """The nodes end, every reader and everybody who waits gets to the end."""
    handle = started(**nodes)
    assert handle.status == "running"
    reading = threading.Thread(target=lambda: list(handle.stream("custom")))
    waiting = threading.Thread(target=handle.join)
    for thread in (reading, waiting):
        thread.start()
    assert not handle.join(0.01)
    with pytest.raises(TimeoutError, match="has not ended within"):
        handle.result(0.01)
    handle.cancel()
    handle.cancel()
    for thread in (reading, waiting):
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert handle.join(PATIENCE)
    handle.cancel()
    assert handle.status == "cancelled"
    with pytest.raises(RunCancelledError, match="was cancelled"):
        handle.result()


@NODE
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "from another thread"])
def test_cancelled_on_a_loop(nodes: Dict[str, Any], elsewhere: bool) -> None:
    """The same on an event loop, where the async nodes have cleaned up before the run counts as ended."""

    async def main() -> None:
        handle = await graph_of(**nodes).astart({})
        reader = handle.astream("custom")
        await reader.__anext__()
        rest = asyncio.ensure_future(_rest(reader))
        if elsewhere:
            await asyncio.get_running_loop().run_in_executor(None, handle.cancel)
        else:
            handle.cancel()
        await asyncio.wait_for(handle.ajoin(), PATIENCE)
        await asyncio.wait_for(rest, PATIENCE)
        assert handle.status == "cancelled"
        with pytest.raises(RunCancelledError):
            await handle

    run(main())


async def _rest(reader: Any) -> List[Any]:
    return [chunk async for chunk in reader]


def test_who_waits_for_a_run_can_be_cancelled() -> None:
    """Then the run goes on."""

    async def main() -> None:
        handle = await graph_of(node=waits).astart({})
        for waiting in (handle.aresult(), handle.ajoin(), _rest(handle.astream("custom"))):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(waiting, 0.01)
        assert handle.status == "running"
        handle.cancel()
        await handle.ajoin()

    run(main())


def test_cancelled_before_it_begins() -> None:
    """It never begins."""
    begun: List[int] = []

    async def main() -> None:
        handle = await graph_of(node=lambda state: begun.append(1)).astart({})
        handle.cancel()
        await handle.ajoin()
        assert (handle.status, begun) == ("cancelled", [])
        assert [chunk async for chunk in handle.astream()] == []

    run(main())


def _closes(reader: Any) -> None:
    reader.close()
    assert list(reader) == []


def _leaves_block(reader: Any) -> None:
    with reader:
        pass


def _breaks(reader: Any) -> None:
    for _ in reader:
        break
    del reader


def _throws(reader: Any) -> None:
    with pytest.raises(KeyError):
        reader.throw(KeyError("of the consumer"))


LEAVING: List[Callable[[Any], None]] = [_closes, _leaves_block, _breaks, _throws]


@pytest.mark.parametrize("leave", LEAVING)
@pytest.mark.parametrize("policy", ["continue", "cancel"])
def test_the_last_reader_leaves(leave: Callable[[Any], None], policy: Any) -> None:
    """The run goes on, or it is cancelled if that was asked for; not when another one is still there."""
    handle = graph_of(node=writes).start({}, on_disconnect=policy)
    first, second = handle.stream("custom"), handle.stream("custom")
    next(first)
    next(second)
    leave(first)
    del first
    gc.collect()
    next(second)
    assert handle.status == "running"
    leave(second)
    del second
    gc.collect()
    if policy == "continue":
        next(handle.stream("custom", after=handle.last_id))
        handle.cancel()
    assert handle.join(PATIENCE)
    assert handle.status == "cancelled"


@pytest.mark.parametrize("policy", ["continue", "cancel"])
@pytest.mark.parametrize("how", ["aclose", "block", "cancelled", "dropped", "break"])
def test_the_last_reader_leaves_a_loop(policy: Any, how: str) -> None:
    """The same on an event loop."""

    async def main() -> None:
        handle = await graph_of(node=writes_on_loop).astart({}, on_disconnect=policy)
        reader = handle.astream("custom")
        await reader.__anext__()
        if how == "aclose":
            await reader.aclose()
        elif how == "block":
            async with reader:
                pass
        elif how == "cancelled":
            task = asyncio.ensure_future(_rest(reader))
            await asyncio.sleep(0.005)
            task.cancel()
            await asyncio.wait([task])
            del task
        elif how == "break":
            async for _ in reader:
                break
        del reader
        gc.collect()
        if policy == "continue":
            await handle.astream("custom", after=handle.last_id).__anext__()
            handle.cancel()
        await asyncio.wait_for(handle.ajoin(), PATIENCE)
        assert handle.status == "cancelled"

    run(main())


def test_a_dropped_handle() -> None:
    """A run that nobody has goes on to its end, or is cancelled if that was asked for."""
    ended: List[str] = []
    go_on = threading.Event()

    def node(state: State) -> None:
        assert go_on.wait(PATIENCE)
        ended.append("to its end")

    graph_of(node=node).start({})
    gc.collect()
    go_on.set()
    eventually(lambda: ended == ["to its end"])
    cleaned: List[str] = []
    began = threading.Event()

    async def waiting(state: State) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append("up")

    handle = graph_of(node=waiting).start({}, on_disconnect="cancel")
    reader = handle.stream("updates", heartbeat=0.001)
    next(reader)
    assert began.wait(PATIENCE)  # else it may be cancelled before it has anything to clean up
    del handle
    gc.collect()
    next(reader)
    reader.close()
    eventually(lambda: cleaned == ["up"])


def test_a_loop_that_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    """Who waits in a thread, or on another loop, is told of the end of a run whose loop was closed under it."""
    loop = asyncio.new_event_loop()

    async def main() -> Any:
        handle = await graph_of(node=waits).astart({})
        await handle.astream("custom").__anext__()
        return handle

    handle = loop.run_until_complete(main())
    chunks: List[Any] = []
    reading = threading.Thread(target=lambda: chunks.extend(handle.stream("custom")))
    waiting = threading.Thread(target=lambda: asyncio.run(handle.ajoin()))
    joining = threading.Thread(target=handle.join)
    for thread in (reading, waiting, joining):
        thread.start()
    loop.close()
    for thread in (reading, waiting, joining):
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert (handle.status, chunks) == ("cancelled", ["started"])
    gc.collect()
    # asyncio says of each task that somebody has closed its loop too early.
    caplog.clear()


def test_a_loop_that_ends_properly() -> None:
    """`asyncio.run` cancels the run."""

    async def main() -> Any:
        handle = await graph_of(one=waits, two=writes_on_loop).astart({})
        await handle.astream("custom").__anext__()
        return handle

    handle = asyncio.run(main())
    assert handle.status == "cancelled"
    assert "started" in list(handle.stream("custom"))


def test_waiting_on_the_loop_of_the_run_is_refused() -> None:
    """Its thread cannot do both."""

    async def main() -> None:
        handle = await graph_of(node=waits).astart({})
        for wait in (handle.result, handle.join, lambda: list(handle.stream("updates"))):
            with pytest.raises(EventLoopError, match="on this event loop"):
                wait()
        handle.cancel()
        await handle.ajoin()
        assert handle.join()
        assert list(handle.stream("updates")) == []

    run(main())


def test_two_pull_one_reader() -> None:
    """The second is refused, and the first does not notice."""
    handle = started(node=waits)
    reader = handle.stream("updates")
    pulling = threading.Thread(target=lambda: list(reader))
    pulling.start()
    eventually(lambda: reader.gi_running)
    with pytest.raises(StreamBusyError):
        next(reader)
    reader.close()
    pulling.join(PATIENCE)
    assert not pulling.is_alive()
    handle.cancel()
    assert handle.join(PATIENCE)


def test_started_in_a_node() -> None:
    """It outlives its node and the run around it."""
    handles: List[Any] = []
    go_on = threading.Event()

    def wait(state: State) -> Any:
        assert go_on.wait(PATIENCE)
        return {"value": "inner"}

    inner = graph_of(node=wait)

    def node(state: State) -> Any:
        handles.append(inner.start({}))
        return {"value": "outer"}

    assert graph_of(node=node).invoke({}) == {"value": "outer"}
    assert handles[0].status in ("pending", "running")
    go_on.set()
    assert handles[0].result(PATIENCE) == {"value": "inner"}


def test_a_node_reads_a_run() -> None:
    """A node may start a run and stream it, in a thread and on a loop."""
    inner = graph_of(node=lambda state: {"value": "inner"})

    async def anode(state: State) -> Any:
        handle = await inner.astart({})
        return {"value": str([chunk async for chunk in handle.astream("updates")])}

    def node(state: State) -> Any:
        return {"value": str(list(inner.start({}).stream("updates")))}

    expected = {"value": "[{'node': {'value': 'inner'}}]"}
    assert graph_of(node=node).invoke({}) == expected
    assert asyncio.run(graph_of(node=anode).ainvoke({})) == expected


def test_a_run_is_let_go_when_nobody_waits() -> None:
    """A reader on a loop that leaves while a run in a thread goes on wakes nobody."""

    async def main() -> None:
        handle = graph_of(node=waits).start({})
        reader = handle.astream("updates")
        task = asyncio.ensure_future(reader.__anext__())
        await asyncio.sleep(0.01)
        await reader.aclose()
        with pytest.raises(StopAsyncIteration):
            await task
        handle.cancel()
        await soon(lambda: handle.status == "cancelled")

    run(main())


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "from another thread"])
def test_a_cancellation_that_a_node_has_lost(elsewhere: bool) -> None:
    """As `asyncio.wait_for` loses one before Python 3.12 (CPython #86296): the model ends at its next token."""

    async def main() -> None:
        begun, said = asyncio.Event(), []
        model = ScriptedModel(["one two three four five six"])

        async def loses(state: State) -> State:
            begun.set()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3 * PATIENCE)
            async for chunk in model.astream("?"):
                said.append(chunk.content)
            return {}

        handle = await graph_of(node=loses).astart({})
        await begun.wait()
        if elsewhere:
            await asyncio.to_thread(handle.cancel)
        else:
            handle.cancel()
        await asyncio.wait_for(handle.ajoin(), PATIENCE)
        assert (handle.status, said) == ("cancelled", [])

    run(main())
