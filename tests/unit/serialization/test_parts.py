"""Parts of every mode and messages of every kind: written, read back, and what a token costs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, List

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    ChatMessageChunk,
    FunctionMessage,
    HumanMessage,
    HumanMessageChunk,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
    ToolMessageChunk,
)

from streamgraph._locations import ErrorLocation, locate
from streamgraph.errors import InvalidUpdateError, location_of
from streamgraph.serialization import PartDecoder, PartEncoder, RemoteError, dumps, loads, to_json
from streamgraph.types import Gap, Heartbeat, Interrupt, RunFailure, RunningTask
from support.exactly import exactly

METADATA = {
    "langgraph_node": "model",
    "langgraph_step": 1,
    "langgraph_path": ("__pregel_pull", "model"),
    "tags": ["joke"],
}

USAGE = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, "input_token_details": {"cache_read": 1}}
CALL = {"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}
BAD_CALL = {"name": "add", "args": "{", "id": "c2", "error": "no JSON", "type": "invalid_tool_call"}
CALL_CHUNK = {"name": "add", "args": '{"a"', "id": "c1", "index": 0, "type": "tool_call_chunk"}

MESSAGES: List[Any] = [
    AIMessageChunk(content="tok", id="m1"),
    AIMessageChunk(content="", id="m1", chunk_position="last"),
    AIMessageChunk(content="", id="m1", usage_metadata=USAGE, response_metadata={"finish_reason": "stop"}),
    AIMessageChunk(content="", id="m1", tool_call_chunks=[CALL_CHUNK]),
    AIMessageChunk(content=[{"type": "text", "text": "a", "index": 0}], id="m1", additional_kwargs={"a": (1,)}),
    AIMessageChunk(content="a\ud800", id="m1"),
    AIMessage(content="whole", id="m2", tool_calls=[CALL], invalid_tool_calls=[BAD_CALL], name="bot"),
    AIMessage(content=["a", {"type": "image", "data": "x"}], response_metadata={"at": float("nan")}),
    AIMessage(content="more", extra_field={1, 2}),
    AIMessage(content="odd", **{"$type": "set"}),
    HumanMessage("hi", id="h"),
    HumanMessageChunk(content="hi", id="h"),
    SystemMessage("be kind"),
    ToolMessage("3", tool_call_id="c1", artifact={"rows": [(1, 2)]}, status="error"),
    ToolMessageChunk(content="3", tool_call_id="c1", artifact=b"\xff"),
    ChatMessage("hi", role="critic"),
    ChatMessageChunk(content="hi", role="critic"),
    FunctionMessage("3", name="f"),
    RemoveMessage(id="m1"),
]


class Custom(AIMessage):
    """A user's own class of messages."""

    mood: str = "good"


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: f"{message.type}-{MESSAGES.index(message)}")
def test_a_message_is_read_back_with_its_metadata_and_inside_of_any_value(message):
    encoder, decoder = PartEncoder(exact=True), PartDecoder()
    for _ in range(2):  # the second time with the metadata that is known already
        part = {"type": "messages", "ns": ("sub:1",), "data": (message, dict(METADATA))}
        assert exactly(decoder.decode(encoder.encode(part)), part)
    state = {"type": "values", "ns": (), "data": {"messages": [message], "by": {"a": (message,)}}, "interrupts": ()}
    assert exactly(decoder.decode(encoder.encode(state)), state)
    shown = json.loads(to_json(part))
    assert shown["data"][1]["langgraph_path"] == ["__pregel_pull", "model"]
    expected = message.model_dump()
    assert shown["data"][0].keys() == expected.keys()
    assert shown["data"][0]["type"] == message.type
    assert json.loads(to_json(state))["data"]["messages"][0] == shown["data"][0]


TEXT = st.text(max_size=3) | st.text(st.characters(categories=["Cs"]), max_size=2)
ANY = st.recursive(
    st.none() | st.floats() | st.integers() | TEXT | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(TEXT | st.just("$type"), inner, max_size=2) | st.tuples(inner)
    ),
    max_leaves=4,
)
BLOCK = st.dictionaries(TEXT, ANY, max_size=2).map(lambda more: {**more, "type": "text", "text": "a", "index": 0})
FIELDS = {
    "content": TEXT | st.lists(TEXT | BLOCK, max_size=2),
    "id": st.none() | TEXT,
    "name": st.none() | TEXT,
    "additional_kwargs": st.dictionaries(TEXT, ANY, max_size=2),
    "response_metadata": st.dictionaries(TEXT, ANY, max_size=2),
}
KINDS = {
    AIMessage: {"usage_metadata": st.none() | st.just(USAGE), "tool_calls": st.lists(st.just(CALL), max_size=1)},
    AIMessageChunk: {"tool_call_chunks": st.lists(st.just(CALL_CHUNK), max_size=1)},
    HumanMessage: {},
    ToolMessage: {"tool_call_id": TEXT, "artifact": ANY},
}
DRAWN = st.one_of(*(st.builds(kind, **FIELDS, **more) for kind, more in KINDS.items()))


@settings(max_examples=100, deadline=None)
@given(DRAWN, st.dictionaries(TEXT, ANY, max_size=3))
def test_any_message_with_any_metadata_is_read_back(message, metadata):
    encoder, decoder = PartEncoder(exact=True), PartDecoder()
    part = {"type": "messages", "ns": (), "data": (message, metadata)}
    for _ in range(2):
        assert exactly(decoder.decode(encoder.encode(part)), part)
    json.loads(to_json(part), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


class _Undecided:
    def __bool__(self):
        raise ValueError("as an array of numbers")


@pytest.mark.parametrize("artifact", [b"", (), set(), 0.0, Decimal(0), "", [], {}, float("nan")], ids=repr)
def test_an_empty_artifact_is_read_back(artifact):
    part = {"type": "messages", "ns": (), "data": (ToolMessage("", tool_call_id="1", artifact=artifact), {})}
    assert exactly(PartDecoder().decode(PartEncoder(exact=True).encode(part)), part)


def test_an_artifact_without_a_truth_value_becomes_a_placeholder():
    message = ToolMessage("found", tool_call_id="1", artifact=_Undecided())
    shown = json.loads(to_json({"type": "messages", "ns": (), "data": (message, {})}))
    assert shown["data"][0]["content"] == "found"
    assert "_Undecided" in json.dumps(shown["data"][0]["artifact"])


def test_a_chunk_adds_up_after_the_way_there_and_back():
    chunks = [AIMessageChunk(content=text, id="m") for text in ("a", "b")]
    back = [loads(dumps(chunk)) for chunk in chunks]
    assert back[0] + back[1] == chunks[0] + chunks[1]


def test_a_class_of_messages_of_the_user_has_to_be_allowed():
    message = Custom("hi", mood="bad")
    part = {"type": "messages", "ns": (), "data": (message, {})}
    assert exactly(loads(dumps(part), allow=[Custom]), part)
    with pytest.raises(ValueError, match="which is not allowed"):
        loads(dumps(part))
    assert json.loads(to_json(part))["data"][0]["mood"] == "bad"


@dataclass
class Job:
    name: str


class OwnError(Exception):
    """An exception whose `__init__` takes other arguments than it passes on."""

    def __init__(self, code: int, *, detail: str) -> None:
        super().__init__(f"code {code}")
        self.code = code
        self.detail = detail


def failure(error: BaseException) -> BaseException:
    locate(error, ErrorLocation("model", 3, ("sub:1",)))
    return error


TASK = {"id": "t", "name": "model"}
PARTS: List[Any] = [
    {"type": "values", "ns": (), "data": Job("x"), "interrupts": (Interrupt("May I?", "i"),)},
    {"type": "values", "ns": ("a:1", "b:2"), "data": None, "interrupts": ()},
    {"type": "updates", "ns": (), "data": {"model": {"n": 1}, "__metadata__": {"cached": True}}},
    {"type": "updates", "ns": (), "data": {"__interrupt__": (Interrupt("May I?", "i"),)}},
    {
        "type": "patches",
        "ns": (),
        "data": [
            {"op": "replace", "path": "", "value": {"messages": [MESSAGES[0]], "a/b": {(1,)}}},
            {"op": "add", "path": "/messages/-", "value": MESSAGES[13]},
            {"op": "remove", "path": "/a~1b"},
            {"op": "add", "path": "/__interrupt__", "value": (Interrupt("May I?", "i"),)},
        ],
    },
    {"type": "custom", "ns": (), "data": {"type": "messages", "ns": (), "data": 1}},
    {"type": "objects", "ns": (), "data": (Job("x"), {"complete": True})},
    {"type": "tools", "ns": (), "data": {"event": "tool-finished", "tool_call_id": "c", "output": MESSAGES[13]}},
    {"type": "tasks", "ns": (), "data": {**TASK, "input": {"a": {1}}, "triggers": ("branch:to:model",)}},
    {"type": "tasks", "ns": (), "data": {**TASK, "error": failure(KeyError("x")), "result": {}, "interrupts": []}},
    {
        "type": "debug",
        "ns": (),
        "data": {"step": 1, "timestamp": "x", "type": "task", "payload": {**TASK, "input": ()}},
    },
    {"type": "checkpoints", "ns": (), "data": {"config": {"configurable": {}}, "values": {"a": (1,)}, "tasks": []}},
    {"type": "heartbeat", "ns": (), "data": Heartbeat(1.0, (RunningTask("a", 1, "t", 0.5),))},
    {"type": "gap", "ns": (), "data": Gap(3, {"messages": 3})},
    {"type": "error", "ns": (), "data": RunFailure(failure(OwnError(5, detail="d")), "model", 3)},
]
V1: List[Any] = [
    ("messages", (MESSAGES[0], METADATA)),
    (("sub:1",), "values", {"a": 1}),
    ((), "updates", {"n": {"a": [HumanMessage("x")]}}),
    (MESSAGES[0], METADATA),
    {"type": "x", "ns": [], "data": 1},
    {"type": "x", "ns": (1,), "data": 1},
    {"type": "x", "ns": (), "data": 1, "more": 2},
    {"type": "messages", "ns": (), "data": [MESSAGES[0], METADATA]},
    {"type": "messages", "ns": (), "data": None},
    {"type": "messages", "ns": (), "data": ("text", 1)},
    {"type": "x", "ns": (), "data": 1, "interrupts": 5},
]


@pytest.mark.parametrize("chunk", PARTS + V1, ids=lambda chunk: str(chunk["type"] if isinstance(chunk, dict) else "v1"))
def test_a_part_is_read_back(chunk):
    back = loads(dumps(chunk), allow=[Job, OwnError])
    assert exactly(back, chunk)
    json.loads(to_json(chunk))


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries(
        {"type": st.text(max_size=3) | st.sampled_from(["messages", "values"]), "ns": st.lists(st.text()).map(tuple)},
        optional={
            "data": st.none() | st.tuples(st.integers(), st.integers()),
            "interrupts": st.just(()),
            "x": st.none(),
        },
    )
)
def test_what_looks_like_a_part_is_never_taken_for_another_value(value):
    back = loads(dumps(value))  # a part has its own order of keys
    assert exactly(dict(sorted(back.items())), dict(sorted(value.items())))


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a", 1),
        KeyError("x"),
        OSError(2, "no such file", "x"),
        UnicodeDecodeError("utf-8", b"a", 0, 1, "why"),
        InvalidUpdateError("At key 'a': no", key="a", hint="Do it."),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_keeps_its_class_its_words_and_its_place(error):
    failure(error)
    back = loads(dumps(error))
    assert exactly(back, error)
    assert str(back) == str(error)
    assert location_of(back) == ErrorLocation("model", 3, ("sub:1",))
    assert json.loads(to_json(error)) == {
        "error": type(error).__name__,
        "message": str(error),
        "node": "model",
        "step": 3,
        "ns": ["sub:1"],
    }


def test_an_error_of_a_class_that_is_not_allowed_says_what_it_was():
    error = failure(OwnError(5, detail="d"))
    back = loads(dumps(error))
    assert type(back) is RemoteError
    assert str(back) == f"{__name__}:OwnError: code 5"
    assert location_of(back) == ErrorLocation("model", 3, ("sub:1",))
    assert back.__notes__ == error.__notes__  # type: ignore[attr-defined]
    known = loads(dumps(error), allow=[OwnError])
    assert (type(known), known.code, known.detail) == (OwnError, 5, "d")


def test_metadata_is_written_once_for_a_message_and_anew_when_it_differs():
    for exact in (False, True):
        encoder = PartEncoder(exact=exact)
        shown = [dict(METADATA), dict(METADATA), {**METADATA, "langgraph_step": 2}, dict(METADATA), {"x": float("nan")}]
        for metadata in shown:
            data = encoder.encode_part("messages", (), (AIMessageChunk(content="a", id="m"), metadata))
            assert json.loads(data)["data"][1] == json.loads(PartEncoder(exact=exact).encode(metadata))
            metadata.get("tags", []).append("changed by its reader")


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    "token",
    [
        AIMessageChunk("", id="m"),
        AIMessageChunk("", id="m", name='a \\ "name"'),
        HumanMessageChunk("", id=None),
        AIMessage("", id="the text of a token"),
    ],
    ids=str,
)
def test_tokens_are_written_from_their_texts_as_they_are_written_whole(exact, token):
    encoder, other = PartEncoder(exact=exact), PartEncoder(exact=exact)
    write = encoder.token_writer((token, METADATA))
    assert write is not None

    @given(st.text(st.one_of(st.characters(), st.sampled_from(["\ud800", "\udc00", "\x00"]))))
    def check(text):
        whole = token.model_copy(update={"content": text})
        assert write(text) == other.encode_data("messages", (whole, METADATA))

    check()


def test_a_token_that_is_more_than_text_is_written_whole():
    write = PartEncoder().token_writer
    assert write((AIMessageChunk("", id="m", usage_metadata=USAGE), METADATA)) is None
    assert write((AIMessageChunk([], id="m"), METADATA)) is None
    assert write((AIMessageChunk("", id="\x00the text of a token\x00"), METADATA)) is None


def test_an_encoder_forgets_the_messages_that_were_long_ago():
    encoder = PartEncoder()
    for index in range(1000):
        encoder.encode_part("messages", (f"n:{index}",), (AIMessageChunk(content="a", id=f"m{index}"), {"a": index}))
    assert len(encoder._metadata) <= 256 >= len(encoder._heads)


@pytest.mark.parametrize("exact", [False, True])
def test_a_token_costs_few_calls(exact, count_calls):
    encoder = PartEncoder(exact=exact)
    chunk = AIMessageChunk(content="tok", id="m")
    parts = [{"type": "messages", "ns": ("a:1",), "data": (chunk, {**METADATA, "tags": []})} for _ in range(101)]
    encoder.encode(parts[0])
    calls = count_calls(lambda: [encoder.encode(part) for part in parts[1:]])
    assert calls / 100 <= 5.1  # encode, whether it is a part, the part, the token, whether its metadata is known
