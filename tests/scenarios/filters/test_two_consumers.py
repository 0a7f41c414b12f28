"""A graph streamed inside a node, while the stream around is read as well: each consumer has its own filter."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Dict, List, Tuple

import pytest
from langchain_core.messages import AIMessage

from scenarios.filters.all_modes_graph import ALL, CONFIG, DRIVERS, State, asks, chain, deep_tool, model
from scenarios.filters.reference import by_source, collect, kept, sources_of
from streamgraph.config import get_stream_writer
from support.parts import Part, parts_of

RULES: List[Dict[str, Any]] = [
    {},
    {"include_nodes": ["asked"]},
    {"exclude_nodes": ["asked", "around"]},
    {"include_tags": "joke"},
    {"exclude_tags": ["poem", "run"]},
    {"include_keys": "notes", "exclude_nodes": "*_talk"},
]
INNER_MODES: List[Tuple[str, ...]] = [("messages", "updates"), tuple(ALL)]


def rules_id(rules: Any) -> str:
    """A short name for a filter."""
    return "-".join(f"{option}={names}" for option, names in rules.items()) or "everything"


def called_deep(state: State) -> Any:
    """A node that calls a tool and makes up messages for both keys."""
    deep_tool.invoke({"topic": "deep"})
    return {"messages": AIMessage("said"), "notes": AIMessage("noted")}


def inner_graph() -> Any:
    """Two models with different tags, a graph as a node, and a tool."""
    nested = chain(inner_talk=asks(model("ha ha", "joke", "poem"), None, "inner_talk"))
    return chain(asked=asks(model("a rhyme", "poem"), "messages", "asked"), nested=nested, called_deep=called_deep)


INNER = inner_graph()


def run(driver: str, inside: Any, outside: Any, modes: Any) -> Tuple[List[Part], List[Part], Any]:
    """What the consumer inside gets, what the one outside gets, and the output.

    Args:
        driver: The driver of both.
        inside: The rules of the consumer inside.
        outside: The rules of the one outside, who wants everything else.
        modes: What the one inside wants.
    """
    got: List[Any] = []
    options: Dict[str, Any] = {"stream_mode": modes, "subgraphs": True, **inside}

    def around(state: State) -> Any:
        get_stream_writer()({"from": "around"})
        stream = INNER.stream({"topic": "in"}, **options)
        got.extend(stream)
        return {"notes": stream.output["notes"], "messages": AIMessage("the end")}

    async def aaround(state: State) -> Any:
        get_stream_writer()({"from": "around"})
        stream = INNER.astream({"topic": "in"}, **options)
        async for chunk in stream:
            got.append(chunk)
        return {"notes": stream.output["notes"], "messages": AIMessage("the end")}

    graph = chain(
        around=around if driver == "stream" else aaround, after=asks(model("and then", "joke"), None, "after")
    )
    chunks, output = collect(
        graph, {"topic": "out"}, driver, CONFIG, stream_mode=ALL, subgraphs=True, version="v2", **outside
    )
    told = parts_of(chunks, ALL, True, "v2")
    return parts_of(got, modes, True, "v1"), told, [message.content for message in output["notes"]]


@lru_cache(maxsize=64)
def unfiltered(driver: str, modes: Tuple[str, ...]) -> Tuple[List[Part], List[Part], Any]:
    """The same without filters."""
    return run(driver, {}, {}, modes)


@pytest.mark.parametrize("modes", INNER_MODES, ids="-".join)
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("outside", RULES, ids=rules_id)
def test_each_gets_its_own(outside: Any, driver: str, modes: Any) -> None:
    """Whatever the other one leaves out, each consumer gets what it would have kept of an unfiltered stream."""
    all_inside, all_outside, expected = unfiltered(driver, modes)
    for inside in RULES:
        got, told, output = run(driver, inside, outside, modes)
        assert by_source(got) == by_source(kept(inside, all_inside)), inside
        assert by_source(told) == by_source(kept(outside, all_outside)), inside
        assert output == expected


@pytest.mark.parametrize("outside", [{}, {"include_nodes": ["asked", "around"]}, {"exclude_nodes": ["asked"]}], ids=str)
@pytest.mark.parametrize("driver", DRIVERS)
def test_custom_data_stays_inside(driver: str, outside: Any) -> None:
    """Custom data that is read in the node does not go up as well; what nobody reads there does."""
    got, told, _ = run(driver, {"include_nodes": "asked"}, outside, ("custom",))
    assert [part.data["from"] for part in got] == ["asked", "asked"]
    around = ["around"] if "include_nodes" in outside else ["around", "after", "after"]
    assert [part.data["from"] for part in told if part.mode == "custom"] == around

    got, told, _ = run(driver, {"include_nodes": "asked"}, outside, ("messages",))
    shown = {part.data["from"] for part in told if part.mode == "custom"}
    assert {part.mode for part in got} == {"messages"}
    assert ("asked" in shown) == ("exclude_nodes" not in outside)
    assert ("inner_talk" in shown) == ("include_nodes" not in outside)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_change_inside_is_not_seen_outside(driver: str) -> None:
    """What the consumer inside does to tags and messages changes neither what the other gets nor what it leaves out."""

    def around(state: State) -> None:
        for message, metadata in INNER.stream({"topic": "in"}, stream_mode="messages", exclude_tags="joke"):
            message.content = "changed"
            metadata["tags"][:] = ["joke"]
            metadata["langgraph_node"] = "changed"

    chunks, _ = collect(
        chain(around=around), {"topic": "out"}, driver, stream_mode="messages", exclude_tags="joke", exclude_keys="n*"
    )
    assert [message.content for message, _ in chunks if message.content] == ["a", " ", "rhyme", "said"]
    assert [metadata["tags"] for message, metadata in chunks if message.content] == [["poem"]] * 3 + [[]]
    assert {metadata["langgraph_node"] for _, metadata in chunks} == {"asked", "called_deep"}


@pytest.mark.parametrize("driver", DRIVERS)
def test_three_consumers(driver: str) -> None:
    """A consumer in a node of a graph that is itself streamed in a node: three filters, three streams."""
    lowest: List[Any] = []
    middle: List[Any] = []

    def middle_node(state: State) -> None:
        lowest.extend(INNER.stream({"topic": "low"}, stream_mode="messages", include_tags="joke"))

    between = chain(middle_node=middle_node, middle_talk=asks(model("mid dle", "joke"), None, "middle_talk"))

    def around(state: State) -> None:
        middle.extend(between.stream({"topic": "mid"}, stream_mode="messages", include_nodes=["asked", "middle_*"]))

    highest, _ = collect(chain(around=around), {"topic": "out"}, driver, stream_mode="messages", include_keys=["notes"])

    def said(chunks: List[Any]) -> List[Any]:
        return [(metadata["langgraph_node"], message.content) for message, metadata in chunks if message.content]

    inner_talk = [("inner_talk", word) for word in ("ha", " ", "ha")]
    asked = [("asked", word) for word in ("a", " ", "rhyme")]
    middle_talk = [("middle_talk", word) for word in ("mid", " ", "dle")]
    assert said(lowest) == inner_talk
    assert said(middle) == asked + middle_talk
    assert said(highest) == [*asked, *inner_talk, ("called_deep", "noted"), *middle_talk]


def test_scenario_has_everything() -> None:
    """Both consumers see each node in the unfiltered streams, in each mode that it has something for."""
    got, told, _ = unfiltered("stream", tuple(ALL))
    inner = {"asked", "nested", "inner_talk", "called_deep"}
    assert {*sources_of(got)} == {"", *inner}
    assert {*sources_of(told)} == {"", "around", "after", *inner}
    assert {part.mode for part in got} == {part.mode for part in told} == {*ALL}
