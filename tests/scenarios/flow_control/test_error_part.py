"""`version="v2"`: a part tells of the failure of the run before the exception is raised."""

from __future__ import annotations

import asyncio
from typing import Any, List, Tuple

import pytest

from streamgraph.errors import EmptyInputError, GraphRecursionError, RunTimeoutError, location_of
from streamgraph.graph import StateGraph
from streamgraph.types import RunFailure
from support.value_graphs import State, graph_of, line_of
from support.waiting import run

BROKEN = ValueError("broken")


def _says(state: State, writer: Any) -> State:
    writer("said")
    return {"value": "said"}


def _breaks(state: State, writer: Any) -> State:
    writer("last words")
    raise ValueError("broken")


async def _abreaks(state: State, writer: Any) -> State:
    writer("last words")
    raise ValueError("broken")


async def _waits(state: State) -> None:
    await asyncio.Event().wait()


def read(graph: Any, **options: Any) -> Tuple[List[Any], BaseException]:
    """Read a stream that fails: its parts and the exception."""
    parts: List[Any] = []
    stream = graph.stream({}, version="v2", **options)
    with pytest.raises(Exception) as caught:  # noqa: PT011  (whatever it is)
        parts.extend(stream)
    assert (stream.status, stream.seq) == ("failed", len(parts))
    assert list(stream) == []
    return parts, caught.value


def aread(graph: Any, **options: Any) -> Tuple[List[Any], BaseException]:
    """The same on an event loop."""
    parts: List[Any] = []

    async def main() -> BaseException:
        stream = graph.astream({}, version="v2", **options)
        with pytest.raises(Exception) as caught:  # noqa: PT011
            async for part in stream:
                parts.append(part)
        assert (stream.status, stream.seq) == ("failed", len(parts))
        assert [part async for part in stream] == []
        return caught.value

    return parts, run(main())


READERS = [read, aread]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("node", [_breaks, _abreaks])
@pytest.mark.parametrize("modes", [["custom", "updates"], "updates", "values", "messages", "tasks"])
def test_last_part(reader: Any, node: Any, modes: Any) -> None:
    """In every mode it comes last, with the exception that is raised next and where it comes from."""
    parts, error = reader(line_of(first=_says, second=node), stream_mode=modes)
    assert parts[-1] == {"type": "error", "ns": (), "data": RunFailure(error, "second", 2)}
    assert parts[-1]["data"].error is error
    assert [part["type"] for part in parts].count("error") == 1
    if isinstance(modes, list):
        assert [part["data"] for part in parts[:-1]] == ["said", {"first": {"value": "said"}}, "last words"]


@pytest.mark.parametrize("reader", READERS)
def test_nested(reader: Any) -> None:
    """A failure in a nested graph names the node in there, and its namespace."""
    graph = graph_of(outer=line_of(first=_says, second=_breaks))
    parts, error = reader(graph, stream_mode="custom", subgraphs=True)
    location = location_of(error)
    assert location is not None
    assert parts[-1] == {"type": "error", "ns": location.namespace, "data": RunFailure(error, "second", 2)}
    assert parts[-1]["ns"][0].startswith("outer:")
    assert [part["data"] for part in parts[:-1]] == ["said", "last words"]


@pytest.mark.parametrize("reader", READERS)
def test_parallel(reader: Any) -> None:
    """With nodes beside it, what they made before is delivered first, and there is one such part."""
    parts, _ = reader(graph_of(breaks=_breaks, waits=_waits, says=_says), stream_mode="custom")
    assert [part["type"] for part in parts] == ["custom"] * (len(parts) - 1) + ["error"]
    assert "last words" in [part["data"] for part in parts]
    assert parts[-1]["data"].node == "breaks"


@pytest.mark.parametrize("reader", READERS)
def test_failures_outside_of_nodes(reader: Any) -> None:
    """Also what does not come from a node is told of: too many steps, too long a time."""
    loop: Any = StateGraph(State)
    loop.add_node("node", _says).set_entry_point("node").add_edge("node", "node")
    parts, error = reader(loop.compile(), config={"recursion_limit": 2}, stream_mode="custom")
    assert isinstance(error, GraphRecursionError)
    assert parts[-1]["data"].error is error
    parts, error = reader(graph_of(node=_waits), stream_mode="custom", timeout=0.02)
    assert isinstance(error, RunTimeoutError)
    assert parts == [{"type": "error", "ns": (), "data": RunFailure(error)}]


def test_not_where_it_was_not_asked_for() -> None:
    """There is none in `v1`, none from `invoke`, and none for a wrong call."""
    graph = line_of(first=_says, second=_breaks)
    seen: List[Any] = []
    with pytest.raises(ValueError, match="broken"):
        seen.extend(graph.stream({}, stream_mode=["custom"]))
    assert seen == [("custom", "said"), ("custom", "last words")]
    for options in ({}, {"stream_mode": "updates"}, {"stream_mode": ["custom", "updates"]}):
        with pytest.raises(ValueError, match="broken"):
            graph.invoke({}, version="v2", **options)
        with pytest.raises(ValueError, match="broken"):
            run(graph.ainvoke({}, version="v2", **options))
    with pytest.raises(EmptyInputError):
        graph.stream(None, version="v2")


def test_not_when_left() -> None:
    """A stream that is closed, cancelled or interrupted does not tell of a failure."""

    def interrupted(state: State) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(graph_of(node=interrupted).stream({}, version="v2"))

    async def main() -> None:
        stream = graph_of(node=_waits).astream({}, version="v2")
        reader = asyncio.ensure_future(stream.__anext__())
        await asyncio.sleep(0.01)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert [part async for part in stream] == []

    run(main())


def test_left_after_the_part() -> None:
    """Whoever leaves after the part has been told, and the exception is not raised."""
    with graph_of(node=_breaks).stream({}, version="v2") as stream:
        for part in stream:
            assert part["type"] == "error"
            break
    assert stream.status == "failed"


def test_nested_stream_read_in_a_node() -> None:
    """A node that reads a nested graph gets the part, and can go on; the outer stream is none the wiser."""
    inner = graph_of(node=_breaks)

    def node(state: State) -> State:
        with inner.stream({}, version="v2") as stream:
            return {"value": next(stream)["type"]}

    parts = list(graph_of(outer=node).stream({}, version="v2"))
    assert parts == [{"type": "updates", "ns": (), "data": {"outer": {"value": "error"}}}]
