"""Tool calls of a run as streams of their own."""

from __future__ import annotations

import asyncio

import pytest
from langchain_core.messages import ToolMessage

from streamgraph.prebuilt import ToolCallTransformer
from streamgraph.stream import AsyncGraphRunStream, GraphRunStream
from streamgraph.stream._mux import StreamMux
from support.protocol_events import as_parts, event, tool_events
from support.waiting import run


def opened(events, error=None):
    def parts():
        yield from as_parts(events)
        if error is not None:
            raise error

    return GraphRunStream(parts(), StreamMux(factories=[ToolCallTransformer]))


def test_pieces_and_results():
    """The pieces of the output come as they are made, then the result."""
    message = ToolMessage("ab", tool_call_id="1")
    (call,) = (call for call in opened(tool_events("1", deltas=["a", "b"], output=message)).tool_calls)
    assert (call.tool_call_id, call.tool_name, call.input) == ("1", "t", {"q": 1})
    assert (call.completed, call.output, call.error) == (True, "ab", None)

    reading = iter(opened(tool_events("1", deltas=["a", "b"], output="ab")).tool_calls)
    call = next(reading)
    assert "status=running" in repr(call)
    assert list(call) == ["a", "b"]
    assert "status=completed" in repr(call)


@pytest.mark.parametrize("error", [None, KeyError("run")])
def test_failures(error):
    """A call that fails, and one that has no end, have ended with the run."""
    stream = opened([*tool_events("1", error="no"), *tool_events("2"), *tool_events("3", output=1)], error)
    calls = []
    try:
        calls.extend(stream.tool_calls)
    except KeyError:
        assert error is not None
    assert [call.error for call in calls] == ["no", None if error is None else "'run'", None]
    assert all(call.completed for call in calls)
    assert "status=failed" in repr(calls[0])


def test_other_events():
    """Events of nested graphs, without an id or of unknown calls are not shown."""
    strange = [
        event("tools", {"event": "tool-started", "tool_call_id": "1"}, "inner:1"),
        event("tools", {"event": "tool-started"}),
        event("tools", {"event": "tool-finished", "tool_call_id": "2"}),
        event("custom", {"event": "tool-started", "tool_call_id": "3"}),
    ]
    assert list(opened(strange).tool_calls) == []


def test_async_runs():
    """In async runs the pieces are awaited."""

    async def parts():
        for part in as_parts(tool_events("1", deltas=["a", "b"], output="ab")):
            await asyncio.sleep(0)
            yield part

    async def main():
        stream = AsyncGraphRunStream(parts(), StreamMux(factories=[ToolCallTransformer], is_async=True))
        return [[piece async for piece in call.output_deltas] async for call in stream.tool_calls]

    assert run(main()) == [["a", "b"]]


def test_without_a_pump():
    """Fed by hand, the calls of an async mux are read in async code."""
    mux = StreamMux([ToolCallTransformer()], is_async=True)

    async def main():
        calls = mux.extensions["tool_calls"].__aiter__()
        for item in tool_events("1", output="ab"):
            await mux.apush(item)
        await mux.aclose()
        return [[piece async for piece in call] async for call in calls]

    assert run(main()) == [[]]
