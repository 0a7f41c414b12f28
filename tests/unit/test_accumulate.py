"""`MessageAccumulator`: chunks in, messages out."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any, Dict, List

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessageChunk, RemoveMessage

from streamgraph import MessageAccumulator
from streamgraph.graph.message import REMOVE_ALL_MESSAGES

CHUNKS = st.builds(
    lambda id_, text, usage: AIMessageChunk(
        text,
        id=id_,
        usage_metadata={"input_tokens": usage, "output_tokens": 1, "total_tokens": usage + 1} if usage else None,
    ),
    st.sampled_from("ab"),
    st.text("xyz ", max_size=3),
    st.integers(0, 3),
)
WHOLE = st.builds(lambda id_, text: AIMessage(text, id=id_), st.sampled_from("abc"), st.text("xyz", max_size=3))
GONE = st.builds(lambda id_: RemoveMessage(id=id_), st.sampled_from(["a", "b", "c", REMOVE_ALL_MESSAGES]))


def naive(items: List[BaseMessage]) -> Dict[str, BaseMessage]:
    """The same, one item after the other."""
    pieces: Dict[str, List[BaseMessage]] = {}
    for item in items:
        assert item.id is not None
        if item.id == REMOVE_ALL_MESSAGES:
            pieces.clear()
        elif isinstance(item, RemoveMessage):
            pieces.pop(item.id, None)
        elif isinstance(item, AIMessageChunk) and not any(type(old) is AIMessage for old in pieces.get(item.id, [])):
            pieces.setdefault(item.id, []).append(item)
        else:
            pieces.pop(item.id, None) if item.id not in pieces else pieces[item.id].clear()
            pieces.setdefault(item.id, []).append(item)
    return {id_: reduce(add, several) for id_, several in pieces.items()}  # type: ignore[arg-type]


@given(st.lists(st.one_of(CHUNKS, GONE, WHOLE.filter(lambda message: message.id == "c")), max_size=12), st.data())
def test_as_one_after_the_other(items: List[BaseMessage], data: Any) -> None:
    """The sums are those of adding one after the other, whenever they are asked for."""
    messages = MessageAccumulator()
    for item in items:
        messages.add((item, {"langgraph_node": "n"}))
        if data.draw(st.booleans()):
            assert messages.messages == messages.messages
    assert messages.messages == naive(items)


def test_forms() -> None:
    """Bare chunks, pairs and parts of v2 are taken; what is no message is not."""
    messages = MessageAccumulator([AIMessageChunk("a", id="1")])
    assert messages.add((AIMessageChunk("b", id="1"), {"langgraph_node": "n"})) == "1"
    assert messages.add({"type": "messages", "ns": (), "data": (AIMessageChunk("c", id="1"), {})}) == "1"
    assert messages.add({"type": "updates", "ns": (), "data": {"n": None}}) is None
    assert messages.add("text") is None
    assert messages.add(AIMessageChunk("without an id")) is None
    assert (messages.texts(), messages.metadata("1"), len(messages)) == ({"1": "abc"}, {"langgraph_node": "n"}, 1)


def test_other_chunks_and_blocks() -> None:
    """Chunks of other roles add up, and the text of content blocks is theirs put together."""
    messages = MessageAccumulator([HumanMessageChunk("a", id="1"), HumanMessageChunk("b", id="1")])
    messages.add(AIMessageChunk([{"type": "text", "text": "x", "index": 0}], id="2"))
    messages.add(AIMessageChunk([{"type": "text", "text": "y", "index": 0}], id="2"))
    assert messages.texts() == {"1": "ab", "2": "xy"}


def test_whole_message_takes_the_place() -> None:
    """A message that is shown again, changed, replaces what was there; its place stays."""
    messages = MessageAccumulator([AIMessageChunk("a", id="1"), AIMessageChunk("b", id="2"), AIMessage("c", id="1")])
    assert messages.texts() == {"1": "c", "2": "b"}
    assert messages.add(RemoveMessage(id="1")) == "1"
    assert messages.add(RemoveMessage(id="1")) is None
    assert messages.texts() == {"2": "b"}
    assert messages.metadata("1") == {}
