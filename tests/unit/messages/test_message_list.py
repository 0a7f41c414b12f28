"""Lists of messages that know their places."""

from __future__ import annotations

from typing import List

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage

from streamgraph._messages.message_list import MessageList
from streamgraph._streams.copying import own
from streamgraph.graph.message import REMOVE_ALL_MESSAGES, MessagesState, add_messages
from streamgraph.graph.state import StateGraph

IDS = [f"m{index}" for index in range(6)]


def plainly(left: List[BaseMessage], right: List[BaseMessage]) -> List[BaseMessage]:
    """The same merge, looking at everything each time."""
    for index in range(len(right) - 1, -1, -1):
        if right[index].id == REMOVE_ALL_MESSAGES:
            left, right = [], right[index + 1 :]
            break
    merged, removed = [*left], set()
    for message in right:
        places = [place for place, old in enumerate(merged) if old.id == message.id]
        if isinstance(message, RemoveMessage):
            if not places:
                raise ValueError
            removed.add(places[-1])
        elif places:
            merged[places[-1]] = message
            removed.discard(places[-1])
        else:
            merged.append(message)
    return [message for place, message in enumerate(merged) if place not in removed]


messages = st.builds(lambda id_, text: HumanMessage(text, id=id_), st.sampled_from(IDS), st.text(max_size=2))
removals = st.builds(lambda id_: RemoveMessage(id=id_), st.sampled_from([*IDS, REMOVE_ALL_MESSAGES]))
updates = st.lists(messages | messages | removals, max_size=4)


@settings(deadline=None, max_examples=300)
@given(st.lists(messages, max_size=5), st.lists(st.tuples(st.integers(0, 9), updates), max_size=8))
def test_merging(start: List[BaseMessage], steps: list) -> None:
    """Whatever is merged into whichever earlier list, the result is that of looking at everything.

    Lists that come from one another share what they know of places; those that branch off must not disturb it.
    """
    made, plain = [MessageList(start)], [start]
    for choice, update in steps:
        index = choice % len(made)
        try:
            expected = plainly(plain[index], update)
        except ValueError:
            with pytest.raises(ValueError, match="doesn't exist"):
                made[index].merged(update)
        else:
            made.append(made[index].merged(update))
            plain.append(expected)
        assert [list(item) for item in made] == plain
    for one, other in zip(made, plain):
        for id_ in IDS:
            found = one.with_id(id_)
            assert found is next((message for message in reversed(other) if message.id == id_), None)


def test_it_is_never_handed_out() -> None:
    """What users get of it is a list."""
    held = MessageList([HumanMessage("a", id="1")]).merged([AIMessage("b", id="2")])
    assert type(own(held)) is list
    assert type(add_messages([HumanMessage("a", id="1")], [AIMessage("b", id="2")])) is list
    seen = []
    builder = StateGraph(MessagesState).add_node("a", lambda state: seen.append(state["messages"]))
    history = [HumanMessage(str(index), id=str(index)) for index in range(20)]
    graph = builder.add_edge("__start__", "a").compile()
    chunks = [chunk["messages"] for chunk in graph.stream({"messages": history}, stream_mode="values")]
    out = graph.invoke({"messages": history})["messages"]
    assert [type(item) for item in [*seen, *chunks, out]] == [list] * 4


@settings(deadline=None, max_examples=100)
@given(st.lists(messages, max_size=5), st.lists(updates, max_size=5))
def test_what_has_changed(start: List[BaseMessage], steps: list) -> None:
    """The changes since a list, made one after another, make the last one; since another list they are unknown."""
    since, made = object(), MessageList(start)
    made.follow(since)
    plain = [*made]
    for update in steps:
        try:
            made = made.merged(update)
        except ValueError:
            continue
    changes = made.changes(since)
    assert changes is not None
    for kind, place, element in changes:
        if kind == "clear":
            plain.clear()
        elif kind == "add":
            assert place == len(plain)
            plain.append(element)
        elif kind == "replace":
            plain[place] = element
        else:
            del plain[place]
    assert plain == made
    assert made.changes(object()) is None
    assert MessageList(start).merged([]).changes(since) is None
