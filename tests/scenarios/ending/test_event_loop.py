"""Async runs leave the event loop free: what blocks runs in threads, with its context, and the loop turns on."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from contextvars import ContextVar
from typing import Any, Awaitable, Callable, Dict, List

import pytest
from blockbuster import BlockingError, blockbuster_ctx
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tools import tool

from streamgraph.config import get_stream_writer
from streamgraph.graph import END, START, MessagesState, StateGraph
from streamgraph.prebuilt import ToolNode
from streamgraph.types import Send
from support.models import Model
from support.value_graphs import graph_of, line_of
from support.waiting import PATIENCE, run, soon

color: ContextVar[str] = ContextVar("color", default="none")

TICK = 0.01
ALLOWED = 0.025  # the longest that the loop may be kept by us


class Places:
    """Notes where code runs."""

    def __init__(self) -> None:
        self.seen: Dict[str, Any] = {}

    def note(self, name: str) -> None:
        """Note the thread, the loop, and what is known of the context."""
        try:
            loop: Any = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        config = var_child_runnable_config.get()
        get_stream_writer()(name)
        self.seen[name] = (threading.current_thread() is threading.main_thread(), loop, color.get(), config is not None)


def blocking_graph(places: Places, block: Callable[[], Any]) -> Any:
    """A graph in which everything that is sync notes where it runs, and blocks."""

    def work(name: str) -> None:
        places.note(name)
        block()

    @tool
    def look(value: str) -> str:
        """Look something up."""
        work("tool")
        return value

    def ask(state: Any) -> Any:
        work("node")
        return {"messages": [AIMessage("", tool_calls=[{"name": "look", "args": {"value": "?"}, "id": "1"}])]}

    def path(state: Any) -> str:
        work("path")
        return "generator"

    def generator(state: Any) -> Any:
        work("generator")
        yield "a word"
        block()

    def start(state: Any) -> str:
        work("start")
        return "ask"

    def deep(state: Any) -> Any:
        work("nested")

    def sends(state: Any) -> Any:
        work("path to several")
        return [Send("sent", state)] * 2

    def sent(state: Any) -> Any:
        work("sent")

    class Object:
        def __call__(self, state: Any) -> Any:
            work("object")

    nested = StateGraph(MessagesState).add_node("deep", deep).add_edge(START, "deep").compile()
    builder = StateGraph(MessagesState)
    builder.add_node("ask", ask).add_node("tools", ToolNode([look])).add_node("generator", generator)
    builder.add_node("nested", nested).add_node("sent", sent).add_node("object", Object())
    builder.add_node("chain", RunnableLambda(lambda state: work("chain")) | RunnableLambda(lambda state: None))
    builder.add_conditional_edges(START, start, ["ask"])
    builder.add_edge("ask", "tools")
    builder.add_conditional_edges("tools", path, ["generator"])
    builder.add_edge("generator", "nested")
    builder.add_conditional_edges("nested", sends, ["sent"])
    return builder.add_edge("sent", "object").add_edge("object", "chain").add_edge("chain", END).compile()


NAMES = ["chain", "generator", "nested", "node", "object", "path", "path to several", "sent", "start", "tool"]


@pytest.mark.parametrize("mode", ["values", "custom", "messages"])
def test_off_the_loop(mode: str) -> None:
    """Sync nodes, tools, path functions, generators and chains run off the loop, in the context of their task."""
    places = Places()

    async def main() -> None:
        color.set("mine")
        graph = blocking_graph(places, lambda: None)
        async for _ in graph.astream({"messages": ["?"]}, stream_mode=mode):
            pass

    run(main())
    assert sorted(places.seen) == NAMES
    assert set(places.seen.values()) == {(False, None, "mine", True)}


@pytest.mark.parametrize("modes", ["values", ["values", "updates", "custom", "messages", "tasks"]])
def test_blockbuster(modes: Any) -> None:
    """Nothing in an async run blocks the loop: not its own machinery, and not what is sync in the graph."""
    places = Places()

    def block() -> None:
        time.sleep(0.001)

    model = Model()

    async def speaks(state: Any) -> Any:
        get_stream_writer()("speaks")
        return {"value": (await model.ainvoke("?")).content}

    def speaks_sync(state: Any) -> Any:
        time.sleep(0.001)
        return {"value": model.invoke("?").content}

    blocking = blocking_graph(places, block)
    nested = graph_of(outer=graph_of(middle=graph_of(inner=speaks_sync)))

    async def calls(state: Any) -> Any:
        await asyncio.gather(nested.ainvoke(state), asyncio.to_thread(nested.invoke, state))

    speaking = line_of(speaks=speaks, sync=speaks_sync, nested=nested, calls=calls)

    async def main() -> List[int]:
        with blockbuster_ctx() as buster:
            for function in buster.functions.values():
                # langchain-core 0.3 reads the source of a chain's functions, once.
                function.can_block_in("langchain_core/runnables/utils.py", "get_function_nonlocals")
            with pytest.raises(BlockingError):
                time.sleep(0.001)
            counts = []
            for graph, given in ((blocking, {"messages": ["?"]}), (speaking, {"value": "?"})):
                counts.append(len([chunk async for chunk in graph.astream(given, stream_mode=modes)]))
                assert await graph.ainvoke(given)
                async with graph.astream(given, stream_mode=modes, subgraphs=True) as stream:
                    async for _ in stream:
                        break
            return counts

    assert min(run(main())) >= 4
    assert sorted(places.seen) == NAMES


class Ticker:
    """A task that notes how late the loop lets it run."""

    def __init__(self) -> None:
        self.gaps: List[float] = []

    async def __aenter__(self) -> Ticker:
        self._task = asyncio.ensure_future(self._tick())
        await asyncio.sleep(TICK * 2)
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.sleep(TICK * 2)
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _tick(self) -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(TICK)
            now = time.perf_counter()
            self.gaps.append(now - last)
            last = now

    @property
    def worst(self) -> float:
        """The longest time between two ticks."""
        return max(self.gaps)


async def gap_of(work: Callable[[], Awaitable[Any]]) -> float:
    """The longest gap in the ticks beside some work."""
    async with Ticker() as ticker:
        await work()
    return ticker.worst


def best_excess(work: Callable[[], Awaitable[Any]], like: Callable[[], Awaitable[Any]]) -> float:
    """How much longer the gaps beside some work are than beside what it is like; the machine may spoil attempts."""
    best = float("inf")
    for _ in range(12):
        excess = run(gap_of(work)) - run(gap_of(like))
        best = min(best, excess)
        if best < ALLOWED / 2:
            break
    return best


async def idle() -> None:
    """Do nothing for a while."""
    await asyncio.sleep(0.1)


def exhausted(graph: Any, given: Any, **options: Any) -> Callable[[], Awaitable[Any]]:
    """Reads a stream to its end."""

    async def read() -> None:
        async for _ in graph.astream(given, **options):
            pass

    return read


@pytest.mark.parametrize("mode", ["values", "custom"])
def test_ticker_beside_a_sync_node(mode: str) -> None:
    """A sync node that sleeps is not felt on the loop."""
    graph = graph_of(work=lambda state: time.sleep(0.1))
    assert best_excess(exhausted(graph, {"value": "?"}, stream_mode=mode), idle) < ALLOWED


@pytest.mark.parametrize("mode", ["values", "custom"])
def test_ticker_beside_tools_and_paths(mode: str) -> None:
    """Nor are tools, path functions, generators and what else may block."""
    graph = blocking_graph(Places(), lambda: time.sleep(0.02))
    assert best_excess(exhausted(graph, {"messages": ["?"]}, stream_mode=mode), idle) < ALLOWED


class Calling(Model):
    """A model that streams one long tool call."""

    size: int = 3000

    def _chunks(self) -> Any:
        for index in range(self.size):
            call = {"name": "look" if index == 0 else None, "args": "x", "id": "1" if index == 0 else None, "index": 0}
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[call]))


class Listener(BaseCallbackHandler):
    """Makes the model stream, as a graph does."""

    run_inline = True

    def tap_output_iter(self, run_id: Any, output: Any) -> Any:
        return output

    def tap_output_aiter(self, run_id: Any, output: Any) -> Any:
        return output


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("depth", [0, 2])
def test_ticker_beside_a_long_tool_call(depth: int, asynchronous: bool) -> None:
    """Thousands of chunks of a tool call keep the loop no longer than the model does without a graph."""
    model = Calling()

    async def anode(state: Any) -> None:
        await model.ainvoke("?")

    def node(state: Any) -> None:
        model.invoke("?")

    graph: Any = anode if asynchronous else node
    for _ in range(depth + 1):
        graph = graph_of(work=graph)

    async def alone() -> None:
        config: Any = {"callbacks": [Listener()]}
        if asynchronous:
            await model.ainvoke("?", config)
        else:
            await asyncio.to_thread(model.invoke, "?", config)

    assert best_excess(exhausted(graph, {"value": "?"}, stream_mode="messages"), alone) < ALLOWED


def test_a_thread_wakes_the_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much a thread writes while the loop is busy, it rings once: each ring costs the loop a turn of its own.

    A loop that a thread rings for each token empties its pipe as long as tokens come, and does nothing else.
    """
    begun, written, busy = threading.Event(), threading.Event(), threading.Event()
    rings: List[Any] = []

    def node(state: Any) -> None:
        writer = get_stream_writer()
        begun.set()
        assert busy.wait(PATIENCE)
        before = len(rings)
        for index in range(1000):
            writer(index)
        del rings[:before]
        written.set()

    def keep_busy() -> None:
        busy.set()
        assert written.wait(PATIENCE)

    async def main() -> int:
        loop = asyncio.get_running_loop()
        ring = loop.call_soon_threadsafe
        monkeypatch.setattr(
            loop, "call_soon_threadsafe", lambda *args, **kwargs: rings.append(1) or ring(*args, **kwargs)
        )
        stream = graph_of(work=node).astream({"value": "?"}, stream_mode="custom")
        reader = asyncio.ensure_future(stream.__anext__())
        await soon(begun.is_set)
        keep_busy()
        count = len(rings)
        assert await reader == 0
        assert [chunk async for chunk in stream] == list(range(1, 1000))
        return count

    assert run(main()) <= 2


@pytest.mark.parametrize("mode", ["custom", "messages"])
def test_ticker_beside_a_reader_that_catches_up(mode: str) -> None:
    """A reader that finds thousands of chunks waiting takes them without keeping the loop from everybody else.

    What the making of tokens in a thread costs the loop without a graph is not ours, nor are the collector's pauses,
    which grow with all that waits.
    """
    size = 100_000 if mode == "custom" else 12_000
    made = threading.Event()
    model = Model(words=["x"] * size, ids=[None] * size)

    def node(state: Any) -> None:
        if mode == "custom":
            writer = get_stream_writer()
            for index in range(size):
                writer(index)
        else:
            model.invoke("?")
        made.set()

    graph = graph_of(work=node)

    async def read() -> None:
        made.clear()
        stream = graph.astream({"value": "?"}, stream_mode=mode)
        await stream.__anext__()
        await asyncio.get_running_loop().run_in_executor(None, made.wait, PATIENCE)
        async for _ in stream:
            pass

    async def alone() -> None:
        if mode == "messages":
            await asyncio.to_thread(model.invoke, "?", {"callbacks": [Listener()]})

    gc.disable()
    try:
        assert best_excess(read, idle if mode == "custom" else alone) < ALLOWED
    finally:
        gc.enable()


def test_messages_that_come_back_do_not_block() -> None:
    """A node that returns a long history costs the loop no more than its length warrants."""
    history = [HumanMessage(f"message {index}", id=str(index)) for index in range(2000)]
    builder = StateGraph(MessagesState).add_node("work", lambda state: {"messages": [AIMessage("hi")]})
    graph = builder.add_edge(START, "work").add_edge("work", END).compile()
    reading = exhausted(graph, {"messages": history}, stream_mode=["messages", "values", "updates"])
    assert best_excess(reading, idle) < ALLOWED
