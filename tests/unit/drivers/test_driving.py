"""Pulling a stream: from whatever task, thread or loop call, without touching the context of whoever pulls."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextvars import ContextVar, copy_context
from typing import Any, Callable, Dict, Iterator, List

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables.config import var_child_runnable_config
from langchain_openai import ChatOpenAI

from streamgraph.config import get_stream_writer
from streamgraph.graph import END, START, StateGraph
from streamgraph_integrations.openai_server import OpenAIServer
from support.endless import Forever
from support.value_graphs import State, graph_of, line_of
from support.waiting import PATIENCE, eventually, run, soon

ANSWER = "one two three"
MODES = (["values", "updates"], ["values", "updates", "custom", "messages", "tasks"])

color: ContextVar[str] = ContextVar("color", default="none")


@pytest.fixture
def ask() -> Iterator[Any]:
    """A model that answers at once."""
    with OpenAIServer(ANSWER, delay=0) as server:
        yield ChatOpenAI(model="gpt-4o-mini", api_key="test-key", base_url=server.base_url, max_retries=0)


def scenario(model: Any) -> Any:
    """A sync node, an async node and a nested graph, which all ask the model, write, and set a context variable."""

    def one(state: Any) -> Any:
        color.set("one")
        get_stream_writer()("one")
        return {"value": model.invoke("?").content}

    async def two(state: Any) -> Any:
        assert color.get() in ("none", "mine")
        color.set("two")
        get_stream_writer()("two")
        return {"value": (await model.ainvoke("?")).content}

    return line_of(one=one, two=two, three=graph_of(one=one, two=lambda state: get_stream_writer()("beside")))


def summary(chunks: List[Any]) -> List[str]:
    """The chunks without ids."""
    shown = []
    for mode, data in chunks:
        if mode == "messages":
            shown.append(f"messages {data[0].content} {data[1]['langgraph_node']}")
        elif mode == "tasks":
            shown.append(f"tasks {data['name']} {data.get('result')}")
        else:
            shown.append(f"{mode} {data}")
    return shown


@pytest.mark.parametrize("modes", MODES)
def test_each_item_in_a_task_of_its_own(ask: Any, modes: List[str]) -> None:
    """Each item of an async stream may be awaited in another task."""
    graph = scenario(ask)

    async def main() -> List[Any]:
        stream = graph.astream({}, stream_mode=modes)
        chunks = []
        while True:
            try:
                chunks.append(await asyncio.create_task(_step(stream)))
            except StopAsyncIteration:
                assert stream.output == {"value": ANSWER}
                return chunks

    chunks = run(main())
    assert sorted(summary(chunks)) == sorted(summary(list(graph.stream({}, stream_mode=modes))))


async def _step(stream: Any) -> Any:
    return await stream.__anext__()


@pytest.mark.parametrize("modes", MODES)
def test_each_item_in_a_loop_call_of_its_own(ask: Any, modes: List[str]) -> None:
    """Each item of an async stream may be had by `run_until_complete`, with the loop at rest in between."""
    graph = scenario(ask)
    loop = asyncio.new_event_loop()
    chunks = []
    try:
        stream = graph.astream({}, stream_mode=modes)
        while True:
            try:
                chunks.append(loop.run_until_complete(_step(stream)))
            except StopAsyncIteration:
                break
        assert asyncio.all_tasks(loop) == set()
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
    assert sorted(summary(chunks)) == sorted(summary(list(graph.stream({}, stream_mode=modes))))


@pytest.mark.parametrize("modes", MODES)
def test_each_item_in_a_thread_of_its_own(ask: Any, modes: List[str]) -> None:
    """Each item of a sync stream may be pulled from another thread."""
    graph = scenario(ask)
    stream = graph.stream({}, stream_mode=modes)
    chunks: List[Any] = []
    ended: List[Any] = []

    def pull() -> None:
        try:
            chunks.append(next(stream))
        except StopIteration:
            ended.append(stream.output)

    while not ended:
        thread = threading.Thread(target=pull)
        thread.start()
        thread.join()

    assert ended == [{"value": ANSWER}]
    assert sorted(summary(chunks)) == sorted(summary(list(graph.stream({}, stream_mode=modes))))


def context() -> Dict[Any, Any]:
    """The caller's context variables."""
    return dict(copy_context().items())


@pytest.mark.parametrize("modes", MODES)
def test_context_of_the_consumer_is_untouched(ask: Any, modes: List[str]) -> None:
    """Between items and after them the context variables are the caller's; nodes see them as they were."""
    graph = scenario(ask)

    def blocking() -> None:
        color.set("mine")
        before = context()
        for _ in graph.stream({}, stream_mode=modes):
            assert context() == before
            assert var_child_runnable_config.get() is None
        assert context() == before

    async def waiting() -> None:
        color.set("mine")
        before = context()
        async for _ in graph.astream({}, stream_mode=modes):
            assert context() == before
            assert var_child_runnable_config.get() is None
        assert context() == before

    copy_context().run(blocking)
    run(waiting())


def test_one_stream_between_the_items_of_another(ask: Any) -> None:
    """Two streams that are read in turns do not know of each other."""
    graph = scenario(ask)
    alone = summary(list(graph.stream({}, stream_mode=["messages"])))

    both = list(zip(graph.stream({}, stream_mode=["messages"]), graph.stream({}, stream_mode=["messages"])))

    assert summary([one for one, _ in both]) == summary([other for _, other in both]) == alone


@pytest.mark.parametrize("modes", MODES)
def test_output(ask: Any, modes: List[str]) -> None:
    """The output is known after the last chunk, and not before."""
    graph = scenario(ask)

    stream = graph.stream({}, stream_mode=modes)
    with pytest.raises(RuntimeError, match="exhausted"):
        _ = stream.output
    for _ in stream:
        with pytest.raises(RuntimeError, match="exhausted"):
            _ = stream.output
    assert stream.output == graph.invoke({}) == {"value": ANSWER}

    async def main() -> None:
        stream = graph.astream({}, stream_mode=modes)
        async for _ in stream:
            with pytest.raises(RuntimeError, match="exhausted"):
                _ = stream.output
        assert stream.output == {"value": ANSWER}

    run(main())


def test_output_after_leaving_early() -> None:
    """A stream that was left has no output."""
    stream = line_of(one=lambda state: {"value": "1"}, two=lambda state: {"value": "2"}).stream({})
    next(stream)
    stream.close()
    with pytest.raises(RuntimeError, match="exhausted"):
        _ = stream.output


class Runs(BaseCallbackHandler):
    """Keeps count of the runs that have begun and ended."""

    raise_error = True

    def __init__(self) -> None:
        self.open: Dict[Any, str] = {}

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: Any, **kwargs: Any) -> None:
        self.open[run_id] = kwargs.get("name") or "?"

    def on_chain_end(self, outputs: Any, *, run_id: Any, **kwargs: Any) -> None:
        del self.open[run_id]

    def on_chain_error(self, error: BaseException, *, run_id: Any, **kwargs: Any) -> None:
        del self.open[run_id]


async def _aclose(stream: Any) -> None:
    await stream.aclose()


async def _exhaust(stream: Any) -> None:
    async for _ in stream:
        pass


async def _cancel(stream: Any) -> None:
    task = asyncio.create_task(_exhaust(stream))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


async def _cancel_twice(stream: Any) -> None:
    task = asyncio.create_task(_exhaust(stream))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


async def _drop(stream: Any) -> None:
    del stream


OPEN = {
    "alone": ["LangGraph", "work"],
    "parallel": ["LangGraph", "other", "work"],
    "graph in node": ["LangGraph", "LangGraph", "inner", "outer"],
}


@pytest.mark.parametrize("leave", [_aclose, _cancel, _cancel_twice, _drop])
@pytest.mark.parametrize("place", OPEN)
def test_traces_of_an_async_stream_are_closed(place: str, leave: Callable[[Any], Any]) -> None:
    """Every run that was reported to callbacks as begun is reported as ended, however the stream is left."""
    forever, runs = Forever(), Runs()

    async def main() -> None:
        stream = forever.graphs()[place].astream({}, {"callbacks": [runs]}, stream_mode="custom")
        await stream.__anext__()
        await soon(lambda: sorted(runs.open.values()) == OPEN[place])
        leaving = leave(stream)
        del stream
        await leaving
        gc.collect()
        await soon(forever.is_over)
        await soon(lambda: not runs.open)

    run(main())


class Held(Runs):
    """Begins the run of one name in a thread that waits until it is let go."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.reached, self.let_go, self.told = threading.Event(), threading.Event(), threading.Event()

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: Any, **kwargs: Any) -> None:
        if kwargs.get("name") == self.name:
            self.reached.set()
            assert self.let_go.wait(PATIENCE)
        super().on_chain_start(serialized, inputs, run_id=run_id, **kwargs)
        if kwargs.get("name") == self.name:
            self.told.set()


@pytest.mark.parametrize("name", ["LangGraph", "work", "choose"])
def test_traces_that_are_opened_while_the_stream_is_left(name: str) -> None:
    """A handler that has been told of a run in a thread hears of its end, also if the run was cancelled meanwhile."""

    def choose(state: Any) -> str:
        return END

    builder = StateGraph(State).add_node("work", lambda state: {}).add_edge(START, "work")
    graph, runs = builder.add_conditional_edges("work", choose).compile(), Held(name)

    async def main() -> None:
        reader = asyncio.create_task(_exhaust(graph.astream({"value": 1}, {"callbacks": [runs]}, stream_mode="custom")))
        await soon(runs.reached.is_set)
        reader.cancel()
        for _ in range(10):  # turns of the loop, in which the cancellation gets to whoever waits for the handler
            await asyncio.sleep(0)
        runs.let_go.set()
        await asyncio.wait([reader])
        assert reader.cancelled()
        await soon(runs.told.is_set)
        await soon(lambda: not runs.open)

    run(main())


class Failing(Held):
    """Is let go, and fails then."""

    raise_error = True

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        super().on_chain_start(serialized, inputs, **kwargs)
        if kwargs.get("name") == self.name:
            raise ValueError("handler")


@pytest.mark.parametrize("name", ["LangGraph", "work"])
def test_handlers_that_fail_while_the_stream_is_left(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The reader is cancelled, and the loop is not told of an exception that nobody has asked for."""
    graph = StateGraph(State).add_node("work", lambda state: {}).add_edge(START, "work").compile()
    runs, complaints = Failing(name), []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        reader = asyncio.create_task(_exhaust(graph.astream({"value": 1}, {"callbacks": [runs]}, stream_mode="custom")))
        await soon(runs.reached.is_set)
        reader.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
        runs.let_go.set()
        await asyncio.wait([reader])
        assert reader.cancelled()
        await soon(runs.told.is_set)
        del reader
        gc.collect()
        await asyncio.sleep(0)

    run(main())
    gc.collect()
    assert complaints == []
    assert {record.name for record in caplog.records} <= {"langchain_core.callbacks.manager"}  # which logs the failure
    caplog.clear()


def test_traces_of_branches_are_closed() -> None:
    """The run of a branch that is cancelled is reported as ended."""
    runs, waits = Runs(), threading.Event()

    async def choose(state: Any) -> str:
        waits.set()
        await asyncio.Event().wait()
        return END

    builder = StateGraph(State).add_node("work", lambda state: {}).add_edge(START, "work")
    graph = builder.add_conditional_edges("work", choose).compile()

    async def main() -> None:
        reader = asyncio.create_task(_exhaust(graph.astream({"value": 1}, {"callbacks": [runs]}, stream_mode="custom")))
        await soon(waits.is_set)
        assert "choose" in runs.open.values()
        reader.cancel()
        await asyncio.wait([reader])
        await soon(lambda: not runs.open)

    run(main())


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("place", OPEN)
def test_traces_of_a_sync_stream_are_closed(place: str, drop: bool) -> None:
    """The same for sync streams."""
    forever, runs = Forever(), Runs()

    stream = forever.graphs()[place].stream({}, {"callbacks": [runs]}, stream_mode="custom")
    next(stream)
    eventually(lambda: sorted(runs.open.values()) == OPEN[place])
    if not drop:
        stream.close()
    del stream
    gc.collect()

    eventually(forever.is_over)
    eventually(lambda: not runs.open)


def test_closed_by_another_task_while_a_node_runs_in_place() -> None:
    """`aclose()` reaches a node that the reading task runs itself, and returns when the node has cleaned up."""
    log: List[str] = []

    async def work(state: Any) -> Any:
        log.append("started")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            log.append("cleaned up")

    async def main() -> None:
        stream = line_of(work=work).astream({"value": "?"}, stream_mode="updates")
        reader = asyncio.create_task(_exhaust(stream))
        while not log:
            await asyncio.sleep(0)
        await stream.aclose()
        assert log == ["started", "cleaned up"]
        await reader  # it has seen the end of the stream, not a cancellation

    run(main())


@pytest.mark.parametrize("mode", ["values", "updates", "tasks", "debug"])
def test_a_lone_node_needs_no_thread_and_no_task(mode: str) -> None:
    """A step with one node and no live mode runs where the reader is; with a live mode it does not."""
    seen: List[Any] = []

    def work(state: Any) -> None:
        seen.append(threading.current_thread())

    async def awork(state: Any) -> None:
        seen.append(asyncio.current_task())

    list(line_of(one=work, two=work).stream({"value": "?"}, stream_mode=mode))
    line_of(one=work).invoke({"value": "?"})
    assert seen == [threading.current_thread()] * 3

    async def main() -> None:
        seen.clear()
        await _exhaust(line_of(one=awork, two=awork).astream({"value": "?"}, stream_mode=mode))
        await line_of(one=awork).ainvoke({"value": "?"})
        assert seen == [asyncio.current_task()] * 3
        await _exhaust(line_of(one=awork).astream({"value": "?"}, stream_mode=[mode, "custom"]))
        assert seen[3] is not asyncio.current_task()

    run(main())


def test_writer_and_context_in_to_thread() -> None:
    """`asyncio.to_thread` carries the writer along, on every Python."""

    async def work(state: Any) -> None:
        await asyncio.to_thread(lambda: get_stream_writer()("from a thread"))

    graph = line_of(work=work)

    async def main() -> List[Any]:
        return [chunk async for chunk in graph.astream({}, stream_mode="custom")]

    assert list(graph.stream({}, stream_mode="custom")) == run(main()) == ["from a thread"]
