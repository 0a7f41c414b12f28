"""Graphs whose state has channels in its annotations: what is special about them besides what LangGraph does."""

from __future__ import annotations

import asyncio
import operator
from typing import Any, Dict, List

import pytest
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from pydantic import BaseModel
from typing_extensions import Annotated, TypedDict

from streamgraph.cache.memory import InMemoryCache
from streamgraph.channels import (
    AnyValue,
    BaseChannel,
    BinaryOperatorAggregate,
    DeltaChannel,
    EphemeralValue,
    LastValue,
    LastValueAfterFinish,
    Topic,
    UntrackedValue,
)
from streamgraph.channels.base import MISSING
from streamgraph.errors import EmptyChannelError, InvalidUpdateError, StateSchemaError
from streamgraph.graph import START, StateGraph, add_messages
from streamgraph.graph.message import _messages_delta_reducer
from streamgraph.types import CachePolicy, Overwrite, Send


class Window(BaseChannel[List[int], int, List[int]]):
    """A user's channel: the last numbers, as many as it is told to keep."""

    def __init__(self, typ: Any, size: int = 3) -> None:
        super().__init__(typ)
        self.size = size
        self.items: List[int] = []

    ValueType = UpdateType = list

    def from_checkpoint(self, checkpoint: Any) -> Window:
        made = type(self)(self.typ, self.size)
        made.key = self.key
        if checkpoint is not MISSING:
            made.items = checkpoint
        return made

    def update(self, values: Any) -> bool:
        self.items.extend(values)
        del self.items[: -self.size]
        return bool(values)

    def get(self) -> List[int]:
        if not self.items:
            raise EmptyChannelError()
        return self.items


def chain(schema: Any, *nodes: Any, **more: Any) -> Any:
    """A graph of nodes one after the other, `n0`, `n1` …"""
    builder, before = StateGraph(schema, **more), START
    for place, node in enumerate(nodes):
        builder.add_node(f"n{place}", node).add_edge(before, f"n{place}")
        before = f"n{place}"
    return builder.compile()


def keyed(**hints: Any) -> Any:
    return TypedDict("State", hints, total=False)  # type: ignore[operator]


def test_a_users_class() -> None:
    """Its values, in a stream, sync and async; each run has a channel of its own, and nobody's list changes later."""
    seen: List[Any] = []
    graph = chain(
        keyed(x=Annotated[list, Window(int, 2)]),
        lambda state: {"x": 2},
        lambda state: seen.append(state["x"]) or {"x": 3},
        lambda state: {"x": 4},
    )

    async def streamed() -> List[Any]:
        return [chunk async for chunk in graph.astream({"x": 1}, stream_mode="values")]

    expected = [{"x": [1]}, {"x": [1, 2]}, {"x": [2, 3]}, {"x": [3, 4]}]
    assert list(graph.stream({"x": 1}, stream_mode="values")) == expected
    assert asyncio.run(streamed()) == expected
    assert graph.invoke({"x": 1}) == expected[-1]
    assert seen == [[1, 2]] * 3


def test_a_users_class_that_fails() -> None:
    """The error says in which channel, and which nodes wrote to it."""

    class Strict(Window):
        def update(self, values: Any) -> bool:
            raise LookupError("no")

    graph = chain(keyed(x=Annotated[list, Strict]), lambda state: {"x": 2})
    with pytest.raises(LookupError, match="no") as caught:
        graph.invoke({"x": 1})
    assert "In the channel of key 'x', with what node '__start__' wrote." in caught.value.__notes__


def test_channels_are_shown() -> None:
    """Builders, graphs and schemas show channels as LangGraph's do, which libraries look at."""
    mark = DeltaChannel(_messages_delta_reducer)
    schema = keyed(
        n=int,
        items=Annotated[list, operator.add],
        chat=Annotated[list, add_messages],
        jump=Annotated[str, EphemeralValue],
        delta=Annotated[list, mark],
    )
    builder = StateGraph(schema).add_node("a", lambda state: None).add_edge(START, "a")
    for channels in (builder.channels, builder.compile().channels, builder.schemas[schema]):
        assert isinstance(channels["n"], LastValue)
        assert isinstance(channels["items"], BinaryOperatorAggregate)
        assert channels["items"].operator is operator.add
        assert channels["chat"].operator is add_messages
        assert isinstance(channels["jump"], EphemeralValue)
        assert isinstance(channels["delta"], DeltaChannel)
        assert channels["delta"].reducer is _messages_delta_reducer
        assert [channel.key for channel in channels.values()] == ["n", "items", "chat", "jump", "delta"]


def test_schemas_that_disagree() -> None:
    builder = StateGraph(keyed(x=int))
    with pytest.raises(ValueError, match="Channel 'x' already exists with a different type"):
        builder.add_node("a", lambda state: None, input_schema=keyed(x=Annotated[int, EphemeralValue]))
    with pytest.raises(StateSchemaError, match="already exists with a different type"):
        StateGraph(keyed(x=Annotated[int, AnyValue]), output_schema=keyed(x=Annotated[int, UntrackedValue]))
    StateGraph(keyed(x=Annotated[int, AnyValue]), output_schema=keyed(x=int))


def test_a_guarded_channel() -> None:
    """The nodes that wrote it at once are named."""
    builder = StateGraph(keyed(x=Annotated[int, EphemeralValue]))
    for name in "ab":
        builder.add_node(name, lambda state: {"x": 1}).add_edge(START, name)
    with pytest.raises(InvalidUpdateError, match=r"key 'x': EphemeralValue .*guard=False") as caught:
        builder.compile().invoke({})
    assert "In the channel of key 'x', with what nodes 'a', 'b' wrote." in caught.value.__notes__


def test_overwrite() -> None:
    """For channels that hold one of the written values it is that value; a topic and others decide themselves."""
    graph = chain(
        keyed(x=Annotated[int, EphemeralValue], y=Annotated[int, UntrackedValue], z=Annotated[int, AnyValue]),
        lambda state: {key: Overwrite(7) for key in "xyz"},
    )
    assert graph.invoke({"x": 1}) == dict.fromkeys("xyz", 7)


def test_a_failed_node() -> None:
    """Its error handler sees the value of the step before, and writes in its place."""
    seen: List[Any] = []

    def fails(state: Any) -> Any:
        raise ValueError("no")

    builder = StateGraph(keyed(x=Annotated[int, EphemeralValue], log=Annotated[list, operator.add]))
    builder.add_node("a", lambda state: {"x": 1}).add_edge(START, "a").add_edge("a", "b")
    builder.add_node("b", fails, error_handler=lambda state: seen.append(dict(state)) or {"x": 2})
    assert builder.compile().invoke({"log": ["in"]}) == {"x": 2, "log": ["in"]}
    assert seen == [{"x": 1, "log": ["in"]}]


def test_a_cached_node() -> None:
    """A result from the cache is written like any other."""
    calls: List[int] = []
    builder = StateGraph(keyed(x=Annotated[list, Topic(int, accumulate=True)], n=int))
    builder.add_node("a", lambda state: calls.append(1) or {"x": [1, 2]}, cache_policy=CachePolicy())
    graph = builder.add_edge(START, "a").compile(cache=InMemoryCache())
    assert [graph.invoke({"x": 0, "n": 1}) for _ in range(2)] == [{"x": [0, 1, 2], "n": 1}] * 2
    assert calls == [1]


def test_sent_tasks() -> None:
    """All values of a step arrive at once, in the order in which they were sent."""
    batches: List[Any] = []

    def reducer(state: Any, writes: Any) -> Any:
        batches.append(list(writes))
        return [*state, *(item for write in writes for item in write)]

    builder = StateGraph(keyed(x=Annotated[list, DeltaChannel(reducer)]))
    builder.add_node("a", lambda given: {"x": [given["n"]]})
    builder.add_conditional_edges(START, lambda state: [Send("a", {"n": number}) for number in range(3)])
    assert builder.compile().invoke({"x": [9]}) == {"x": [9, 0, 1, 2]}
    assert batches == [[[9]], [[0], [1], [2]]]


def test_the_end_of_a_run() -> None:
    """What waits for it comes before the deferred nodes, which are the last."""
    seen: List[Any] = []
    builder = StateGraph(keyed(x=Annotated[int, LastValueAfterFinish], n=int))
    builder.add_node("a", lambda state: {"x": 1}).add_node("b", lambda state: seen.append(dict(state)))
    builder.add_node("c", lambda state: seen.append(dict(state)), defer=True)
    builder.add_edge(START, "a").add_edge("a", "b").add_edge("a", "c")
    builder.compile().invoke({"n": 0})
    assert seen == [{"n": 0}, {"n": 0, "x": 1}]


def test_a_node_is_free_to_change_its_list() -> None:
    """It is the node's own, and so is what a consumer got."""
    seen: List[Any] = []

    def changes(state: Any) -> Any:
        seen.append(list(state["x"]))
        state["x"].clear()
        return {"n": 1}

    hints = {"x": Annotated[list, Topic(int, accumulate=True)], "n": int}
    graph = chain(keyed(**hints), changes, changes)
    for chunk in graph.stream({"x": list(range(20))}, stream_mode="values"):
        assert chunk["x"] == list(range(20))
        chunk["x"].clear()
    assert seen == [list(range(20))] * 2


def test_models() -> None:
    """A pydantic state validates what the channel makes of the input, and has its default where there is nothing."""

    class State(BaseModel):
        """A state."""

        x: Annotated[List[int], Topic(int, accumulate=True)] = []
        y: Annotated[str, EphemeralValue] = "nothing"

    seen: List[Any] = []
    graph = chain(
        State,
        lambda state: seen.append(state.model_copy()) or {"x": 2},
        lambda state: seen.append(state.model_copy()) or {"x": [3, 4]},
    )
    assert graph.invoke({"x": 1, "y": "in"}) == {"x": [1, 2, 3, 4]}
    assert [(state.x, state.y) for state in seen] == [([1], "in"), ([1, 2], "nothing")]


@pytest.mark.parametrize("mark", [EphemeralValue, EphemeralValue(str), UntrackedValue, AnyValue])
def test_json_schemas(mark: Any) -> None:
    """A key has its type in the forms of inputs and outputs, whatever its channel."""
    graph = chain(keyed(x=Annotated[str, mark], n=int), lambda state: None)
    for found in (graph.get_input_jsonschema(), graph.get_output_jsonschema()):
        assert found["properties"]["x"]["type"] == "string"


class Chat(TypedDict):
    """A conversation whose messages are saved as they are written."""

    messages: Annotated[list, DeltaChannel(_messages_delta_reducer)]


class AnyChat(TypedDict):
    """The same with a reducer that knows nothing of messages."""

    messages: Annotated[list, DeltaChannel(lambda state, writes: [*state, *(item for each in writes for item in each)])]


@pytest.mark.parametrize("schema", [Chat, AnyChat])
def test_ids_of_messages(schema: Any) -> None:
    """A message without an id gets it in place, before anybody sees it; a dict that is a message becomes one."""
    answer, question = AIMessage("yes"), HumanMessage("hi?")
    graph = chain(schema, lambda state: {"messages": [answer, {"role": "user", "content": "more"}]})
    updates, values = [], []
    for mode, chunk in graph.stream({"messages": [question]}, stream_mode=["updates", "values"]):
        if mode == "updates":
            updates += [(message.type, message.id) for message in chunk["n0"]["messages"]]
        else:
            values = chunk["messages"]
    assert all(identity for _, identity in updates)
    assert [kind for kind, _ in updates] == ["ai", "human"]
    assert values[:2] == [question, answer]
    assert [(message.type, message.id) for message in values[1:]] == updates
    assert question.id


def test_the_reducer_for_messages() -> None:
    """It appends, replaces and removes, in one pass over several updates."""
    one, two, three = (HumanMessage(text, id=text) for text in ("1", "2", "3"))
    merged = _messages_delta_reducer
    assert merged([one], [[two], three]) == [one, two, three]
    assert merged([one, two], [[AIMessage("new", id="1")]]) == [AIMessage("new", id="1"), two]
    assert merged([one, two], [RemoveMessage(id="1"), RemoveMessage(id="unknown")]) == [two]
    assert merged([one, two], [[RemoveMessage(id="__remove_all__"), three]]) == [three]
    assert merged([one], [[RemoveMessage(id="1")], [one]]) == [one]
    assert [message.content for message in merged([], ["a", ("user", "b"), {"role": "user", "content": "c"}])] == [
        "a", "b", "c"]  # fmt: skip
    batches: Dict[bool, Any] = {}
    writes = [[one, two], [RemoveMessage(id="2"), three], [AIMessage("new", id="3")]]
    batches[True] = merged([], writes)
    batches[False] = merged(merged([], writes[:1]), writes[1:])
    assert batches[True] == batches[False]


def test_messages_are_streamed_once() -> None:
    """A returned message is shown, with the id that it has in the state."""
    graph = chain(Chat, lambda state: {"messages": [AIMessage("yes")]})
    stream = graph.stream({"messages": [HumanMessage("hi?")]}, stream_mode="messages")
    ((message, _),) = list(stream)
    assert message.content == "yes"
    assert message.id == stream.output["messages"][-1].id
