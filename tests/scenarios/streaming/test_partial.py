"""`stream.partial`: what a run that was left or has failed had come to (R30)."""

from __future__ import annotations

import asyncio
from typing import Any, Dict, Tuple

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage

from streamgraph import START, MessagesState, StateGraph
from streamgraph.func import entrypoint

DRIVERS = ("stream", "astream")


def says(text: str, **fields: Any) -> Any:
    """A node whose model streams a text."""

    def node(state: MessagesState) -> Dict[str, Any]:
        model = GenericFakeChatModel(messages=iter([AIMessage(text)]), **fields)
        return {"messages": [model.invoke("?")]}

    return node


def fails(state: MessagesState) -> None:
    """A node that fails."""
    raise KeyError("broken")


def line(*nodes: Any) -> Any:
    """A graph of these nodes, one after the other."""
    builder = StateGraph(MessagesState).add_sequence([(f"n{number}", node) for number, node in enumerate(nodes)])
    return builder.add_edge(START, "n0").compile()


GIVEN = {"messages": [HumanMessage("hi", id="h")]}


def left_after(graph: Any, driver: str, items: int, **options: Any) -> Any:
    """The partial result of a stream that is left after so many items."""
    options = {"stream_mode": "messages", **options}
    if driver == "stream":
        with graph.stream(GIVEN, **options) as stream:
            for _ in range(items):
                next(stream)
        return stream.partial

    async def leave() -> Any:
        async with graph.astream(GIVEN, **options) as stream:
            for _ in range(items):
                await stream.__anext__()
        return stream.partial

    return asyncio.run(leave())


def summary(partial: Any) -> Tuple[Any, Any]:
    """The texts, and the texts of the messages in the state."""
    state = partial.state and [message.content for message in partial.state["messages"]]
    return list(partial.messages.values()), state


@pytest.mark.parametrize("driver", DRIVERS)
def test_left_in_the_middle(driver: str) -> None:
    """The text as far as it came begins the message, and the state is that after the last finished step."""
    partial = left_after(line(says("one two"), says("three four five six seven")), driver, 3 + 3)
    (first, second), state = summary(partial)
    assert first == "one two"
    # The model runs on until it is stopped at its next token.
    assert second.startswith("three four") and "three four five six seven".startswith(second)
    assert state == ["hi", "one two"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_failed(driver: str) -> None:
    """After a failure everything that was shown is there."""
    graph = line(says("one two"), fails)
    if driver == "stream":
        stream = graph.stream(GIVEN, stream_mode="messages")
        with pytest.raises(KeyError):
            list(stream)
    else:
        stream = graph.astream(GIVEN, stream_mode="messages")

        async def read() -> None:
            async for _ in stream:
                pass

        with pytest.raises(KeyError):
            asyncio.run(read())
    assert summary(stream.partial) == (["one two"], ["hi", "one two"])


@pytest.mark.parametrize("driver", DRIVERS)
def test_before_the_first_item(driver: str) -> None:
    """Nothing has happened yet."""
    assert left_after(line(says("one")), driver, 0) == ({}, None)


@pytest.mark.parametrize("driver", DRIVERS)
def test_other_modes_and_hidden_models(driver: str) -> None:
    """Without the mode nothing is known of messages; what is hidden is not there either."""
    graph = line(says("secret words", tags=["nostream"]), says("said"))
    assert summary(left_after(graph, driver, 2, stream_mode="updates")) == ([], ["hi", "secret words", "said"])
    assert summary(left_after(graph, driver, 1))[0] == ["said"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_exhausted(driver: str) -> None:
    """At the end it has all of it."""
    assert summary(left_after(line(says("one two")), driver, 3)) == (["one two"], ["hi"])


def test_workflow() -> None:
    """A workflow has no state before it returns."""

    @entrypoint()
    def flow(given: Any) -> str:
        return str(GenericFakeChatModel(messages=iter([AIMessage("one two three")])).invoke("?").content)

    with flow.stream("x", stream_mode="messages") as stream:
        next(stream)
    assert stream.partial.state is None
    (text,) = stream.partial.messages.values()
    assert "one two three".startswith(text) and text
