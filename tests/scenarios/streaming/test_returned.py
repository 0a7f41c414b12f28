"""A message whose tokens were streamed is not streamed again when the node returns it, in whatever form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from pydantic import BaseModel
from typing_extensions import Annotated, TypedDict

from scenarios.streaming.model_call_graphs import asker, graph_of, node_returning
from scenarios.streaming.provider import CALLS, DRIVERS, JOKE, ServerProvider, collect, finish
from streamgraph.graph import MessagesState, add_messages
from streamgraph.types import Command


@dataclass
class DataState:
    """A state object that is a dataclass."""

    messages: Annotated[List[Any], add_messages] = field(default_factory=list)


class PydanticState(BaseModel):
    """A state object that is a pydantic model."""

    messages: Annotated[List[Any], add_messages] = []


class LastMessage(TypedDict, total=False):
    """A state that holds a message without a reducer."""

    message: Any


def copied(message: BaseMessage, **update: Any) -> BaseMessage:
    """A deep copy of a message."""
    return message.model_copy(deep=True, update=update)


RETURNS: Dict[str, Callable[[BaseMessage], Any]] = {
    "the same object": lambda message: {"messages": message},
    "a copy": lambda message: {"messages": copied(message)},
    "a copy under a new id": lambda message: {"messages": copied(message, id="mine")},
    "a copy without id": lambda message: {"messages": copied(message, id=None)},
    "its text in a new message": lambda message: {"messages": AIMessage(message.content)},
    "a list": lambda message: {"messages": [message]},
    "a list with its text in a new message": lambda message: {"messages": [AIMessage(message.content)]},
    "a tuple that the reducer makes a message of": lambda message: {"messages": [("ai", message.content)]},
    "a dict that the reducer makes a message of": lambda message: {
        "messages": [{"role": "assistant", "content": message.content}]
    },
    "a command": lambda message: Command(update={"messages": [message]}),
    "a command with pairs": lambda message: Command(update=[("messages", message)]),
    "a list of commands": lambda message: [Command(update={"messages": [message]})],
}

OBJECTS: Dict[str, Any] = {
    "dataclass": (DataState, lambda message: DataState(messages=[message])),
    "pydantic": (PydanticState, lambda message: PydanticState(messages=[message])),
    "no reducer": (LastMessage, lambda message: {"message": message}),
    "no reducer, new message": (LastMessage, lambda message: {"message": AIMessage(message.content)}),
}

INPUT = {"messages": [HumanMessage("a joke", id="question")]}


def check_once(chunks: List[Any]) -> None:
    """The chunks are the tokens of the joke under one id, and nothing else."""
    messages = [message for message, _ in chunks]
    assert len({message.id for message in messages}) == 1
    assert all(isinstance(message, AIMessageChunk) for message in messages)
    assert "".join(message.content for message in messages) == JOKE
    assert len(messages) > 3


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("form", RETURNS)
def test_returned(server: ServerProvider, form: str, call: str, driver: str) -> None:
    """The tokens arrive once, and the state is what it is without a stream."""
    graph = graph_of(MessagesState, talk=node_returning(asker(server.model(), call), RETURNS[form]))

    chunks = collect(graph, INPUT, driver, stream_mode=["messages", "values"])

    check_once([data for mode, data in chunks if mode == "messages"])
    told = [data for mode, data in chunks if mode == "values"][-1]["messages"]
    quiet = finish(graph, INPUT, driver)["messages"]
    for messages in (told, quiet):
        assert [(type(message), message.content) for message in messages] == [
            (HumanMessage, "a joke"),
            (AIMessage, JOKE),
        ]
    assert getattr(told[-1], "usage_metadata", None) == getattr(quiet[-1], "usage_metadata", None)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", OBJECTS)
def test_returned_in_a_state_object(server: ServerProvider, kind: str, call: str, driver: str) -> None:
    """Dataclasses, pydantic models and keys without a reducer are no different."""
    schema, form = OBJECTS[kind]
    graph = graph_of(schema, talk=node_returning(asker(server.model(), call), form))

    check_once(collect(graph, {}, driver, stream_mode="messages"))


@pytest.mark.parametrize("driver", DRIVERS)
def test_returned_by_the_graph_around(server: ServerProvider, driver: str) -> None:
    """A message of a nested graph is not streamed again by the node around it."""
    inner = graph_of(MessagesState, talk=node_returning(server.model().invoke, RETURNS["a list"]))

    def outer(state: Any) -> Any:
        return {"messages": [AIMessage(inner.invoke(state)["messages"][-1].content)]}

    for graph in (graph_of(MessagesState, outer=inner), graph_of(MessagesState, outer=outer)):
        check_once(collect(graph, INPUT, driver, stream_mode="messages"))


@pytest.mark.parametrize("driver", DRIVERS)
def test_changed(server: ServerProvider, driver: str) -> None:
    """A message that the node has changed is another one, and is streamed once as it is."""
    model = server.model()

    def talk(state: Any) -> Any:
        return {"messages": [AIMessage(model.invoke("a joke").content + " Ha!")]}

    chunks = collect(graph_of(MessagesState, talk=talk), INPUT, driver, stream_mode="messages")

    check_once(chunks[:-1])
    assert (type(chunks[-1][0]), chunks[-1][0].content) == (AIMessage, f"{JOKE} Ha!")


@pytest.mark.parametrize("driver", DRIVERS)
def test_same_answer_twice(server: ServerProvider, driver: str) -> None:
    """Two calls that answer the same are two messages, each streamed once."""
    model = server.model()

    def talk(state: Any) -> Any:
        return {"messages": [model.invoke("a joke"), model.invoke("another joke")]}

    chunks = collect(graph_of(MessagesState, talk=talk), INPUT, driver, stream_mode="messages")

    ids = list(dict.fromkeys(message.id for message, _ in chunks))
    assert len(ids) == 2
    for own in ids:
        check_once([chunk for chunk in chunks if chunk[0].id == own])


@pytest.mark.parametrize("driver", DRIVERS)
def test_state_keeps_what_the_model_said(server: ServerProvider, driver: str) -> None:
    """Id and usage of the message in the state are those of its tokens."""
    graph = graph_of(MessagesState, talk=node_returning(server.model().invoke, RETURNS["the same object"]))

    chunks = collect(graph, INPUT, driver, stream_mode=["messages", "values"])

    tokens = [data[0] for mode, data in chunks if mode == "messages"]
    final = chunks[-1][1]["messages"][-1]
    assert {message.id for message in tokens} == {final.id}
    assert [message.usage_metadata for message in tokens if message.usage_metadata] == [final.usage_metadata]
