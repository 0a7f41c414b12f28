"""An exception in a node: what came before is delivered, it is raised as it is, and what ran beside it is stopped."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, Dict, List, Tuple

import pytest
from langchain_openai import ChatOpenAI

from streamgraph.config import get_stream_writer
from streamgraph.errors import ErrorLocation, NodeCancelledError, StreamClosed, location_of
from streamgraph_integrations.openai_server import OpenAIServer, Reply
from support.endless import Forever, stopped_request
from support.value_graphs import graph_of, line_of
from support.waiting import PATIENCE, eventually, run, threads

DRIVERS = ("stream", "astream")


class CustomError(Exception):
    """An exception of the user's."""


def collect(graph: Any, driver: str, **options: Any) -> Tuple[List[Any], BaseException]:
    """The chunks of a run that fails, and what it failed with."""
    chunks: List[Any] = []
    with pytest.raises(BaseException) as caught:
        if driver == "stream":
            for chunk in graph.stream({"value": "?"}, **options):
                chunks.append(chunk)
        else:

            async def main() -> None:
                async for chunk in graph.astream({"value": "?"}, **options):
                    chunks.append(chunk)

            run(main())
    return chunks, caught.value


def raising(error: BaseException, asynchronous: bool = False) -> Callable[[Any], Any]:
    """A node that writes three things and fails."""

    def work(state: Any) -> Any:
        writer = get_stream_writer()
        for index in range(3):
            writer(index)
        raise error

    async def awork(state: Any) -> Any:
        await asyncio.sleep(0)
        return work(state)

    return awork if asynchronous else work


def places(node: Any) -> Dict[str, Tuple[Any, str, Tuple[str, ...]]]:
    """Graphs in which a node runs, with its name there and the names of the nodes around it."""
    inner = graph_of(inner=node)

    async def acall(state: Any) -> Any:
        return await inner.ainvoke(state)

    return {
        "alone": (graph_of(work=node), "work", ()),
        "parallel": (graph_of(work=node, idle=lambda state: None), "work", ()),
        "graph as node": (graph_of(outer=inner), "inner", ("outer",)),
        "graph in node": (graph_of(outer=acall), "inner", ("outer",)),
        "graph in graph": (graph_of(outer=graph_of(middle=acall)), "inner", ("outer", "middle")),
    }


PLACES = list(places(print))


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("place", PLACES)
def test_error(place: str, asynchronous: bool, driver: str) -> None:
    """All that was written comes first; the exception is the very object, and knows where it was raised."""
    error = CustomError("no")
    graph, node, around = places(raising(error, asynchronous))[place]

    chunks, raised = collect(graph, driver, stream_mode="custom")

    assert chunks == [0, 1, 2]
    assert raised is error
    location = location_of(raised)
    assert location is not None
    assert (location.node, location.step) == (node, 1)
    assert [level.split(":")[0] for level in location.namespace] == list(around)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["values", "updates", "tasks", "debug", "messages"])
def test_error_in_a_later_step(mode: str, driver: str) -> None:
    """In every mode the step before is delivered in full, and the location counts the steps."""
    error = CustomError("no")
    graph = line_of(one=lambda state: {"value": "done"}, two=raising(error))

    chunks, raised = collect(graph, driver, stream_mode=mode)

    assert raised is error
    assert location_of(raised) == ErrorLocation("two", 2, ())
    assert len(chunks) == {"values": 2, "updates": 1, "tasks": 4, "debug": 4, "messages": 0}[mode]
    if mode == "tasks":
        assert (chunks[-1]["name"], chunks[-1]["error"]) == ("two", error)


@pytest.mark.parametrize("driver", DRIVERS)
def test_error_without_a_stream(driver: str) -> None:
    """`invoke` raises the same, and an exception from elsewhere has no location."""
    error = CustomError("no")
    graph = graph_of(work=raising(error))
    with pytest.raises(CustomError) as caught:
        graph.invoke({}) if driver == "stream" else run(graph.ainvoke({}))
    assert caught.value is error
    assert location_of(error) == ErrorLocation("work", 1, ())
    assert location_of(CustomError()) is None


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_siblings_are_cancelled(asynchronous: bool, driver: str) -> None:
    """Async nodes beside a failing one are cancelled and have cleaned up when the exception is raised."""
    forever = Forever()
    error = CustomError("no")

    def work(state: Any) -> Any:
        assert forever.started.wait(PATIENCE)
        raise error

    async def awork(state: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, work, state)

    graph = graph_of(work=awork if asynchronous else work, other=forever.node, nested=forever.graphs()["graph in node"])
    chunks, raised = collect(graph, driver, stream_mode=["custom", "updates"])

    assert raised is error
    assert forever.is_over()
    assert [chunk for chunk in chunks if chunk[0] == "updates"] == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_sync_sibling_is_stopped_at_its_writer(driver: str) -> None:
    """A sync node beside a failing one ends at its next writer call, before the exception is raised."""
    started, ended = threading.Event(), threading.Event()

    def work(state: Any) -> Any:
        assert started.wait(PATIENCE)
        raise CustomError("no")

    def write(state: Any) -> Any:
        writer = get_stream_writer()
        try:
            while True:
                writer("?")
                started.set()
                ended.wait(0.001)
        except StreamClosed:
            ended.set()
            raise

    chunks, raised = collect(graph_of(work=work, write=write), driver, stream_mode="custom")

    assert type(raised) is CustomError
    assert ended.is_set()
    assert set(chunks) == {"?"}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_model_beside_a_failing_node_is_stopped(endless: Any, model: Any, asynchronous: bool, driver: str) -> None:
    """A model that streams beside a failing node ends at its next token, and the provider sees it go."""

    def ask(state: Any) -> Any:
        return {"value": model.invoke("?").content}

    async def aask(state: Any) -> Any:
        return {"value": (await model.ainvoke("?")).content}

    def work(state: Any) -> Any:
        eventually(lambda: endless.requests and endless.requests[0].chunks_sent > 3)
        raise CustomError("no")

    chunks, raised = collect(graph_of(ask=aask if asynchronous else ask, work=work), driver, stream_mode="messages")

    assert type(raised) is CustomError
    stopped_request(endless)


async def _read(model: Any) -> None:
    async for _ in model.astream("?"):
        pass


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", ["invoke", "ainvoke"])
def test_error_of_a_model(call: str, driver: str) -> None:
    """A connection that breaks is an error after the tokens that came through."""
    with OpenAIServer(Reply("one two three four", fail_after=2), delay=0) as server:
        model = ChatOpenAI(model="gpt-4o-mini", api_key="k", base_url=server.base_url, max_retries=0)

        async def aask(state: Any) -> Any:
            return {"value": (await model.ainvoke("?")).content}

        def ask(state: Any) -> Any:
            return {"value": model.invoke("?").content}

        chunks, raised = collect(graph_of(ask=ask if call == "invoke" else aask), driver, stream_mode="messages")
        with pytest.raises(Exception) as alone:
            list(model.stream("?")) if call == "invoke" else run(_read(model))

    assert "".join(message.content for message, _ in chunks) == "one two"
    assert type(raised) is alone.type
    assert location_of(raised) == ErrorLocation("ask", 1, ())


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["custom", "values"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_stop_iteration(asynchronous: bool, mode: str, driver: str) -> None:
    """A `StopIteration` from a node does not pass for the end of the stream."""
    chunks, raised = collect(graph_of(work=raising(StopIteration(), asynchronous)), driver, stream_mode=mode)

    assert chunks == ([0, 1, 2] if mode == "custom" else [{"value": "?"}])
    assert type(raised) is RuntimeError
    assert isinstance(raised.__cause__, StopIteration)
    assert location_of(raised) == ErrorLocation("work", 1, ())


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["custom", "values"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_cancelled_error(asynchronous: bool, mode: str, driver: str) -> None:
    """A `CancelledError` from a node that nobody cancelled is an error like any other, under a name of its own."""
    cancelled = asyncio.CancelledError()
    chunks, raised = collect(graph_of(work=raising(cancelled, asynchronous)), driver, stream_mode=mode)

    assert chunks == ([0, 1, 2] if mode == "custom" else [{"value": "?"}])
    assert type(raised) is NodeCancelledError
    assert isinstance(raised.__cause__, asyncio.CancelledError)
    assert location_of(raised) == ErrorLocation("work", 1, ())


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["custom", "values"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, StopAsyncIteration])
def test_other_exceptions_propagate(error: Any, mode: str, driver: str) -> None:
    """Whatever else a node raises, an interrupt from the keyboard included, reaches the consumer."""
    before = threads()
    chunks, raised = collect(graph_of(work=raising(error())), driver, stream_mode=mode)

    assert chunks == ([0, 1, 2] if mode == "custom" else [{"value": "?"}])
    assert type(raised) is error or (error is StopAsyncIteration and type(raised) is RuntimeError)
    eventually(lambda: threads() <= before)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["custom", "values"])
def test_generator_exit(mode: str, driver: str) -> None:
    """A `GeneratorExit` from a node, say out of a generator that it mishandles, ends the run like any exception."""
    results: List[Any] = []
    graph = graph_of(work=raising(GeneratorExit()))
    reader = threading.Thread(target=lambda: results.append(collect(graph, driver, stream_mode=mode)), daemon=True)
    reader.start()
    reader.join(2)

    ((chunks, raised),) = results
    assert chunks == ([0, 1, 2] if mode == "custom" else [{"value": "?"}])
    assert type(raised) is RuntimeError
    assert type(raised.__cause__) is GeneratorExit


@pytest.mark.parametrize("driver", DRIVERS)
def test_consumer_that_fails(driver: str) -> None:
    """After an error the stream is over, and has no output."""
    graph = graph_of(work=raising(CustomError()))
    if driver == "stream":
        stream = graph.stream({}, stream_mode="updates")
        with pytest.raises(CustomError):
            next(stream)
        assert list(stream) == []
    else:
        stream = graph.astream({}, stream_mode="updates")

        async def main() -> None:
            with pytest.raises(CustomError):
                await stream.__anext__()
            assert [chunk async for chunk in stream] == []

        run(main())
    with pytest.raises(RuntimeError, match="exhausted"):
        _ = stream.output
