"""What the log keeps of a token is enough to make it again, exactly, for each reader anew."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk

from streamgraph._messages.token_codec import TokenCodec
from streamgraph._messages.token_part import TokenPart
from streamgraph._streams.formats import data_of
from streamgraph._streams.part import Part


class Call:
    """What a token has of its call."""

    node, ns = "node", ("outer:1",)

    def __init__(self, id: str = "m") -> None:  # noqa: A002
        self.id = id
        self.metadata: Dict[str, Any] = {"tags": ["own"], "n": 1}


def as_text(payload: Tuple[BaseMessage, Any]) -> str:
    """A payload with all that it holds and the types of that: `True` is not `1`."""
    message, metadata = payload
    state = [message.__dict__, sorted(message.__pydantic_fields_set__), message.__pydantic_extra__]
    return repr((type(message), state, message.__pydantic_private__, metadata))


VALUES = st.sampled_from([None, "x", "", True, 1, 0, False, 1.0, [], {}, ["y"], {"k": "v"}, {"k": True}, {"k": 1}])
KWARGS = st.fixed_dictionaries({}, optional={"a": VALUES, "b": VALUES})
CONTENTS = st.sampled_from(["", "word", "\ud800", [{"type": "text", "text": "t", "index": 0}]])
CHUNKS = st.builds(
    lambda content, kwargs, response, name, calls, usage: AIMessageChunk(
        content=content,
        id="other",
        additional_kwargs=kwargs,
        response_metadata=response,
        tool_call_chunks=calls,
        **({} if name is None else {"name": name}),
        **({"usage_metadata": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}} if usage else {}),
    ),
    CONTENTS,
    KWARGS,
    KWARGS,
    st.none() | st.just("n"),
    st.sampled_from([[], [tool_call_chunk(name="t", args="{", id="i", index=0)]]),
    st.booleans(),
)
MESSAGES = CHUNKS | st.builds(lambda text: AIMessage(text), st.sampled_from(["", "whole"]))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), MESSAGES), min_size=1, max_size=30))
def test_what_is_opened_is_what_was_packed(tokens: List[Tuple[int, BaseMessage]]) -> None:
    """Of calls side by side, whose tokens have the same fields or others."""
    codec, calls = TokenCodec(), [Call("a"), Call("b"), Call("c")]
    kept = []
    for number, (call, message) in enumerate(tokens, 1):
        pair = codec.pack(TokenPart(calls[call], message, True), number)  # type: ignore[arg-type]
        kept.append(pair)
    for (call, message), pair in zip(tokens, kept):
        part = TokenPart(calls[call], message, True)  # type: ignore[arg-type]
        if pair is not None:
            group, text = pair
            opened, sample = codec.opener(group, _itself)(text), codec.sample(group)
            assert isinstance(opened, Part)
            assert (opened.ns, opened.mode, opened.source, opened.key) == (part.ns, part.mode, part.source, part.key)
            assert (sample.ns, sample.mode, sample.source) == (part.ns, part.mode, part.source)
            assert as_text(opened.data) == as_text(part.data)


def _itself(part: Part) -> object:
    return part


def test_tokens_are_packed() -> None:
    """Nearly all of a message, on every langchain-core: those with a text and nothing that the others do not have."""
    codec, call = TokenCodec(), Call()
    message = AIMessageChunk(content="word", id="m")
    assert codec.pack(TokenPart(call, message, True), 1) is not None  # type: ignore[arg-type]
    assert codec.pack(Part((), "custom", "word"), 2) is None


def test_each_reader_gets_a_token_of_its_own() -> None:
    """Nothing that can be changed is shared by two of them."""
    codec = TokenCodec()
    message = AIMessageChunk(content="word", id="m", additional_kwargs={"inner": ["x"]})
    pair = codec.pack(TokenPart(Call(), message, True), 1)  # type: ignore[arg-type]
    assert pair is not None
    make: Any = codec.opener(pair[0], data_of)
    (first, metadata), (second, other) = make(pair[1]), make(pair[1])
    before = as_text((second, other))
    first.content = "changed"
    first.additional_kwargs["inner"].append("changed")
    first.response_metadata["changed"] = 1
    first.tool_call_chunks.append("changed")
    metadata["tags"].append("changed")
    metadata["changed"] = 1
    assert as_text((second, other)) == before == as_text(make(pair[1]))


def test_forgotten_groups_come_again() -> None:
    """A group whose tokens have gone is forgotten, and known again when its call makes another token."""
    codec, call = TokenCodec(), Call()
    first = codec.pack(TokenPart(call, AIMessageChunk(content="1"), True), 1)  # type: ignore[arg-type]
    codec.forget(2)
    assert first is not None
    with pytest.raises(KeyError):
        codec.sample(first[0])
    second = codec.pack(TokenPart(call, AIMessageChunk(content="2"), True), 2)  # type: ignore[arg-type]
    assert second is not None
    assert codec.opener(second[0], data_of)(second[1])[0].content == "2"  # type: ignore[index]
