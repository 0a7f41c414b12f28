"""`MessageAccumulator.tool_calls`: the arguments of tool calls while they are being written."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, RemoveMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from streamgraph import START, MessageAccumulator, MessagesState, StateGraph
from streamgraph._messages import partial_json
from streamgraph.graph.message import REMOVE_ALL_MESSAGES
from streamgraph.types import RetryPolicy
from streamgraph_integrations.openai_server import OpenAIServer, Reply, ToolCall
from support.json_checks import check_growth, is_part, same
from support.structured import DRIVERS, asker, chain, read


def delta(args: Optional[str], index: Any = 0, id: Any = None, name: Optional[str] = None) -> AIMessageChunk:  # noqa: A002
    """A chunk with a piece of a tool call's arguments."""
    call: Any = {"name": name, "args": args, "id": id, "index": index, "type": "tool_call_chunk"}
    return AIMessageChunk("", tool_call_chunks=[call], id="m")


def call(name: Any, args: Any, id: Any = None, index: Any = 0, complete: bool = True) -> Dict[str, Any]:  # noqa: A002
    """A tool call as it is told of."""
    return {"name": name, "args": args, "id": id, "index": index, "complete": complete}


def test_after_each_delta() -> None:
    """The name as soon as it is known, texts that grow, numbers when they are finished, and in the end all of it."""
    messages, seen = MessageAccumulator(), []
    messages.add(delta("", id="c1", name="look_up"))
    seen.append(messages.tool_calls("m"))
    for piece in ['{"to', 'pic": "ca', "t", 's", "depth": 1', "2", ', "deep": tr', "ue}"]:
        assert messages.add(delta(piece)) == "m"
        seen.append(messages.tool_calls("m"))
    parts: List[Any] = [{}, {}, {"topic": "ca"}, {"topic": "cat"}, {"topic": "cats"}, {"topic": "cats"}]
    parts += [{"topic": "cats", "depth": 12}]
    assert seen[:-1] == [[call("look_up", part, "c1", complete=False)] for part in parts]
    assert seen[-1] == [call("look_up", {"topic": "cats", "depth": 12, "deep": True}, "c1")]


ARGUMENTS = st.dictionaries(
    st.text(max_size=4),
    st.recursive(
        st.one_of(st.text(max_size=6), st.integers(), st.booleans(), st.none()),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
        max_leaves=5,
    ),
    max_size=4,
)
ID_ON = ("first", "every")


@pytest.mark.slow
@settings(max_examples=100, derandomize=True, deadline=None)
@given(
    several=st.lists(ARGUMENTS, min_size=1, max_size=3),
    size=st.integers(1, 5),
    ids=st.sampled_from(ID_ON),
    ascii_=st.booleans(),
    order=st.randoms(use_true_random=False),
)
def test_interleaved(several: List[Any], size: int, ids: str, ascii_: bool, order: Any) -> None:
    """Calls whose pieces come mixed up: each has its own, grows, and is what langchain-core makes of the sum."""
    deltas: List[List[AIMessageChunk]] = []
    for index, args in enumerate(several):
        text = json.dumps(args, ensure_ascii=ascii_)
        id_ = f"c{index}"
        made = [delta("", index, id_, f"tool{index}")]
        for start in range(0, len(text), size):
            made.append(delta(text[start : start + size], index, id_ if ids == "every" else None))
        deltas.append(made)
    messages, seen = MessageAccumulator(), [[] for _ in several]
    while any(deltas):
        mine = order.choice([one for one in deltas if one])
        messages.add(mine.pop(0))
        for told in messages.tool_calls("m"):
            assert is_part(told["args"], several[told["index"]])
            seen[told["index"]].append(told["args"])
    told = sorted(messages.tool_calls("m"), key=lambda call: call["index"])
    assert [(one["name"], one["id"], one["complete"]) for one in told] == [
        (f"tool{index}", f"c{index}", True) for index in range(len(several))
    ]
    assert all(same(one["args"], args) for one, args in zip(told, several))
    for parts, args in zip(seen, several):
        check_growth([part for part, before in zip(parts, [None, *parts]) if part != before], args)
    summed = messages.messages["m"]
    assert isinstance(summed, AIMessageChunk)
    assert sorted((one["name"], one["args"]) for one in summed.tool_calls) == [
        (f"tool{index}", args) for index, args in enumerate(several)
    ]


def test_two_in_one_chunk() -> None:
    """A chunk may have pieces of several calls."""
    first, second = delta('{"a": ', 0, "c0", "x"), delta('{"b": "', 1, "c1", "y")
    messages = MessageAccumulator([first + second, delta("1}", 0) + delta('2"}', 1)])
    assert messages.tool_calls("m") == [call("x", {"a": 1}, "c0", 0), call("y", {"b": "2"}, "c1", 1)]


def test_calls_without_an_index() -> None:
    """Providers that do not count: whole calls in a chunk each, or an id on the first chunk of each only."""
    whole = [delta('{"a": 1}', None, "c0", "x"), delta('{"b": 2}', None, "c1", "y")]
    assert MessageAccumulator(whole).tool_calls("m") == [
        call("x", {"a": 1}, "c0", None),
        call("y", {"b": 2}, "c1", None),
    ]
    pieces = [delta('{"a', None, "c0", "x"), delta('": 1}', None), delta('{"b', None, "c1", "y"), delta('": 2}', None)]
    assert MessageAccumulator(pieces).tool_calls("m") == MessageAccumulator(whole).tool_calls("m")


def test_other_indices() -> None:
    """The index may be one that other blocks of the message have counted up."""
    messages = MessageAccumulator([delta("{", 3, "c0", "x"), delta('{"b": 1}', 5, "c1", "y"), delta('"a": 1}', 3)])
    assert messages.tool_calls("m") == [call("x", {"a": 1}, "c0", 3), call("y", {"b": 1}, "c1", 5)]


def test_no_id_at_all() -> None:
    """A provider without ids: the index is all there is."""
    messages = MessageAccumulator([delta('{"a": ', name="x"), delta("1}"), delta("{}", 1, name="y")])
    assert messages.tool_calls("m") == [call("x", {"a": 1}), call("y", {}, index=1)]


@pytest.mark.parametrize("args", ["no json", '["a"]', "12", '"text"', ""])
def test_not_an_object(args: str) -> None:
    """Arguments that are no object are not there."""
    (told,) = MessageAccumulator([delta(args, id="c", name="x")]).tool_calls("m")
    assert (told["name"], told["args"]) == ("x", {})


def test_none_for_arguments() -> None:
    """A delta without arguments adds nothing."""
    messages = MessageAccumulator([delta(None, id="c", name="x"), delta('{"a": 1}'), delta(None)])
    assert messages.tool_calls("m") == [call("x", {"a": 1}, "c")]


def test_text_and_calls() -> None:
    """A message may say something first; one that calls nothing, or is not there, has no calls."""
    messages = MessageAccumulator([AIMessageChunk("Let me see.", id="m")])
    assert messages.tool_calls("m") == []
    messages.add(delta('{"a": 1}', id="c", name="x"))
    messages.add(AIMessageChunk("", id="m", usage_metadata={"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}))
    assert messages.tool_calls("m") == [call("x", {"a": 1}, "c")]
    assert messages.texts() == {"m": "Let me see."}
    assert messages.tool_calls("other") == []
    messages.add(HumanMessage("hi", id="h"))
    assert messages.tool_calls("h") == []


WHOLE = AIMessage(
    "", id="m", tool_calls=[{"name": "x", "args": {"a": 1}, "id": "c0"}, {"name": "y", "args": {}, "id": "c1"}]
)


def test_whole_messages() -> None:
    """A message that comes at once has its calls at once; it takes the place of what there was, and gives it up."""
    expected = [call("x", {"a": 1}, "c0"), call("y", {}, "c1", 1)]
    assert MessageAccumulator([WHOLE]).tool_calls("m") == expected
    messages = MessageAccumulator([delta('{"a": "b', id="c9", name="z"), (WHOLE, {})])
    assert messages.tool_calls("m") == expected
    messages.add(AIMessage("nothing after all", id="m"))
    assert messages.tool_calls("m") == []


@pytest.mark.parametrize("id_", ["m", REMOVE_ALL_MESSAGES])
def test_taken_back(id_: str) -> None:
    """What was taken back is gone, and what comes after it under the same id begins anew."""
    for before in (delta('{"a": "b', id="c", name="x"), WHOLE):
        messages = MessageAccumulator([before, RemoveMessage(id=id_)])
        assert messages.tool_calls("m") == []
        messages.add(delta('{"n": 1}', id="d", name="y"))
        assert messages.tool_calls("m") == [call("y", {"n": 1}, "d")]


def test_of_each_message() -> None:
    """Calls with the same index and id in other messages are others."""
    one, other = delta('{"a": 1}', id="c", name="x"), delta('{"a": 2}', id="c", name="x").model_copy(update={"id": "n"})
    messages = MessageAccumulator([one, (other, {"langgraph_node": "n"})])
    assert messages.tool_calls("m") == [call("x", {"a": 1}, "c")]
    assert messages.tool_calls("n") == [call("x", {"a": 2}, "c")]


def test_asking_changes_nothing() -> None:
    """The sums are the same whether the calls were asked for or not, and the other way round."""
    chunks = [delta(piece, id="c" if not number else None) for number, piece in enumerate(['{"a"', ': "b', 'c"}'])]
    asked, not_asked = MessageAccumulator(), MessageAccumulator()
    for chunk in chunks:
        asked.add(chunk)
        asked.tool_calls("m")
        _ = asked.messages
        not_asked.add(chunk)
    assert asked.messages == not_asked.messages
    assert asked.tool_calls("m") == not_asked.tool_calls("m")
    assert chunks[0] == delta('{"a"', id="c")


class Counter:
    """Counts how many characters are parsed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.characters = 0
        original = partial_json._parsed

        def counted(text: str, open_text: bool) -> Any:
            self.characters += len(text)
            return original(text, open_text)

        monkeypatch.setattr(partial_json, "_parsed", counted)

    def of(self, length: int, calls: int) -> int:
        """The characters that are parsed for so many calls of this length, which are looked at after every delta."""
        before = self.characters
        text = json.dumps({"items": [{"number": number, "text": "words"} for number in range(length // 34)]})
        messages = MessageAccumulator()
        for start in range(0, len(text), 12):
            for index in range(calls):
                messages.add(delta(text[start : start + 12], index, None if start else f"c{index}", None))
                messages.tool_calls("m")
        assert [one["complete"] for one in messages.tool_calls("m")] == [True] * calls
        return self.characters - before


@pytest.mark.parametrize("calls", [1, 2])
def test_linear(calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments ten times as long cost about ten times as much, though they are looked at after every delta."""
    counter = Counter(monkeypatch)
    assert counter.of(100_000, calls) <= 13 * counter.of(10_000, calls)


@tool
def look_up(topic: str, depth: int) -> str:
    """Look something up."""
    return topic


CALLS = [ToolCall("look_up", {"topic": "cats", "depth": 12}), ToolCall("look_up", {"topic": "dogs \u00e9", "depth": 3})]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("responses", [False, True])
def test_real_model(responses: bool, interleaved: bool, driver: str) -> None:
    """A ChatOpenAI that calls two tools: what there is after each chunk grows, and is in the end what the state has."""
    reply = Reply("Let me see.", tool_calls=CALLS, interleaved=interleaved and not responses)
    with OpenAIServer(reply, delay=0) as server:
        model = ChatOpenAI(
            model="gpt-4o-mini", base_url=server.base_url, api_key="none", max_retries=0, use_responses_api=responses
        )
        node = asker(model.bind_tools([look_up]), "ainvoke", "messages")
        got = read(chain(node=node), {"asked": "q"}, driver, stream_mode="messages")
    (message,) = got.output["messages"]
    messages, seen = MessageAccumulator(), {}
    for item in got.chunks:
        for told in messages.tool_calls(str(messages.add(item))):
            parts = seen.setdefault(told["id"], [])
            if not parts or parts[-1] != told["args"]:
                parts.append(told["args"])
    (id_,) = messages.messages
    told_last = messages.tool_calls(id_)
    assert [(one["name"], one["args"], one["id"]) for one in told_last] == [
        (one["name"], one["args"], one["id"]) for one in message.tool_calls
    ]
    assert all(one["complete"] for one in told_last)
    for reply_call, parts in zip(CALLS, seen.values()):
        check_growth(parts, reply_call.arguments)
        assert len(parts) > 2


class Breaks(GenericFakeChatModel):
    """A model whose call breaks off before its arguments are complete."""

    def _stream(self, *args: Any, **kwargs: Any) -> Any:
        yield ChatGenerationChunk(
            message=delta('{"topic": "do', id="c9", name="look_up").model_copy(update={"id": None})
        )
        raise ConnectionError


@pytest.mark.parametrize("driver", DRIVERS)
def test_attempt_that_is_taken_back(driver: str) -> None:
    """The calls of an attempt that failed are gone when the next one begins."""
    whole = AIMessage("", tool_calls=[{"name": "look_up", "args": {"topic": "cats"}, "id": "c1"}])
    answers = [Breaks(messages=iter([])), GenericFakeChatModel(messages=iter([whole]), disable_streaming=True)]
    builder = StateGraph(MessagesState).add_node(
        "node",
        lambda state: {"messages": answers.pop(0).invoke("q")},
        retry_policy=RetryPolicy(initial_interval=0.001, jitter=False, max_attempts=2),
    )
    graph = builder.add_edge(START, "node").compile()
    messages, seen = MessageAccumulator(), []
    for item in read(graph, {"messages": []}, driver, stream_mode="messages").chunks:
        id_ = messages.add(item)
        seen.append([told["args"] for told in messages.tool_calls(str(id_))])
    assert seen == [[{"topic": "do"}], [{"topic": "do"}], [], [{"topic": "cats"}]]  # the second is its end
    assert len(messages) == 1
