"""`add_messages`: lists of messages that are merged by id."""

from __future__ import annotations

import copy
import threading

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessageChunk,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from typing_extensions import Annotated, TypedDict

from streamgraph.errors import UnknownOptionError
from streamgraph.graph import MessagesState, add_messages
from streamgraph.graph import message as module
from streamgraph.graph.message import REMOVE_ALL_MESSAGES
from support.list_graphs import chat, line


def human(text, id=None):  # noqa: A002
    """A message of the user."""
    return HumanMessage(text, id=id)


def told(messages):
    """Ids and contents."""
    return [(message.id, message.content) for message in messages]


ONE, TWO = human("one", "1"), human("two", "2")


@pytest.mark.parametrize(
    ("given", "kind", "content"),
    [
        ("hi", HumanMessage, "hi"),
        (("ai", "hi"), AIMessage, "hi"),
        (("system", "hi"), SystemMessage, "hi"),
        ({"role": "user", "content": "hi"}, HumanMessage, "hi"),
        ({"type": "ai", "content": "hi"}, AIMessage, "hi"),
        (AIMessage("hi"), AIMessage, "hi"),
        (AIMessageChunk("hi"), AIMessage, "hi"),
    ],
)
@pytest.mark.parametrize("several", [False, True])
def test_forms(given, kind, content, several):
    """Every form of a message that LangChain knows becomes a whole message with an id, alone or in a list."""
    (made,) = add_messages([], [given] if several else given)
    assert type(made) is kind
    assert not isinstance(made, BaseMessageChunk)
    assert made.content == content
    assert made.id


def test_left_is_brought_into_form_too():
    """The current messages get the same treatment."""
    made = add_messages(["one", ("ai", "two")], [])
    assert [type(message) for message in made] == [HumanMessage, AIMessage]
    assert len({message.id for message in made} - {None}) == 2


def test_append_and_replace():
    """New ids are appended, known ones replace in place; within one update the later wins."""
    assert told(add_messages([ONE, TWO], [human("three", "3")])) == [("1", "one"), ("2", "two"), ("3", "three")]
    assert told(add_messages([ONE, TWO], human("new", "1"))) == [("1", "new"), ("2", "two")]
    assert told(add_messages([], [human("old", "1"), TWO, human("new", "1")])) == [("1", "new"), ("2", "two")]
    assert told(add_messages([ONE, TWO, human("again", "1")], human("new", "1"))) == [
        ("1", "one"),
        ("2", "two"),
        ("1", "new"),
    ]


def test_remove():
    """A `RemoveMessage` drops the message with its id; one removed and added again stays in its place."""
    assert told(add_messages([ONE, TWO], [RemoveMessage("1")])) == [("2", "two")]
    assert told(add_messages([ONE, TWO], RemoveMessage("1"))) == [("2", "two")]
    assert told(add_messages([ONE, TWO], [RemoveMessage("1"), human("new", "1")])) == [("1", "new"), ("2", "two")]
    assert told(add_messages([ONE], [TWO, RemoveMessage("2")])) == [("1", "one")]
    assert told(add_messages([ONE, TWO], [RemoveMessage("1"), RemoveMessage("1")])) == [("2", "two")]


def test_remove_unknown():
    """Removing what is not there is an error that names the id."""
    with pytest.raises(ValueError, match="doesn't exist.*'9'"):
        add_messages([ONE], [RemoveMessage("9")])


def test_remove_all():
    """The marker drops everything before it, in the state and in the update; the last one counts."""
    everything = RemoveMessage(REMOVE_ALL_MESSAGES)
    assert add_messages([ONE, TWO], [everything]) == []
    assert told(add_messages([ONE], [human("gone", "8"), everything, human("kept", "9")])) == [("9", "kept")]
    assert told(add_messages([ONE], [everything, human("gone", "8"), everything, TWO])) == [("2", "two")]
    assert told(add_messages([ONE], [RemoveMessage("unknown"), everything, TWO])) == [("2", "two")]
    assert REMOVE_ALL_MESSAGES == "__remove_all__"


def test_missing_ids_are_set_on_the_given_messages():
    """Messages without an id get it on the object itself, as in LangGraph; nothing else that is given is changed."""
    left, right = [human("a"), ONE], [AIMessageChunk("b"), human("c"), human("new", "1")]
    before = copy.deepcopy((left, right))
    made = add_messages(left, right)
    assert (made[0], made[3]) == (left[0], right[1])
    assert made[0] is left[0]
    assert made[3] is right[1]
    assert made[0].id != made[3].id
    assert right[0].id is None  # a chunk: a whole message is made of it
    left[0].id = right[1].id = None
    assert (left, right) == before
    assert made is not left
    assert [message.content for message in made] == ["a", "new", "b", "c"]


def test_one_message_in_two_threads_gets_one_id(monkeypatch):
    """Runs that are given one and the same object at the same time agree on its id."""
    shared, found = human("shared"), []
    other = threading.Thread(target=lambda: found.append(add_messages([], [shared])[0].id))

    def slowly():
        monkeypatch.undo()
        other.start()
        other.join(0.2)  # it waits for the id; without the lock it would end with another one
        return "mine"

    monkeypatch.setattr(module, "uuid4", slowly)
    assert add_messages([], [shared])[0].id == "mine"
    other.join()
    assert found == ["mine"]


def test_none_is_no_list_of_messages():
    """One side alone is refused, by hand and in a graph, and the error says which one is there."""
    for given, sides in (((None, [ONE]), "'right'"), (([ONE], None), "'left'")):
        with pytest.raises(ValueError, match=f"non-null arguments for both .* Only received: {sides}"):
            add_messages(*given)
    for modes in ("values", "messages"):
        with pytest.raises(ValueError, match="non-null arguments for both 'left' and 'right'"):
            list(chat(lambda state: {"messages": None}).stream({"messages": [ONE]}, stream_mode=modes))


def test_messages_with_ids_are_not_copied():
    """A whole message with an id is kept as the object it is."""
    assert add_messages([ONE], [TWO])[1] is TWO


def test_ids_of_chunks():
    """A chunk keeps its id, its metadata and its tool calls when it becomes whole."""
    chunk = AIMessageChunk(
        "",
        id="c",
        response_metadata={"model": "m"},
        tool_calls=[{"name": "f", "args": {}, "id": "t", "type": "tool_call"}],
    )
    (made,) = add_messages([], chunk)
    assert (made.id, made.response_metadata, made.tool_calls[0]["name"]) == ("c", {"model": "m"}, "f")


@pytest.mark.parametrize(
    ("left", "right", "missing"), [([], None, "right"), (None, [], "left"), ([ONE], None, "right")]
)
def test_one_list_missing(left, right, missing):
    """With one list only, the error names the missing one."""
    with pytest.raises(ValueError, match=missing):
        add_messages(left, right)


def test_format():
    """`format` brings contents into OpenAI's form, directly and as a reducer made beforehand."""
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}
    given = human([{"type": "text", "text": "see"}, image], "1")
    direct = add_messages([], [given], format="langchain-openai")
    made = add_messages(format="langchain-openai")([], [given])
    for messages in (direct, made):
        assert messages[0].content[1] == {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    assert given.content[1] == image


def test_unknown_format():
    """An unknown format is refused at once, with the right one."""
    with pytest.raises(UnknownOptionError, match="langchain-openai"):
        add_messages(format="langchain-opnai")
    with pytest.raises(UnknownOptionError):
        add_messages([], [], format="openai")


def test_as_a_reducer_with_format():
    """A reducer with a format works as one of a schema, and starts with an empty list."""

    class Formatted(TypedDict):
        messages: Annotated[list, add_messages(format="langchain-openai")]

    graph = line(("n", lambda state: {"messages": ("ai", "hi")}), schema=Formatted)
    assert [message.content for message in graph.invoke({})["messages"]] == ["hi"]


def test_state_and_stream_have_the_same_ids():
    """A message that gets its id on the way has the same one in the state, in `values` and in `messages`."""
    graph = chat(lambda state: {"messages": [AIMessage("a"), ToolMessage("b", tool_call_id="t")]})
    stream = graph.stream({"messages": "hi"}, stream_mode=["messages", "values"])
    chunks = list(stream)
    ids = [message.id for message in chunks[-1][1]["messages"]]
    assert [message[0].id for mode, message in chunks if mode == "messages"] == ids[1:]
    assert [message.id for message in stream.output["messages"]] == ids
    assert chunks[0][1]["messages"][0].id == ids[0]


def test_messages_state():
    """`MessagesState` can be extended."""

    class More(MessagesState):
        extra: str

    graph = line(("n", lambda state: {"messages": "two", "extra": state["messages"][0].content}), schema=More)
    out = graph.invoke({"messages": "one"})
    assert ([message.content for message in out["messages"]], out["extra"]) == (["one", "two"], "one")


@pytest.mark.parametrize("modes", ["values", "messages", "updates", ["values", "messages"]])
def test_node_knows_the_id_of_its_message(modes):
    """A message object that a node keeps gets the id that it has in the state, and nothing else of it is changed."""
    kept = AIMessage("kept")
    graph = chat(lambda state: {"messages": [kept]}, lambda state: {"messages": [AIMessage("new")]})
    with graph.stream({"messages": [human("hi")]}, stream_mode=modes) as stream:
        list(stream)
        assert kept.id == stream.output["messages"][1].id is not None
    kept.id = None
    assert kept == AIMessage("kept")


def test_ids_that_were_changed_on_the_messages_themselves():
    """A message that a node got is the same one under another id: it is replaced or removed, not doubled."""

    def node(change):
        def run(state):
            return {"messages": change(state["messages"])}

        return run

    def renamed(messages):
        messages[1].id = "new"
        return [messages[1]]

    def nameless(messages):
        for message in messages:
            message.id = None
        return messages

    def removed(messages):
        messages[0].id = "new"
        return [RemoveMessage("new")]

    found = []
    for change in (renamed, nameless, removed):
        first = node(lambda messages: AIMessage("three", id="3"))
        given = [human("one", "1"), human("two", "2")]
        found.append(chat(first, node(change), node(lambda messages: [])).invoke({"messages": given})["messages"])
    assert told(found[0]) == [("1", "one"), ("new", "two"), ("3", "three")]
    assert [message.content for message in found[1]] == ["one", "two", "three"]
    assert len({message.id for message in found[1]} - {None}) == 3
    assert told(found[2]) == [("2", "two"), ("3", "three")]
