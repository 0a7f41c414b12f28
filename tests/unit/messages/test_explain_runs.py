"""`stream.explain()` where there are several graphs: nested ones, others that run at the same time, none at all."""

from __future__ import annotations

import threading
from typing import Any, List, Tuple

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from streamgraph import START, StateGraph
from streamgraph.func import entrypoint, task
from streamgraph.prebuilt import ToolNode
from streamgraph.types import RetryPolicy
from support.leaks import nothing_left as nothing_left
from support.non_streaming_models import Streams
from support.structured import CALLS, DRIVERS, State, asker, chain, read, run

GIVEN = {"asked": "q"}
AGAIN = RetryPolicy(initial_interval=0.001, jitter=False, max_attempts=3)
PATIENCE = 10  # seconds until a wait that should end at once counts as failed


def quiet(name: str = "quiet", **options: Any) -> Any:
    """A model that may not stream."""
    return Streams(disable_streaming=True, name=name, **options)


def explained(graph: Any, driver: str, modes: Any = "messages", **options: Any) -> List[Any]:
    """What a stream says of itself when it is over."""
    return read(graph, GIVEN, driver, stream_mode=modes, **options).unstreamed


def names(items: List[Any]) -> List[Tuple[Any, Any]]:
    """Who was not streamed, and where."""
    return [(item.model, item.node) for item in items]


def calling(graph: Any) -> Any:
    """A node that calls a graph."""
    return lambda state: {"more": graph.invoke(state)["out"]}


def awaiting(graph: Any) -> Any:
    """A node that awaits a graph."""

    async def node(state: State) -> Any:
        return {"more": (await graph.ainvoke(state))["out"]}

    return node


def in_tool(graph: Any) -> Any:
    """A tool node whose tool calls a graph."""

    @tool
    def ask(asked: str) -> str:
        """Ask a graph."""
        return graph.invoke({"asked": asked})["out"].content

    return ToolNode([ask])


PLACES = {"as node": lambda graph: graph, "called": calling, "awaited": awaiting, "in a tool": in_tool}
CALL = AIMessage("", tool_calls=[{"name": "ask", "args": {"asked": "q"}, "id": "c"}])


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("subgraphs", [None, True, False])
@pytest.mark.parametrize("place", PLACES)
def test_nested(place: str, subgraphs: Any, call: str, driver: str) -> None:
    """Of nested graphs that are shown: with their namespace, in fields and in words."""
    inner = chain(inner=asker(quiet(), call), shown=asker(Streams(), call))
    graph = chain(before=lambda state: {"messages": [CALL]}, outer=PLACES[place](inner), after=asker(quiet(), call))
    items = explained(graph, driver, subgraphs=subgraphs)
    assert names(items) == [("quiet", "inner")] * (subgraphs is not False) + [("quiet", "after")]
    assert items[-1].namespace == ()
    if subgraphs is not False:
        (namespace,) = items[0].namespace
        assert namespace.startswith("outer:")
        assert str(items[0]).startswith(f"quiet in node 'inner' (step 1 of {namespace}) was not streamed: ")


@pytest.mark.parametrize("driver", DRIVERS)
def test_tools_and_tasks(driver: str) -> None:
    """In a tool it is the tool's node; in a task the task."""

    @tool
    def ask(asked: str) -> str:
        """Ask a model."""
        return quiet().invoke(asked).content

    @task
    def tell(asked: str) -> str:
        return quiet("told").invoke(asked).content

    @entrypoint()
    def flow(given: Any) -> str:
        return tell(given["asked"]).result() + quiet().invoke("q").content

    graph = chain(before=lambda state: {"messages": [CALL]}, tools=ToolNode([ask]))
    assert names(explained(graph, driver)) == [("quiet", "tools")]
    assert names(explained(flow, driver)) == [("told", "tell"), ("quiet", "flow")]


@pytest.mark.parametrize("driver", DRIVERS)
def test_each_attempt(driver: str) -> None:
    """A node that is tried again has called its model again."""
    calls: List[int] = []

    def node(state: State) -> None:
        quiet().invoke("q")
        calls.append(1)
        if len(calls) < 3:
            raise ConnectionError

    graph = StateGraph(State).add_node("node", node, retry_policy=AGAIN).add_edge(START, "node").compile()
    items = explained(graph, driver)
    assert names(items) == [("quiet", "node")] * 3
    assert len({item.run_id for item in items}) == 3


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("modes", ["messages", "updates", ["objects", "values"]])
def test_other_stream(modes: Any, driver: str) -> None:
    """Calls in nodes of another graph that is streamed at the same time are not this one's, whatever is asked of it."""
    other = chain(theirs=asker(quiet("theirs")), more=asker(Streams(tags=["nostream"], name="theirs"), "ainvoke"))
    graph = chain(ours=asker(quiet("ours")), again=asker(Streams(), "ainvoke"), end=asker(quiet("ours")))

    async def both() -> Any:
        stream, there = graph.astream(GIVEN, stream_mode="messages"), other.astream(GIVEN, stream_mode=modes)
        async for _ in stream:
            async for _ in there:
                break
        async for _ in there:
            pass
        return stream, there

    if driver == "stream":
        stream, there = graph.stream(GIVEN, stream_mode="messages"), other.stream(GIVEN, stream_mode=modes)
        for _ in stream:
            next(there, None)
        list(there)
    else:
        stream, there = run(both())
    assert names(stream.explain()) == [("ours", "ours"), ("ours", "end")]
    expected = [("theirs", "theirs"), ("theirs", "more")] if modes == "messages" else [(None, None)]
    assert names(there.explain()) == expected


@pytest.mark.parametrize("driver", DRIVERS)
def test_other_graph_is_called(driver: str) -> None:
    """Nor are those of a graph that is called, without a stream, while this one is open."""
    other = chain(theirs=asker(quiet("theirs")), more=asker(quiet("theirs"), "ainvoke"))
    graph = chain(ours=asker(Streams()))

    async def main() -> Any:
        stream = graph.astream(GIVEN, stream_mode="messages")
        async for _ in stream:
            await other.ainvoke(GIVEN)
        return stream

    if driver == "stream":
        stream = graph.stream(GIVEN, stream_mode="messages")
        for _ in stream:
            other.invoke(GIVEN)
    else:
        stream = run(main())
    assert stream.explain() == []


def test_in_two_threads() -> None:
    """The same graph in two threads at once: each stream tells of its own calls, by the ids of their runs."""
    meeting = threading.Barrier(2, timeout=PATIENCE)

    def node(state: State) -> Any:
        meeting.wait()
        return {"out": quiet().invoke("q", {"run_name": state["asked"]})}

    graph, told = chain(node=node), {}

    def stream(asked: str) -> None:
        told[asked] = read(graph, {"asked": asked}, "stream", stream_mode="messages").unstreamed

    threads = [threading.Thread(target=stream, args=(asked,)) for asked in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {asked: names(items) for asked, items in told.items()} == {"a": [("a", "node")], "b": [("b", "node")]}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", ["invoke", "ainvoke"])
def test_before_and_after(call: str, driver: str) -> None:
    """A call outside of everything, before a stream is on or after it, is none of its business."""
    outside = asker(quiet("outside"), call)

    def ask() -> None:
        run(outside(GIVEN)) if call == "ainvoke" else outside(GIVEN)

    graph = chain(node=asker(Streams()))
    unread = graph.stream(GIVEN, stream_mode="messages")
    ask()
    got = read(graph, GIVEN, driver, stream_mode="messages")
    left = graph.stream(GIVEN, stream_mode="messages")
    with left:
        next(left)
    stream = graph.stream(GIVEN, stream_mode="messages")
    list(stream)
    ask()
    assert got.unstreamed == unread.explain() == left.explain() == stream.explain() == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_stray_is_told_to_all(driver: str) -> None:
    """A call that could be anybody's is told of in every stream that is on, once."""
    graph, other = chain(node=asker(Streams())), chain(node=asker(Streams()))

    def ask() -> None:
        thread = threading.Thread(target=Streams(name="stray").invoke, args=("q",))
        thread.start()
        thread.join()

    async def main() -> Any:
        streams = graph.astream(GIVEN, stream_mode="messages"), other.astream(GIVEN, stream_mode="messages")
        for stream in streams:
            await stream.__anext__()
        ask()
        for stream in streams:
            async for _ in stream:
                pass
        return streams

    if driver == "stream":
        streams = graph.stream(GIVEN, stream_mode="messages"), other.stream(GIVEN, stream_mode="messages")
        for stream in streams:
            next(stream)
        ask()
        for stream in streams:
            list(stream)
    else:
        streams = run(main())
    assert [[(item.reason, item.model) for item in stream.explain()] for stream in streams] == [
        [("outside", "stray")]
    ] * 2


def streaming(graph: Any, told: List[Any], **options: Any) -> Any:
    """A node that streams a graph, and takes note of what that stream says of itself."""

    def node(state: State) -> None:
        stream = graph.stream({"asked": state["asked"]}, **options)
        list(stream)
        told.append(names(stream.explain()))

    return node


@pytest.mark.parametrize("driver", DRIVERS)
def test_stream_in_a_node(driver: str) -> None:
    """A graph that is streamed in a node tells of its own calls, not of those of the run around it."""
    told: List[Any] = []
    inner = chain(inner=asker(quiet("inner")))
    graph = chain(before=asker(quiet("outer")), node=streaming(inner, told, stream_mode="messages"))
    items = explained(graph, driver)
    assert names(items) == [("outer", "before"), ("inner", "inner")]
    assert told == [[("inner", "inner")]]
