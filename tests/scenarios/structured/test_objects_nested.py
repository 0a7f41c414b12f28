"""`stream_mode="objects"` in nested graphs and tools, in every shape of a stream, and what it must not touch."""

from __future__ import annotations

import copy
import itertools
import json
import threading
from collections import Counter
from typing import Any, Dict, Iterator, List

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

from streamgraph.errors import UnknownOptionError
from streamgraph.prebuilt import ToolNode
from support.json_checks import check_growth
from support.parts import normal, parts_of
from support.structured import CALLS, DRIVERS, GIVEN, OBJECT, Echo, Joke, asker, chain, read, run
from support.waiting import PATIENCE

SUBGRAPHS = (None, True, False)
STRUCTURED = Echo(size=5).with_structured_output(Joke)


def as_node() -> Any:
    """A graph that is the node of another."""
    return chain(outer=chain(inner=asker(STRUCTURED)))


def called() -> Any:
    """A graph that is called in a node."""
    inner = chain(inner=asker(STRUCTURED))
    return chain(outer=lambda state: {"out": inner.invoke(state)["out"]})


def awaited() -> Any:
    """A graph that is awaited in a node, with an async node."""
    inner = chain(inner=asker(STRUCTURED, "astream"))

    async def outer(state: Any) -> Any:
        return {"out": (await inner.ainvoke(state))["out"]}

    return chain(outer=outer)


def in_tool() -> Any:
    """A graph that is called in a tool."""
    inner = chain(inner=asker(STRUCTURED, "ainvoke"))

    @tool
    def tell(asked: str) -> str:
        """Tell a joke."""
        return inner.invoke({"asked": asked})["out"].kind

    def ask(state: Any) -> Any:
        call = {"name": "tell", "args": {"asked": state["asked"]}, "id": "call 7"}
        return {"messages": [AIMessage("", tool_calls=[call])]}

    return chain(ask=ask, outer=ToolNode([tell]))


def deep() -> Any:
    """A graph in a graph in a graph."""
    return chain(outer=chain(middle=chain(inner=asker(STRUCTURED, "stream"))))


PLACES = {"as node": as_node, "called": called, "awaited": awaited, "in a tool": in_tool, "deep": deep}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("subgraphs", SUBGRAPHS)
@pytest.mark.parametrize("place", PLACES)
def test_nested(place: str, subgraphs: Any, driver: str) -> None:
    """Like tokens: of nested graphs it is shown unless that is declined, with the namespace if that is asked for."""
    for version, modes in itertools.product(("v1", "v2"), ("objects", ["objects"])):
        options = {"subgraphs": subgraphs, "version": version}
        got = read(PLACES[place](), GIVEN, driver, stream_mode=modes, **options)
        parts = parts_of(got.chunks, modes, subgraphs, version)
        if subgraphs is False:
            assert parts == []
            continue
        assert {part.mode for part in parts} == {"objects"}
        check_growth([part.data[0] for part in parts[:-1]], OBJECT)
        assert parts[-1].data[0] == Joke(**OBJECT)
        told = parts[0].data[1]
        assert {part.data[1]["langgraph_node"] for part in parts} == {"inner"}
        if subgraphs or version == "v2":
            (place_of,) = {part.ns for part in parts}
            assert [name.split(":")[0] for name in place_of] == (["outer", "middle"] if place == "deep" else ["outer"])
            assert "|".join(place_of) + "|inner:" in told["langgraph_checkpoint_ns"] + "|inner:"
        assert told.get("tool_call_id") == ("call 7" if place == "in a tool" else None)


@pytest.mark.parametrize("driver", DRIVERS)
def test_in_tool_itself(driver: str) -> None:
    """A tool that asks the model itself: the object belongs to the tool's node and to its call."""

    @tool
    async def tell(asked: str) -> str:
        """Tell a joke."""
        return (await STRUCTURED.ainvoke(asked)).kind

    def ask(state: Any) -> Any:
        calls = [{"name": "tell", "args": {"asked": state["asked"]}, "id": f"call {number}"} for number in range(2)]
        return {"messages": [AIMessage("", tool_calls=calls)]}

    got = read(chain(ask=ask, tools=ToolNode([tell])), GIVEN, driver, stream_mode="objects")
    assert {metadata["langgraph_node"] for _, metadata in got.chunks} == {"tools"}
    complete = [(metadata["tool_call_id"], part) for part, metadata in got.chunks if metadata["complete"]]
    assert sorted(complete, key=lambda pair: pair[0]) == [("call 0", Joke(**OBJECT)), ("call 1", Joke(**OBJECT))]


MODES = ["values", "updates", "messages", "objects", "custom", "tools", "tasks", "debug"]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
def test_never_changes_state(call: str, driver: str) -> None:
    """Whatever is asked for, the state is the same; so it is without a stream."""
    raw = Echo(size=9).with_structured_output(Joke, include_raw=True)

    def keeps(state: Any) -> Any:
        got = raw.invoke(state["asked"])
        return {"messages": [got["raw"]], "more": got["parsed"]}

    graph = chain(node=asker(STRUCTURED, call), raw=keeps)
    asked: List[Any] = [(), "objects", "messages", ["objects", "messages"], ["updates", "objects"], MODES]
    outputs = [read(graph, GIVEN, driver, stream_mode=modes).output for modes in asked if modes]
    outputs += [read(graph, GIVEN, driver, stream_mode=["objects", "messages"], include_raw=False).output]
    outputs += [graph.invoke(GIVEN), run(graph.ainvoke(GIVEN))]
    assert outputs[0]["out"] == outputs[0]["more"] == Joke(**OBJECT)
    assert [message.tool_calls[0]["args"] for message in outputs[0]["messages"]] == [OBJECT]
    assert all(normal(output) == normal(outputs[0]) for output in outputs)


def test_without_a_stream() -> None:
    """`invoke` and `ainvoke` give a list of the chunks."""
    graph = chain(node=asker(STRUCTURED))
    expected = [part for part, _ in read(graph, GIVEN, "stream", stream_mode="objects").chunks]
    assert [part for part, _ in graph.invoke(GIVEN, stream_mode="objects")] == expected
    assert [part for part, _ in run(graph.ainvoke(GIVEN, stream_mode="objects"))] == expected
    step = RunnableLambda(lambda given: given) | graph.bind(stream_mode="objects")
    assert [part for part, _ in step.stream(GIVEN)] == expected


@pytest.mark.parametrize("driver", DRIVERS)
def test_print_mode(driver: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It can be printed as any other mode."""
    got = read(chain(node=asker(STRUCTURED)), GIVEN, driver, stream_mode="updates", print_mode="objects")
    assert len(got.chunks) == 1
    assert "'stars': 123" in capsys.readouterr().out


def test_misspelt() -> None:
    """The mode's name is one of those that are known."""
    with pytest.raises(UnknownOptionError, match="objects"):
        chain(node=asker(STRUCTURED)).stream(GIVEN, stream_mode="object")


ROOMY: Dict[str, Any] = {
    "title": "Roomy",
    "description": "Anything goes.",
    "type": "object",
    "properties": {"items": {"type": "array", "items": {"type": "object"}}, "text": {"type": "string"}},
    "required": ["items", "text"],
}
WHOLE = {"items": [{"a": [1, 2], "b": {"c": "dd"}}, {"e": "f"}], "text": "some words to come"}


def spoil(value: Any) -> None:
    """Change a value, all the way down."""
    for item in [*value.values()] if isinstance(value, dict) else value:
        if isinstance(item, (dict, list)):
            spoil(item)
    value.clear()


@pytest.mark.parametrize("method", ["function_calling", "json_mode"])
def test_chunks_are_the_readers(method: str) -> None:
    """A reader who changes chunks while the answer goes on changes no other chunk."""
    graph = chain(node=asker(Echo(size=1, pause=20).with_structured_output(ROOMY, method=method), "ainvoke"))
    given = {"asked": json.dumps(WHOLE)}
    expected = read(graph, given, "astream", stream_mode="objects").chunks
    seen: List[Any] = []

    async def main() -> None:
        async for data in graph.astream(given, stream_mode="objects"):
            seen.append(copy.deepcopy(data))
            if not data[1]["complete"]:
                spoil(data[0])
                data[1]["tags"].append("spoilt")

    run(main())
    assert [part for part, _ in seen] == [part for part, _ in expected]
    assert [metadata["tags"] for _, metadata in seen] == [[]] * len(seen)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("method", ["function_calling", "json_mode"])
def test_reader_changes_no_state(method: str, call: str, driver: str) -> None:
    """What a reader does to the complete object does not reach the state."""
    graph = chain(node=asker(Echo(size=4).with_structured_output(ROOMY, method=method), call))
    given = {"asked": json.dumps(WHOLE)}
    asked = {"stream_mode": ["objects", "values"]}

    def spoil_objects(chunk: Any) -> None:
        if chunk[0] == "objects":
            spoil(chunk[1][0])

    async def main() -> Any:
        stream = graph.astream(given, **asked)
        async for chunk in stream:
            spoil_objects(chunk)
        return stream.output

    if driver == "stream":
        stream = graph.stream(given, **asked)
        for chunk in stream:
            spoil_objects(chunk)
        output = stream.output
    else:
        output = run(main())
    assert output["out"] == WHOLE


def containers(value: Any) -> Iterator[int]:
    """The identities of the containers that a value is made of."""
    if isinstance(value, (dict, list)):
        yield id(value)
        for item in value.values() if isinstance(value, dict) else value:
            yield from containers(item)


@pytest.mark.parametrize("driver", DRIVERS)
def test_kept_chunks_share_nothing(driver: str) -> None:
    """What is handed out is nobody else's: no list or dict is in two of the chunks, be the answer short or long."""
    graph = chain(node=asker(Echo(size=11).with_structured_output(ROOMY)))
    for whole in (WHOLE, {"items": [{"a": [{"b": "c" * 50}]}] * 80, "text": "t" * 300}):
        parts = [part for part, _ in read(graph, {"asked": json.dumps(whole)}, driver, stream_mode="objects").chunks]
        check_growth(parts[:-1], whole)
        found = Counter(itertools.chain.from_iterable(map(containers, parts)))
        assert set(found.values()) == {1}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
def test_leaving(call: str, driver: str) -> None:
    """Whoever leaves ends the model's answer with its next token."""
    over = threading.Event()

    class Endless(Echo):
        """Never comes to an end."""

        def _stream(self, *args: Any, **kwargs: Any) -> Any:
            try:
                *chunks, _ = super()._stream(*args, **kwargs)
                yield from chunks
                while True:
                    yield ChatGenerationChunk(message=AIMessageChunk("x"))
            finally:
                over.set()

    graph = chain(node=asker(Endless().with_structured_output(ROOMY, method="json_mode"), call))
    given = {"asked": '{"items": [], "text": "xxx'}

    async def main() -> None:
        async with graph.astream(given, stream_mode="objects") as stream:
            assert (await stream.__anext__())[0] == {}

    if driver == "stream":
        with graph.stream(given, stream_mode="objects") as stream:
            assert next(stream)[0] == {}
    else:
        run(main())
    assert over.wait(PATIENCE)
