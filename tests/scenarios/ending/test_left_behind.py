"""Threads and asyncio tasks that a node has started itself, and the models that are called in them."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any, AsyncIterator, Callable, Iterator, List

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from streamgraph import message_writer
from streamgraph.config import get_stream_writer
from streamgraph.graph import START, StateGraph
from streamgraph.types import RetryPolicy
from support.models import Model
from support.value_graphs import State, graph_of, line_of
from support.waiting import PATIENCE, eventually, run, soon

WARNING = "after its run had ended"

TOKENS = ("first", " second", " third")


class Gated(Model):
    """A model that says one word, and the others when it is told to.

    Attributes:
        said: It has said the first.
        go_on: It is to say the others.
    """

    words: Any = TOKENS
    said: Any = None
    go_on: Any = None

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for word in TOKENS:
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
            self.said.set()
            assert self.go_on.wait(PATIENCE)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        for word in TOKENS:
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
            self.said.set()
            await soon(self.go_on.is_set)

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        self.said.set()
        assert self.go_on.wait(PATIENCE)
        return super()._generate(*args, **kwargs)


class Outlives:
    """A node that starts a thread or an asyncio task, in which something is done, and does not wait for it.

    Args:
        does: What is done there: gets the model, and returns a result, or its awaitable.
    """

    def __init__(self, does: Callable[[Any], Any]) -> None:
        self.model = Gated(said=threading.Event(), go_on=threading.Event())
        self.does = does
        self.results: List[Any] = []
        self.thread: Any = None
        self.task: Any = None
        self.hold = threading.Event()

    def node(self, state: State) -> State:
        """Start a thread that knows the node's context."""
        self.thread = threading.Thread(target=contextvars.copy_context().run, args=(self._work,), name="own")
        self.thread.start()
        assert self.model.said.wait(PATIENCE)
        return {"value": "returned"}

    async def anode(self, state: State) -> State:
        """Start a task."""
        self.task = asyncio.create_task(self._awork())
        await soon(self.model.said.is_set)
        return {"value": "returned"}

    def holds(self, state: State) -> None:
        """Keep the run going."""
        assert self.hold.wait(PATIENCE)

    async def aholds(self, state: State) -> None:
        """Keep the run going."""
        await soon(self.hold.is_set)

    def _work(self) -> None:
        try:
            self.results.append(self.does(self.model))
        except BaseException as error:
            self.results.append(error)

    async def _awork(self) -> None:
        try:
            self.results.append(await self.does(self.model))
        except BaseException as error:
            self.results.append(error)


def invokes(model: Any) -> Any:
    """Call the model."""
    return model.invoke("?").content


def ainvokes(model: Any) -> Any:
    """Await the model."""

    async def call() -> Any:
        return (await model.ainvoke("?")).content

    return call()


@pytest.mark.parametrize("driver", ["stream", "astream"])
def test_model_in_a_thread_while_the_run_lasts(driver: str) -> None:
    """Its tokens are shown with the metadata of its node, also those that come after the node has returned."""
    outlives = Outlives(invokes)
    graph = line_of(node=outlives.node, holds=outlives.holds)
    stream = getattr(graph, driver)({"value": "?"}, stream_mode=["messages", "updates"])
    chunks: List[Any] = []

    def take(chunk: Any) -> None:
        chunks.append(chunk)
        if chunk == ("updates", {"node": {"value": "returned"}}):
            outlives.model.go_on.set()
        if "".join(data[0].content for mode, data in chunks if mode == "messages") == "".join(TOKENS):
            outlives.hold.set()

    async def main() -> None:
        async for chunk in stream:
            take(chunk)

    if driver == "astream":
        run(main())
    else:
        for chunk in stream:
            take(chunk)
    outlives.thread.join(PATIENCE)
    assert outlives.results == ["".join(TOKENS)]
    assert [mode for mode, _ in chunks[:2]] == ["messages", "updates"]
    metadata = [data[1] for mode, data in chunks if mode == "messages"]
    assert {found["langgraph_node"] for found in metadata} == {"node"}
    assert len({data[0].id for mode, data in chunks if mode == "messages"}) == 1
    assert list(stream.partial.messages.values()) == ["".join(TOKENS)]


def test_model_in_a_task_while_the_run_lasts() -> None:
    """The same with an asyncio task."""
    outlives = Outlives(ainvokes)
    graph = line_of(node=outlives.anode, holds=outlives.aholds)
    texts: List[str] = []

    async def main() -> None:
        async for mode, data in graph.astream({"value": "?"}, stream_mode=["messages", "updates"]):
            if mode == "updates":
                outlives.model.go_on.set()
            else:
                assert data[1]["langgraph_node"] == "node"
                texts.append(data[0].content)
                if "".join(texts) == "".join(TOKENS):
                    outlives.hold.set()
        await outlives.task

    run(main())
    assert outlives.results == ["".join(TOKENS)]
    assert "".join(texts) == "".join(TOKENS)


def finished(stream: Any) -> None:
    """Read it to its end."""
    for _ in stream:
        pass


def left(stream: Any) -> None:
    """Read a little, and leave."""
    with stream:
        next(stream)


@pytest.mark.parametrize("mode", ["messages", "updates", "custom"])
@pytest.mark.parametrize("end", [finished, left])
@pytest.mark.parametrize("thread_of", ["stream", "astream"])
def test_model_in_a_thread_when_the_run_is_over(thread_of: str, end: Any, mode: str) -> None:
    """It finishes; its other tokens are dropped, and nobody complains."""
    outlives = Outlives(invokes)

    def node(state: State) -> State:
        returned = outlives.node(state)
        get_stream_writer()("started")
        return returned

    graph = graph_of(node=node)

    async def main() -> None:
        stream = graph.astream({"value": "?"}, stream_mode=mode)
        async with stream:
            async for _ in stream:
                if end is left:
                    break

    run(main()) if thread_of == "astream" else end(graph.stream({"value": "?"}, stream_mode=mode))
    outlives.model.go_on.set()
    outlives.thread.join(PATIENCE)
    assert outlives.results == ["".join(TOKENS)]


@pytest.mark.parametrize("mode", ["messages", "updates"])
@pytest.mark.parametrize("leave", [False, True])
def test_model_in_a_task_when_the_run_is_over(leave: bool, mode: str) -> None:
    """The same with an asyncio task, which goes on after its node, and after its run."""
    outlives = Outlives(ainvokes)
    graph = line_of(node=outlives.anode, holds=outlives.aholds)

    async def main() -> None:
        async with graph.astream({"value": "?"}, stream_mode=mode) as stream:
            await stream.__anext__()
            if not leave:
                outlives.hold.set()
                async for _ in stream:
                    pass
        outlives.model.go_on.set()
        await outlives.task

    run(main())
    assert outlives.results == ["".join(TOKENS)]


def test_model_whose_attempt_has_failed() -> None:
    """A call that a failed attempt has left behind finishes, and is not shown any more."""
    outlives = Outlives(invokes)
    again, attempts = threading.Event(), []

    def node(state: State) -> State:
        attempts.append(1)
        if len(attempts) == 1:
            outlives.node(state)
            raise ConnectionError
        again.set()
        outlives.model.go_on.set()
        outlives.thread.join(PATIENCE)
        return {"value": "returned"}

    builder = StateGraph(State).add_node(node, retry_policy=RetryPolicy(initial_interval=0.001, jitter=False))
    graph = builder.add_edge(START, "node").compile()
    shown = [message for message, _ in graph.stream({"value": "?"}, stream_mode="messages")]
    # Its message ends where the attempt does (contract, "messages"), and is taken back.
    end = [("AIMessageChunk", ""), ("remove", "")]
    assert [(message.type, message.content) for message in shown] == [("AIMessageChunk", "first"), *end]
    assert outlives.results == ["".join(TOKENS)]


def test_writer_in_a_thread() -> None:
    """When the reader has left, the writer does nothing, but for one warning; nothing is raised in the thread."""
    went_on: List[int] = []

    def node(state: State) -> None:
        writer = get_stream_writer()

        def work() -> None:
            writer("first")
            assert leave.wait(PATIENCE)
            for number in range(3):
                writer(number)
                went_on.append(number)

        threads.append(threading.Thread(target=work))
        threads[0].start()
        threads[0].join()

    threads: List[threading.Thread] = []
    leave = threading.Event()
    failures: List[Any] = []
    before, threading.excepthook = threading.excepthook, failures.append
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            with graph_of(node=node).stream({"value": "?"}, stream_mode="custom") as stream:
                assert next(stream) == "first"
            leave.set()
            threads[0].join(PATIENCE)
    finally:
        threading.excepthook = before
    assert went_on == [0, 1, 2]
    assert failures == []
    assert [str(warning.message).count(WARNING) for warning in warned] == [1]


def test_writer_in_a_task() -> None:
    """The same in an asyncio task that nobody waits for."""
    went_on: List[int] = []

    async def node(state: State) -> None:
        async def work() -> None:
            get_stream_writer()("first")
            await soon(leave.is_set)
            for number in range(3):
                get_stream_writer()(number)
                went_on.append(number)

        tasks.append(asyncio.ensure_future(work()))
        await asyncio.Event().wait()

    async def main() -> None:
        async with graph_of(node=node).astream({"value": "?"}, stream_mode="custom") as stream:
            assert await stream.__anext__() == "first"
        leave.set()
        await tasks[0]

    tasks: List[Any] = []
    leave = threading.Event()
    with pytest.warns(RuntimeWarning, match=WARNING) as warned:
        run(main())
    assert went_on == [0, 1, 2]
    assert len(warned) == 1


def test_client_in_a_thread() -> None:
    """A client that is not LangChain's may be read in a thread that outlives its node as well."""
    outlives: Outlives

    def does(model: Any) -> Any:
        with message_writer() as message:
            for word in TOKENS:
                message.write(word)
                model.said.set()
                assert model.go_on.wait(PATIENCE)
        return message.message.content

    outlives = Outlives(does)
    left(graph_of(node=outlives.node).stream({"value": "?"}, stream_mode="messages"))
    outlives.model.go_on.set()
    outlives.thread.join(PATIENCE)
    assert outlives.results == ["".join(TOKENS)]


@pytest.mark.parametrize("leave", [False, True])
def test_graph_in_a_thread(leave: bool) -> None:
    """A graph that is run in a thread of the node's own is shown while the run lasts, and then goes on to its end."""

    def first(state: State) -> None:
        get_stream_writer()("inside")
        outlives.model.said.set()
        assert outlives.model.go_on.wait(PATIENCE)
        get_stream_writer()("too late")

    inner = line_of(first=first, second=lambda state: {"value": "inner"})
    outlives = Outlives(lambda model: inner.invoke({"value": "?"}))
    graph = line_of(node=outlives.node, holds=outlives.holds)
    with graph.stream({"value": "?"}, stream_mode="custom") as stream:
        assert next(stream) == "inside"
        if not leave:
            outlives.hold.set()
            assert list(stream) == []
    outlives.hold.set()
    outlives.model.go_on.set()
    outlives.thread.join(PATIENCE)
    assert outlives.results == [{"value": "inner"}]


def test_graph_in_a_task() -> None:
    """A graph that is run in an asyncio task of the node's own ends when the reader leaves, and nobody complains."""
    log: List[str] = []

    async def inside(state: State) -> None:
        get_stream_writer()("inside")
        try:
            await asyncio.Event().wait()
        finally:
            log.append("ended")

    inner = graph_of(inside=inside)

    async def node(state: State) -> None:
        tasks.append(asyncio.ensure_future(inner.ainvoke({"value": "?"})))
        await asyncio.wait(tasks)

    async def main() -> None:
        async with graph_of(node=node).astream({"value": "?"}, stream_mode="custom") as stream:
            assert await stream.__anext__() == "inside"
        tasks[0].cancel()  # as the node ought to have done: it only waits for it
        await asyncio.wait(tasks)
        assert tasks[0].cancelled()

    tasks: List[Any] = []
    run(main())
    assert log == ["ended"]


def test_pool_of_threads() -> None:
    """An executor keeps what is raised in its threads: a model there ends at its next token when the reader leaves."""
    outlives = Outlives(invokes)

    def node(state: State) -> None:
        with ThreadPoolExecutor() as pool:
            futures.append(pool.submit(contextvars.copy_context().run, invokes, outlives.model))

    futures: List[Any] = []
    left(graph_of(node=node).stream({"value": "?"}, stream_mode="messages"))
    outlives.model.go_on.set()
    eventually(lambda: futures and futures[0].done())
    assert type(futures[0].exception()).__name__ == "StreamClosed"
