"""`push_message`: a message is shown at once, and written before what the node returns."""

from __future__ import annotations

import asyncio
import threading

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.tools import tool
from typing_extensions import Annotated, TypedDict

from streamgraph import START, MessagesState, StateGraph
from streamgraph import errors as E
from streamgraph.graph import add_messages
from streamgraph.graph.message import push_message
from streamgraph.types import RetryPolicy
from support.list_graphs import State, both, chat, drivers, line
from support.models import scripted

FAST = RetryPolicy(initial_interval=0.001, jitter=False, retry_on=ConnectionError)
HELLO = {"messages": [HumanMessage("hi", id="h1")]}


def pushes(*messages, returned=None, **options):
    """A node that pushes these messages."""

    def node(state):
        for message in messages:
            push_message(message, **options)
        return returned

    return "p", node


def shown(graph, given=HELLO, **options):
    """Text and id of the messages that both kinds of run show."""
    seen = drivers(graph, given, stream_mode="messages", **options)
    told = {kind: [(message.content, message.id) for message, _ in chunks] for kind, chunks in seen.items()}
    assert told["stream"] == told["astream"]
    return told["stream"]


def ids(state):
    """The ids of the messages of a state."""
    return [message.id for message in state["messages"]]


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["messages", None])
@pytest.mark.parametrize("message", [AIMessage("x"), {"role": "ai", "content": "x"}, ("ai", "x"), "x"], ids=repr)
def test_no_id(message, key):
    """A message without an id is refused: nothing is shown or written."""
    refused = []

    def node(state):
        try:
            push_message(message, state_key=key)
        except ValueError as error:
            refused.append(str(error))

    graph = chat(("p", node))
    assert shown(graph) == []
    assert ids(graph.invoke(HELLO)) == ["h1"]
    assert [text.startswith("Message ID is required") for text in refused] == [True] * 3


def test_no_id_ends_the_run():
    """Uncaught, the error is that of the run."""
    graph = chat(pushes(AIMessage("x")))
    with pytest.raises(ValueError, match="Message ID is required"):
        graph.invoke(HELLO)
    with pytest.raises(ValueError, match="Message ID is required"):
        asyncio.run(graph.ainvoke(HELLO))


def test_outside_of_a_run():
    """Outside of a run there is nowhere to push to."""
    with pytest.raises(RuntimeError, match="outside of a graph run"):
        push_message(AIMessage("x", id="m1"))
    chat(pushes(AIMessage("x", id="m1"))).invoke(HELLO)
    with pytest.raises(RuntimeError, match="outside of a graph run"):
        push_message(AIMessage("x", id="m1"), state_key=None)


@pytest.mark.parametrize(("wrong", "right"), [("mesages", "messages"), ("message", "messages"), ("zzz", None)])
def test_unknown_key(wrong, right):
    """A key that the state does not have is an error with the closest one; the message is not shown."""
    graph = chat(pushes(AIMessage("x", id="m1"), state_key=wrong))
    with pytest.raises(E.UnknownOptionError) as raised:
        graph.invoke(HELLO)
    assert repr(wrong) in str(raised.value)
    assert raised.value.suggestion == right
    chunks = []
    with pytest.raises(E.UnknownOptionError):
        chunks.extend(graph.stream(HELLO, stream_mode="messages"))
    assert chunks == []


def test_key_of_another_graph():
    """The keys that count are those of the graph in which the node is, not of the one around."""
    inner = line(pushes(AIMessage("x", id="m1")))
    with pytest.raises(E.UnknownOptionError, match="'messages'"):
        chat(("sub", lambda state: inner.invoke({}) and None)).invoke(HELLO)


# --- what it returns and writes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        AIMessage("text", id="m1"),
        {"role": "assistant", "content": "text", "id": "m1"},
        {"type": "ai", "content": "text", "id": "m1"},
        AIMessageChunk("text", id="m1"),
    ],
    ids=repr,
)
def test_what_it_returns(given):
    """The message comes back as a whole one, and so it is shown and stored."""
    returned = []
    graph = chat(("p", lambda state: returned.append(push_message(given))))
    ((message, _),) = list(graph.stream(HELLO, stream_mode="messages"))
    (update,) = list(graph.stream(HELLO))
    for one in (message, update["p"]["messages"], *returned, graph.invoke(HELLO)["messages"][-1]):
        assert type(one) is AIMessage
        assert (one.content, one.id) == ("text", "m1")


def test_before_what_is_returned():
    """Pushed messages are written first, in their order, whatever the node returns."""
    first, second, last = (AIMessage(name, id=name) for name in ("m1", "m2", "m3"))
    graph = chat(pushes(first, second, returned={"messages": [last]}))
    assert ids(graph.invoke(HELLO)) == ids(asyncio.run(graph.ainvoke(HELLO))) == ["h1", "m1", "m2", "m3"]
    assert both(graph, HELLO) == [{"p": [{"messages": first}, {"messages": second}, {"messages": [last]}]}]


def test_returned_under_the_same_id():
    """What is returned replaces what was pushed under its id; it is shown again only if it is another."""
    same = chat(pushes(AIMessage("one", id="m1"), returned={"messages": [AIMessage("one", id="m1")]}))
    assert shown(same) == [("one", "m1")]
    other = chat(pushes(AIMessage("one", id="m1"), returned={"messages": [AIMessage("two", id="m1")]}))
    assert shown(other) == [("one", "m1"), ("two", "m1")]
    for graph, text in ((same, "one"), (other, "two")):
        assert [message.content for message in graph.invoke(HELLO)["messages"]] == ["hi", text]


def test_nothing_is_written_without_a_key():
    """`state_key=None` only shows the message."""
    graph = chat(pushes(AIMessage("aside", id="m1"), state_key=None))
    assert shown(graph) == [("aside", "m1")]
    assert both(graph, HELLO) == [{"p": None}]
    assert ids(graph.invoke(HELLO)) == ["h1"]


class Single(TypedDict, total=False):
    """A state whose messages are no list."""

    last: AIMessage
    messages: Annotated[list, add_messages]


def test_key_without_a_reducer():
    """A key without a reducer takes one message, and the second write of one step is an error as ever."""
    one = line(pushes(AIMessage("x", id="m1"), state_key="last"), schema=Single)
    assert one.invoke(HELLO)["last"] == AIMessage("x", id="m1")
    assert shown(one) == [("x", "m1")]
    two = line(pushes(AIMessage("x", id="m1"), AIMessage("y", id="m2"), state_key="last"), schema=Single)
    with pytest.raises(E.InvalidUpdateError, match="'last'"):
        two.invoke(HELLO)


def test_reducer_that_wants_a_list():
    """A single message is written, not a list of one: a reducer that adds lists fails and says so."""
    with pytest.raises(TypeError, match="can only concatenate list"):
        line(pushes(AIMessage("x", id="m1"), state_key="x"), schema=State).invoke({})


# --- when it is shown -------------------------------------------------------------------------------------------


def test_shown_at_once():
    """The message is in the stream while the node is still running."""
    read = threading.Event()

    def node(state):
        push_message(AIMessage("early", id="m1"))
        return {"messages": [AIMessage(str(read.wait(20)), id="m2")]}

    seen = []
    for message, _ in chat(("p", node)).stream(HELLO, stream_mode="messages"):
        seen.append((message.content, message.id))
        read.set()
    assert seen == [("early", "m1"), ("True", "m2")]


def test_shown_at_once_by_an_async_node():
    """So it is in an async run."""

    async def main():
        read = asyncio.Event()

        async def node(state):
            push_message(AIMessage("early", id="m1"))
            await asyncio.wait_for(read.wait(), 20)

        seen = []
        async for message, _ in chat(("p", node)).astream(HELLO, stream_mode="messages"):
            seen.append((message.content, message.id))
            read.set()
        return seen

    assert asyncio.run(main()) == [("early", "m1")]


def test_the_same_again():
    """The same message is shown once (R3), however often it is pushed and by whichever node."""
    graph = chat(pushes(AIMessage("x", id="m1"), AIMessage("x", id="m1")), ("q", pushes(AIMessage("x", id="m1"))[1]))
    assert shown(graph) == [("x", "m1")]
    assert ids(graph.invoke(HELLO)) == ["h1", "m1"]


@pytest.mark.parametrize("key", ["messages", None])
def test_changed_under_its_id(key):
    """A message that was changed is shown again, each time it is pushed, written or not."""
    graph = chat(pushes(*(AIMessage("x" * size, id="m1") for size in (1, 2, 3)), state_key=key))
    assert shown(graph) == [("x", "m1"), ("xx", "m1"), ("xxx", "m1")]


def test_changed_under_its_id_is_shown_at_once():
    """So it is while the node still runs, in front of what the node writes to `custom` after it."""

    def node(state, writer):
        push_message(AIMessage("x", id="m1"))
        push_message(AIMessage("xx", id="m1"))
        writer("done")

    for chunks in drivers(chat(("p", node)), HELLO, stream_mode=["messages", "custom"]).values():
        assert [data if mode == "custom" else data[0].content for mode, data in chunks] == ["x", "xx", "done"]


def test_streamed_and_pushed():
    """A model's message that was streamed is not shown again when it is pushed; it is written."""
    model = scripted()

    def node(state):
        push_message(model.invoke("go"))

    graph = chat(("p", node))
    parts = list(graph.stream(HELLO, stream_mode="messages"))
    assert "".join(message.content for message, _ in parts) == "tell me now"
    assert len({message.id for message, _ in parts}) == 1
    assert graph.invoke(HELLO)["messages"][-1].content == "tell me now"


def test_only_where_messages_are_asked_for():
    """Without the mode nothing is shown; the state is the same."""
    graph = chat(pushes(AIMessage("x", id="m1")))
    assert both(graph, HELLO, stream_mode="custom") == []
    assert [ids(state) for state in both(graph, HELLO, stream_mode="values")] == [["h1"], ["h1", "m1"]]


def test_what_was_shown_does_not_change():
    """A message that is changed after it was pushed is shown as it was, and the node's object is nobody else's."""
    message = AIMessage("as it was", id="m1")

    def node(state):
        push_message(message)
        message.content = "changed"

    seen = [part.content for part, _ in chat(("p", node)).stream(HELLO, stream_mode="messages")]
    assert seen[0] == "as it was"


# --- attempts, tools, branches ----------------------------------------------------------------------------------


def failing_once(asynchronous):
    """A node that fails after its first push, and what its attempts were."""
    attempts = []

    def node(state):
        attempts.append(1)
        push_message(AIMessage(f"attempt {len(attempts)}", id=f"m{len(attempts)}"))
        if len(attempts) == 1:
            raise ConnectionError

    async def anode(state):
        node(state)

    builder = StateGraph(MessagesState).add_node("p", anode if asynchronous else node, retry_policy=FAST)
    return builder.add_edge(START, "p").compile()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_failed_attempt(asynchronous):
    """What a failed attempt has pushed was shown but is not written."""
    assert ids(failing_once(asynchronous).invoke(HELLO)) == ["h1", "m2"]
    assert ids(asyncio.run(failing_once(asynchronous).ainvoke(HELLO))) == ["h1", "m2"]
    parts = list(failing_once(asynchronous).stream(HELLO, stream_mode="messages"))
    shown = [(message.type, message.content) for message, _ in parts]
    assert shown == [("ai", "attempt 1"), ("remove", ""), ("ai", "attempt 2")]


def test_handled_failure():
    """What a node has pushed before it failed for good is not written either; its handler's is."""

    def node(state):
        push_message(AIMessage("lost", id="m1"))
        raise KeyError

    def handler(state):
        push_message(AIMessage("kept", id="m2"))

    builder = StateGraph(MessagesState).add_node("p", node, error_handler=handler).add_edge(START, "p")
    assert ids(builder.compile().invoke(HELLO)) == ["h1", "m2"]


def test_in_a_tool():
    """A tool pushes for the node that calls it."""

    @tool
    def look(q: str) -> str:
        """Look."""
        push_message(AIMessage(f"looking for {q}", id="m1"))
        return "found"

    @tool
    async def alook(q: str) -> str:
        """Look."""
        return look.func(q)

    async def node(state):
        await alook.ainvoke({"q": "ice"})

    for graph in (chat(("p", lambda state: look.invoke({"q": "ice"}) and None)), chat(("p", node))):
        assert shown(graph) == [("looking for ice", "m1")]
        assert ids(graph.invoke(HELLO)) == ["h1", "m1"]
        ((_, metadata),) = list(graph.stream(HELLO, stream_mode="messages"))
        assert metadata["langgraph_node"] == "p"
        assert metadata["tags"] == []


def test_seen_by_the_branches():
    """The conditional edges of the node see what it has pushed."""
    seen = []
    builder = StateGraph(MessagesState).add_node(*pushes(AIMessage("x", id="m1"))).add_edge(START, "p")
    builder.add_conditional_edges("p", lambda state: seen.append(ids(state)) or "__end__")
    builder.compile().invoke(HELLO)
    assert seen == [["h1", "m1"]]


@pytest.mark.parametrize("subgraphs", [None, True, False])
def test_in_a_nested_graph(subgraphs):
    """From the inside it is shown once, by the rule for `subgraphs`; from the outside as what the node returns."""
    graph = chat(("sub", chat(pushes(AIMessage("x", id="m1")))))
    chunks = list(graph.stream(HELLO, stream_mode="messages", subgraphs=subgraphs))
    parts = [part for _, part in chunks] if subgraphs else chunks
    assert [(message.id, data["langgraph_node"]) for message, data in parts] == [
        ("m1", "sub" if subgraphs is False else "p")
    ]
    assert ids(graph.invoke(HELLO)) == ["h1", "m1"]
