"""Run streams: what advances a run, and what is known at its end."""

from __future__ import annotations

import asyncio

import pytest

from streamgraph.stream import (
    AsyncGraphRunStream,
    CustomTransformer,
    GraphRunStream,
    LifecycleTransformer,
    SubgraphTransformer,
    UpdatesTransformer,
)
from streamgraph.stream._mux import StreamMux
from streamgraph.stream.transformers import ValuesTransformer
from support.list_graphs import line
from support.protocol_events import as_parts, ended, event, nested_run, started
from support.waiting import run

KINDS = (ValuesTransformer, CustomTransformer, UpdatesTransformer, LifecycleTransformer, SubgraphTransformer)


class Source:
    """Parts that note how far they were read, and whether they were closed."""

    def __init__(self, events, error=None):
        self.parts = as_parts(events)
        self.error = error
        self.read = 0
        self.closed = False

    def __iter__(self):
        try:
            for part in self.parts:
                self.read += 1
                yield part
            if self.error is not None:
                raise self.error
        except GeneratorExit:
            self.closed = True
            raise

    async def aiter(self):
        try:
            for part in self.parts:
                await asyncio.sleep(0)
                self.read += 1
                yield part
            if self.error is not None:
                raise self.error
        except (GeneratorExit, asyncio.CancelledError):
            self.closed = True
            raise


def opened(source, kinds=KINDS):
    return GraphRunStream(iter(source), StreamMux(factories=kinds))


def aopened(source, kinds=KINDS):
    return AsyncGraphRunStream(source.aiter(), StreamMux(factories=kinds, is_async=True))


def test_reading_advances_the_run():
    """Nothing happens before something is read, and then no more than that needs."""
    source = Source(nested_run())
    stream = opened(source)
    assert source.read == 0
    values = iter(stream.values)
    assert next(values) == {"x": 0}
    assert source.read == 1
    assert stream.output == {"x": 1}
    assert list(values) == [{"x": 1}]
    assert stream.extensions["custom"] is stream.custom


def test_events():
    """The run's events are those of all graphs, with the lifecycle of nested ones in place of task events."""
    stream = opened(Source(nested_run()))
    methods = [item["method"] for item in stream]
    assert methods.count("lifecycle") == 6
    assert "tasks" not in methods
    assert [method for method in methods if method != "lifecycle"] == [
        item["method"] for item in nested_run() if item["method"] != "tasks"
    ]


def test_nested_graphs():
    """Each nested graph has a stream of its own, with projections, deeper graphs, and how it has ended."""
    stream = opened(Source(nested_run()))
    found = []
    for nested in stream.subgraphs:
        deeper = [(inner.path, list(inner.custom)) for inner in nested.subgraphs] if nested.path == ("a:t1",) else []
        found.append((nested.path, nested.graph_name, nested.trigger_call_id, nested.status, deeper))
    assert found == [
        (("a:t1",), "helper", "t1", "completed", [(("a:t1", "deep:t3"), ["deepest"])]),
        (("b:t2",), "b", "t2", "started", []),
    ]

    stream = opened(Source(nested_run()))
    reading = iter(stream.subgraphs)
    first = next(reading)
    assert list(first.interleave("values", "custom")) == [("values", {"y": 1}), ("custom", "inner")]
    assert first.output == {"y": 1}
    second = next(reading)
    with pytest.raises(RuntimeError, match="broken"):
        list(second.updates)
    assert (second.status, second.error) == ("failed", "broken")
    assert list(reading) == []


def test_interleaving():
    """Several projections are read in the order in which their items came, and can be read again afterwards."""
    stream = opened(Source(nested_run()))
    assert list(stream.interleave("custom", "values")) == [
        ("values", {"x": 0}),
        ("custom", "outer"),
        ("values", {"x": 1}),
    ]
    assert list(stream.values) == []
    with pytest.raises(KeyError):
        next(opened(Source([])).interleave("values", "none"))

    class Plain(ValuesTransformer):
        def init(self):
            return {"values": []}

    with pytest.raises(TypeError, match="'values' is a list"):
        next(opened(Source([]), [Plain]).interleave("values"))
    taken = opened(Source([]))
    iter(taken.values)
    with pytest.raises(RuntimeError, match="StreamChannel 'values' already has a subscriber"):
        next(taken.interleave("values"))


def test_errors():
    """The error of the run comes out of whatever is read, after what came before it."""
    error = KeyError("run")
    stream = opened(Source(nested_run(), error))
    seen = []
    with pytest.raises(KeyError):
        for item in stream.values:
            seen.append(item)
    assert len(seen) == 2
    for name in ("output", "interrupted", "interrupts"):
        with pytest.raises(KeyError):
            getattr(stream, name)
    with pytest.raises(KeyError):
        list(opened(Source(nested_run(), error)).interleave("values"))


def test_interrupts():
    """Questions of interrupted nodes are known at the end."""
    stream = opened(Source([event("values", {"x": 1}, interrupts=("q",))]))
    assert (stream.interrupted, stream.interrupts, stream.output) == (True, ["q"], {"x": 1})
    stream = opened(Source([event("values", {"x": 1})]))
    assert (stream.interrupted, stream.interrupts) == (False, [])


def test_leaving():
    """A run that is left is closed, with its projections; leaving twice does nothing."""
    source = Source(nested_run())
    with opened(source) as stream:
        values = iter(stream.values)
        next(values)
    assert source.closed
    assert list(values) == []
    assert stream.output == {"x": 0}
    stream.abort()


def test_unknown_projections():
    """A name that is no projection is refused with those that there are."""
    stream = opened(Source([]))
    with pytest.raises(AttributeError, match=r"'messages' \(registered projections: custom, lifecycle, subgraphs"):
        _ = stream.messages
    with pytest.raises(AttributeError, match="registered projections: none"):
        _ = opened(Source([]), []).values


def test_async_runs():
    """In async code several tasks read at once; each gets everything."""

    async def values(stream):
        return [item async for item in stream.values]

    async def custom(stream):
        return [item async for item in stream.custom]

    async def nested(stream):
        found = []
        async for inner in stream.subgraphs:
            found.append((inner.path, [item async for item in inner.custom] if inner.path == ("a:t1",) else None))
        return found

    async def main():
        async with aopened(Source(nested_run())) as stream:
            results = await asyncio.gather(values(stream), custom(stream), nested(stream))
            assert await stream.output() == {"x": 1}
            assert (await stream.interrupted(), await stream.interrupts()) == (False, [])
        return results

    assert run(main()) == [[{"x": 0}, {"x": 1}], ["outer"], [(("a:t1",), ["inner"]), (("b:t2",), None)]]


def test_async_events_and_errors():
    """Events can be read in async code, and the error of the run comes out of them."""

    async def main():
        stream = aopened(Source(nested_run(), KeyError("run")))
        seen = []
        with pytest.raises(KeyError):
            async for item in stream:
                seen.append(item["method"])
        assert seen.count("lifecycle") == 6
        with pytest.raises(KeyError):
            await stream.output()

    run(main())


def test_leaving_an_async_run():
    """A run that is left while a task waits for it is cancelled, and the task ends."""

    async def main():
        closed, waiting = [], asyncio.Event()

        async def parts():
            try:
                yield {"type": "values", "ns": (), "data": {"x": 0}}
                waiting.set()
                await asyncio.Event().wait()
            finally:
                closed.append(True)

        stream = AsyncGraphRunStream(parts(), StreamMux(factories=KINDS, is_async=True))

        async def read():
            return [item async for item in stream.values]

        reader = asyncio.ensure_future(read())
        await waiting.wait()
        await stream.abort()
        await stream.abort()
        assert await reader == [{"x": 0}]
        assert closed == [True]

    run(main())


def test_a_cancelled_reader_cancels_what_it_waits_for():
    """A reader that is cancelled takes the pull with it; the run can be left then."""

    async def main():
        stream = AsyncGraphRunStream(_never(), StreamMux(factories=KINDS, is_async=True))
        reader = asyncio.ensure_future(stream.output())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        reader.cancel()
        await asyncio.wait({reader})
        assert reader.cancelled()
        await stream.abort()

    run(main())


async def _never():
    await asyncio.Event().wait()
    yield


def test_nested_graphs_of_async_runs_end_as_the_run_does():
    """Nested graphs whose task has no result end with the run, or fail with it."""
    events = [started("t1"), started("t2", "a:t1"), event("custom", 1, "a:t1")]

    async def main(error):
        stream, found = aopened(Source(events, error)), []
        try:
            async for inner in stream.subgraphs:
                found.append(inner)
        except KeyError:
            pass
        return found[0].status, found[0].error

    assert run(main(None)) == ("completed", None)
    assert run(main(KeyError("k"))) == ("failed", "'k'")
    assert run(_failed([*events, ended("t1", error="broken")])) == ("failed", "broken")


async def _failed(events):
    stream, found = aopened(Source(events)), []
    async for inner in stream.subgraphs:
        found.append(inner)
        with pytest.raises(RuntimeError, match="broken"):
            await inner.output()
    return found[0].status, found[0].error


def test_over_a_graph():
    """The parts of a graph's stream are what a run stream takes, of nested graphs too."""
    inner = line(("deep", lambda state: {"x": ["deep"]}))
    graph = line(("a", lambda state: {"x": ["a"]}), ("b", inner))
    parts = graph.stream({"x": []}, stream_mode=["values", "tasks", "updates"], subgraphs=True, version="v2")
    stream = GraphRunStream(parts, StreamMux(factories=KINDS))
    nested = next(iter(stream.subgraphs))
    assert (nested.graph_name, list(nested.updates)) == ("b", [{"deep": {"x": ["deep"]}}])
    assert nested.status == "completed"
    assert stream.output["x"][0] == "a"
