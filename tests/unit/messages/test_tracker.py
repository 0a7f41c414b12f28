"""Exactly once: each message that comes into being is shown as tokens or whole, and never again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, List

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage, RemoveMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk
from pydantic import BaseModel, Field
from typing_extensions import Annotated

from streamgraph import Command, MessagesState, add_messages
from streamgraph.graph.message import REMOVE_ALL_MESSAGES
from streamgraph.testing import Answer, ScriptedModel
from streamgraph.types import Overwrite
from support.list_graphs import chat, drivers, line, texts
from support.models import TEXT, WORDS, Model, Whole, scripted

ASK = {"messages": [HumanMessage("hi", id="h1")]}
IDS = {
    "every chunk": ("own", "own", "own"),
    "first only": ("own", None, None),
    "last only": (None, None, "own"),
    "none": (None, None, None),
    "changing": ("one", "two", "three"),
}


@dataclass
class Data:
    messages: Annotated[List[AnyMessage], add_messages] = field(default_factory=list)
    extra: int = 0


class Pydantic(BaseModel):
    messages: Annotated[List[AnyMessage], add_messages] = Field(default_factory=list)
    extra: int = 0


FORMS = {
    "same object": lambda message: {"messages": [message]},
    "alone": lambda message: {"messages": message},
    "copy": lambda message: {"messages": [message.model_copy(deep=True)]},
    "copy with new id": lambda message: {"messages": [message.model_copy(update={"id": "new"})]},
    "copy without id": lambda message: {"messages": [message.model_copy(update={"id": None})]},
    "its text": lambda message: {"messages": [AIMessage(message.content)]},
    "its text with its id": lambda message: {"messages": [AIMessage(message.content, id=message.id)]},
    "as a chunk": lambda message: {"messages": [AIMessageChunk(message.content, id=message.id)]},
    "command": lambda message: Command(update={"messages": [message]}),
    "command of pairs": lambda message: Command(update=[("messages", [message])]),
    "list of commands": lambda message: [Command(update={"messages": [message]}), Command()],
    "twice": lambda message: [Command(update={"messages": [message]}), {"messages": message}],
    "overwrite": lambda message: {"messages": Overwrite([message])},
    "role and text": lambda message: {"messages": [("ai", message.content)]},
    "dict": lambda message: {"messages": {"role": "assistant", "content": message.content}},
    "dict with id": lambda message: {"messages": [{"type": "ai", "content": message.content, "id": message.id}]},
    "dataclass": lambda message: Data([message]),
    "pydantic": lambda message: Pydantic(messages=[message]),
}


def told(chunks):
    """What was said under each id."""
    said = {}
    for message, _ in chunks:
        said[message.id] = said.get(message.id, "") + message.content
    return said


def calls(form, model, streamed=False):
    """A node that calls a model and returns its message in a form."""

    def node(state):
        if streamed:
            chunks = list(model.stream("q"))
            return form(sum(chunks[1:], chunks[0]))
        return form(model.invoke("q"))

    return node


@pytest.mark.parametrize("schema", [MessagesState, Data, Pydantic], ids=lambda schema: schema.__name__)
@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_exactly_once(form, ids, schema):
    """A streamed message is shown as its tokens, under one id, whatever the node makes of it."""
    for streamed in (False, True):
        graph = chat(calls(form, scripted(ids=ids), streamed), schema=schema)
        for chunks in drivers(graph, ASK, stream_mode="messages").values():
            assert texts(chunks) == list(WORDS)
            assert list(told(chunks).values()) == [TEXT]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("model", [Whole(), scripted(disable_streaming=True)], ids=["no _stream", "disabled"])
def test_whole_messages(form, model):
    """A message of a model that does not stream is shown whole, once."""
    for chunks in drivers(chat(calls(form, model)), ASK, stream_mode="messages").values():
        assert [(message.content, type(message)) for message, _ in chunks] == [(TEXT, AIMessage)]


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
@pytest.mark.parametrize("new", [None, "new", "same"])
def test_changed_content(ids, new):
    """A message that the node has changed is shown once more, whole, under the id it has in the state."""

    def change(message):
        given = message.id if new == "same" else new
        return {"messages": [message.model_copy(update={"content": "changed", "id": given})]}

    graph = chat(calls(change, scripted(ids=ids)))
    for chunks in drivers(graph, ASK, stream_mode=["messages", "values"]).values():
        shown = [data for mode, data in chunks if mode == "messages"]
        assert texts(shown) == [*WORDS, "changed"]
        assert isinstance(shown[-1][0], AIMessage)
        assert shown[-1][0].id == chunks[-1][1]["messages"][-1].id


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_own_messages(form):
    """A message that no model made is shown whole, once, for every form of return, and its id is that in the state."""
    schema = {"dataclass": Data}.get(form, MessagesState)
    graph = chat(lambda state: form(AIMessage("own", id="o1")), schema=schema)
    for chunks in drivers(graph, ASK, stream_mode=["messages", "values"]).values():
        shown = [data for mode, data in chunks if mode == "messages"]
        assert [(message.content, type(message)) for message, _ in shown] == [("own", AIMessage)]
        assert shown[0][0].id == chunks[-1][1]["messages"][-1].id
        assert shown[0][1]["ls_integration"] == "langgraph"


def test_several_messages():
    """Each of several messages is shown, in order, whatever its kind."""
    made = [AIMessage("a"), HumanMessage("b"), ToolMessage("c", tool_call_id="t"), ("ai", "d"), "e"]
    for chunks in drivers(chat(lambda state: {"messages": made}), ASK, stream_mode="messages").values():
        assert texts(chunks) == ["a", "b", "c", "d", "e"]
        assert len(told(chunks)) == 5


def test_two_messages_of_the_same_text():
    """Two messages that a node makes are two, though they say the same."""
    node = lambda state: {"messages": [AIMessage("ok", id="1"), AIMessage("ok", id="2")]}  # noqa: E731
    for chunks in drivers(chat(node, node), ASK, stream_mode="messages").values():
        assert texts(chunks) == ["ok", "ok"]


def test_the_same_answer_twice():
    """A model that says the same in two nodes is shown twice."""
    node = calls(FORMS["same object"], scripted())
    for chunks in drivers(chat(node, node), ASK, stream_mode="messages").values():
        assert list(told(chunks).values()) == [TEXT, TEXT]


def test_nostream():
    """A model with this tag is not seen: not its tokens, not its end, not its message when the node returns it."""
    for model in (scripted(tags=["nostream"]), Whole(tags=["nostream"]), scripted().with_config(tags=["nostream"])):
        for name, form in FORMS.items():
            for chunks in drivers(chat(calls(form, model)), ASK, stream_mode="messages").values():
                assert chunks == [], name


def test_nostream_in_the_call():
    """The tag may come with the call, and hides nothing else."""

    def node(state):
        hidden = scripted().invoke("q", {"tags": ["nostream"]})
        return {"messages": [hidden, scripted(words=("seen",), ids=(None,)).invoke("q")]}

    for chunks in drivers(chat(node), ASK, stream_mode="messages").values():
        assert texts(chunks) == ["seen"]


def test_history_is_not_shown():
    """Messages of the input and of nodes before are not shown again, be they objects or copies."""
    history = [HumanMessage("one", id="1"), AIMessage("two"), ("human", "three"), "four"]
    graph = chat(
        lambda state: {"messages": state["messages"]},
        lambda state: {"messages": [message.model_copy() for message in state["messages"]]},
        lambda state: {"messages": [AIMessage("new"), *state["messages"]]},
        lambda state: {"messages": state["messages"]},
        lambda state: {"messages": [scripted().invoke(state["messages"])]},
        lambda state: {"messages": state["messages"]},
    )
    for chunks in drivers(graph, {"messages": history}, stream_mode="messages").values():
        assert texts(chunks) == ["new", *WORDS]


def test_edited_history():
    """A message of the history that a node has edited is shown once, whole."""
    edit = lambda state: {"messages": [HumanMessage("edited", id="h1")]}  # noqa: E731
    again = lambda state: {"messages": state["messages"]}  # noqa: E731
    for chunks in drivers(chat(edit, again), ASK, stream_mode="messages").values():
        assert [(message.content, message.id) for message, _ in chunks] == [("edited", "h1")]


def test_removed_messages():
    """Removing a message of the history shows nothing."""
    graph = chat(lambda state: {"messages": [RemoveMessage("h1")]})
    for chunks in drivers(graph, ASK, stream_mode="messages").values():
        assert chunks == []
    assert graph.invoke(ASK) == {"messages": []}
    summary = chat(lambda state: {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), AIMessage("in short")]})
    for chunks in drivers(summary, ASK, stream_mode="messages").values():
        assert texts([chunk for chunk in chunks if not isinstance(chunk[0], RemoveMessage)]) == ["in short"]


def test_partly_read_stream():
    """A stream that the node did not read to its end is shown as far as it went, and its text is not shown again."""

    def node(state):
        stream = scripted().stream("q")
        text = next(stream).content + next(stream).content
        stream.close()
        return {"messages": [AIMessage(text)]}

    def left_open(state):
        kept.append(scripted().stream("q"))
        return {"messages": [AIMessage(next(kept[-1]).content)]}

    kept: List[Any] = []
    for chunks in drivers(chat(node), ASK, stream_mode="messages").values():
        assert texts(chunks) == list(WORDS[:2])
    for chunks in drivers(chat(left_open), ASK, stream_mode="messages").values():
        assert texts(chunks) == list(WORDS[:1])
    for stream in kept:
        stream.close()


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
def test_state_does_not_depend_on_the_mode(ids):
    """What a run makes is the same, whatever was asked for; only fresh ids differ."""

    def made(modes):
        graph = chat(calls(FORMS["same object"], scripted(ids=ids)), lambda state: {"messages": [AIMessage("own")]})
        stream = graph.stream(ASK, stream_mode=modes)
        list(stream)
        return [(message.type, message.content, message.additional_kwargs) for message in stream.output["messages"]]

    assert made("messages") == made("values") == made(["messages", "updates", "custom"])


def test_a_changed_chunk_changes_nothing():
    """Whatever a consumer does to a chunk or its metadata, the state and later chunks are as without it."""
    graph = chat(calls(FORMS["same object"], scripted()), lambda state: {"messages": [AIMessage("own", id="o1")]})
    stream = graph.stream(ASK, {"metadata": {"m": [1]}}, stream_mode="messages")
    shown = []
    for message, metadata in stream:
        shown.append(message.content)
        message.content = "spoilt"
        message.additional_kwargs["spoilt"] = message.response_metadata["spoilt"] = True
        assert "spoilt" not in metadata
        metadata["spoilt"] = True
        metadata["tags"].append("spoilt")
    assert [text for text in shown if text] == [*WORDS, "own"]
    assert [message.content for message in stream.output["messages"]] == ["hi", TEXT, "own"]
    for message in stream.output["messages"]:
        assert "spoilt" not in {**message.additional_kwargs, **message.response_metadata}


def test_a_changed_chunk_with_blocks_changes_nothing():
    """The same for content blocks, tool calls and whatever else is nested in a message."""

    class Blocks(Model):
        def _stream(self, *args, **kwargs):
            block = {"type": "text", "text": "a", "index": 0}
            call = {"name": "f", "args": '{"q": 1}', "id": "t", "index": 1, "type": "tool_call_chunk"}
            chunk = AIMessageChunk([block], tool_call_chunks=[call], additional_kwargs={"deep": {"list": [1]}})
            yield ChatGenerationChunk(message=chunk)
            yield ChatGenerationChunk(message=AIMessageChunk([{"type": "text", "text": "b", "index": 0}]))

    def spoil(value):
        for item in list(value.values()) if isinstance(value, dict) else list(value):
            if isinstance(item, (dict, list)):
                spoil(item)
        value.clear()

    def texts_of(messages):
        fields = ("content", "tool_calls", "additional_kwargs")
        return [tuple(getattr(message, name, None) for name in fields) for message in messages]

    own = [{"type": "text", "text": "own"}]
    graph = chat(calls(FORMS["same object"], Blocks()), lambda state: {"messages": [AIMessage(own, id="o1")]})
    undisturbed = graph.stream(ASK, stream_mode="messages")
    list(undisturbed)
    stream = graph.stream(ASK, stream_mode="messages")
    for message, _ in stream:
        for value in vars(message).values():
            if isinstance(value, (dict, list)):
                spoil(value)
    assert texts_of(stream.output["messages"]) == texts_of(undisturbed.output["messages"])
    assert own == [{"type": "text", "text": "own"}]


def test_a_model_that_fails():
    """The tokens before an error are delivered, then the error; a second try has an id of its own."""

    failing = ScriptedModel([Answer(WORDS[:2], error=ConnectionError("gone"))], cycle=True)

    def node(state):
        try:
            return {"messages": [failing.invoke("q")]}
        except ConnectionError:
            return {"messages": [scripted().invoke("q")]}

    (chunks,) = [list(chat(node).stream(ASK, stream_mode="messages"))]
    assert list(told(chunks).values()) == ["".join(WORDS[:2]), TEXT]
    stream = chat(calls(FORMS["same object"], failing)).stream(ASK, stream_mode="messages")
    assert [next(stream)[0].content for _ in range(3)] == [*WORDS[:2], ""]
    with pytest.raises(ConnectionError):
        next(stream)


def test_messages_under_any_key():
    """Messages are shown whatever key they are written to, with or without a reducer, and once if to two keys."""
    graph = line(
        lambda state: {"p": AIMessage("p", id="1"), "x": [AIMessage("x", id="2"), 5], "q": AIMessage("p", id="1")}
    )
    for chunks in drivers(graph, {}, stream_mode="messages").values():
        assert texts(chunks) == ["p", "x"]


def test_nested_graphs():
    """What a nested graph has shown is not shown again by those around it, however deep it is nested."""
    inner = chat(calls(FORMS["same object"], scripted()), lambda state: {"messages": [AIMessage("own")]})
    rewrapped = lambda state: {"messages": [AIMessage(inner.invoke(ASK)["messages"][1].content)]}  # noqa: E731
    for graph, said in ((chat(chat(inner)), [*WORDS, "own"]), (chat(rewrapped), [*WORDS, "own"])):
        for chunks in drivers(graph, ASK, stream_mode="messages").values():
            assert texts(chunks) == said
        for chunks in drivers(graph, ASK, stream_mode="messages", subgraphs=True).values():
            assert texts([chunk for _, chunk in chunks]) == said
