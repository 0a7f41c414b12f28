"""UI messages: in the stream at once, in the state when the node has finished."""

from __future__ import annotations

import asyncio
from typing import List

import pytest
from langchain_core.messages import AIMessage
from typing_extensions import Annotated

from streamgraph import START, MessagesState, StateGraph
from streamgraph.errors import UnknownOptionError
from streamgraph.graph.ui import AnyUIMessage, delete_ui_message, push_ui_message, ui_message_reducer


class State(MessagesState):
    """A state with components."""

    ui: Annotated[List[AnyUIMessage], ui_message_reducer]


def shown(node, given=(), **config):
    """The custom chunks and the components of a run of one node."""
    graph = StateGraph(State).add_node("node", node).add_edge(START, "node").compile()
    stream = graph.stream({"messages": [], "ui": list(given)}, config, stream_mode="custom")
    return list(stream), stream.output["ui"]


def of(id, **fields):  # noqa: A002
    return {"type": "ui", "id": id, "name": "box", "props": {}, "metadata": {}, **fields}


def test_pushing():
    """What is streamed is what is in the state."""
    returned = []

    def node(state):
        returned.append(push_ui_message("weather", {"rain": True}, message=AIMessage("x", id="m"), metadata={"own": 1}))

    chunks, components = shown(node)
    (message,) = chunks
    assert chunks == components == returned
    assert (message["type"], message["name"], message["props"]) == ("ui", "weather", {"rain": True})
    assert message["metadata"]["message_id"] == "m"
    assert message["metadata"]["own"] == 1
    assert message["metadata"]["merge"] is False
    assert message["id"]


def test_pushing_async():
    """Async nodes push as well, on every Python."""

    async def node(state):
        push_ui_message("weather", {}, id="1", message={"id": "m"})

    graph = StateGraph(State).add_node(node).add_edge(START, "node").compile()
    (component,) = asyncio.run(graph.ainvoke({"messages": [], "ui": []}))["ui"]
    assert component["id"] == "1"
    assert component["metadata"]["message_id"] == "m"


def test_only_streaming():
    """Without a key nothing is written."""
    chunks, components = shown(lambda state: push_ui_message("weather", {}, state_key=None) and None)
    assert len(chunks) == 1
    assert components == []


def test_merging():
    """A later message replaces an earlier one, or is merged into it."""
    before = of("1", props={"a": 1, "b": 1})
    _, (merged,) = shown(lambda state: push_ui_message("box", {"b": 2}, id="1", merge=True) and None, [before])
    assert merged["props"] == {"a": 1, "b": 2}
    _, (replaced,) = shown(lambda state: push_ui_message("box", {"b": 2}, id="1") and None, [before])
    assert replaced["props"] == {"b": 2}


def test_deleting():
    """A component goes when the node has finished."""
    chunks, components = shown(lambda state: delete_ui_message("1") and None, [of("1"), of("2")])
    assert chunks == [{"type": "remove-ui", "id": "1"}]
    assert components == [of("2")]


def test_the_reducer():
    """Single messages are lists of one; what comes back after its removal stays; nothing given is changed."""
    left = [of("1")]
    assert ui_message_reducer(of("1"), of("2")) == [of("1"), of("2")]
    assert ui_message_reducer(left, [{"type": "remove-ui", "id": "1"}, of("1", name="again")]) == [
        of("1", name="again")
    ]
    assert left == [of("1")]
    with pytest.raises(ValueError, match=r"doesn't exist \('3'\). There are: '1'."):
        ui_message_reducer(left, {"type": "remove-ui", "id": "3"})


def test_mistakes():
    """A key that the state does not have, and a call that no graph hears."""
    with pytest.raises(UnknownOptionError, match="Did you mean 'ui'"):
        shown(lambda state: push_ui_message("box", {}, state_key="uii") and None)
    for call in (lambda: push_ui_message("box", {}), lambda: delete_ui_message("1")):
        with pytest.raises(RuntimeError, match="outside of a graph run"):
            call()
