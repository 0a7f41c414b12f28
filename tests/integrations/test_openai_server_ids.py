"""What providers do differently: which chunks carry ids, tool calls by turns, reasoning in a field of its own."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Dict, List, Optional

import openai
import pytest
from langchain_core.messages import AIMessageChunk
from openai.types.chat import ChatCompletionChunk

from streamgraph_integrations.openai_server import IdScheme, OpenAIServer, Reply, ToolCall
from support.openai_clients import call, chat, post, question, stream_events
from support.openai_clients import no_thread_is_left as no_thread_is_left

CALLS = [ToolCall("add", {"first": 1, "second": 2}, id="call_1"), ToolCall("search", {"query": "a b c"}, id="call_2")]
ABSENT = "absent"

# For each scheme whether the first, a middle and the last chunk have an id.
SCHEMES: Dict[IdScheme, List[Optional[str]]] = {
    "every": ["id", "id", "id"],
    "first": ["id", ABSENT, ABSENT],
    "last": [ABSENT, ABSENT, "id"],
    "changing": ["id", "id", "id"],
    "null": [None, None, None],
    "missing": [ABSENT, ABSENT, ABSENT],
}


def response_events(server: OpenAIServer) -> List[Dict[str, Any]]:
    """The events of a stream of the Responses API."""
    asked = {"model": "any-model", "input": "How are you", "stream": True}
    _, _, content = call(server, "POST", "/v1/responses", asked)
    return [json.loads(block.split("data: ")[1]) for block in content.decode().split("\n\n") if block]


def shape(values: List[Any]) -> List[Any]:
    """Which of some ids are there, where `SCHEMES` looks."""
    return [value if value in (None, ABSENT) else "id" for value in (values[0], values[1], values[-1])]


def ids_in(values: List[Any]) -> List[str]:
    return [value for value in values if value not in (None, ABSENT)]


# Where the ids are


@pytest.mark.parametrize("per_reply", [False, True])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_ids_of_chat_completions(scheme: IdScheme, per_reply: bool) -> None:
    """Server or reply say which chunks have the id; the messages have it in the same way, if at all."""
    reply = Reply("one two", ids=scheme, message_ids=True) if per_reply else "one two"
    options: Dict[str, Any] = {} if per_reply else {"ids": scheme, "message_ids": True}
    with OpenAIServer(reply, delay=0, **options) as server:
        events = stream_events(server, stream_options={"include_usage": True})
        _, whole = post(server)
    around = [event.get("id", ABSENT) for event in events]
    inside = [event["choices"][0]["delta"].get("id", ABSENT) for event in events if event["choices"]]
    for values in (around, inside):
        assert shape(values) == SCHEMES[scheme]
        assert len(set(ids_in(values))) == (len(values) if scheme == "changing" else min(1, len(ids_in(values))))
        assert all(made.startswith("chatcmpl-") for made in ids_in(values))
    assert around[0] == inside[0]
    alone = {"null": None, "missing": ABSENT}.get(scheme, "id")
    for given in (whole.get("id", ABSENT), whole["choices"][0]["message"].get("id", ABSENT)):
        assert given == alone or (alone == "id" and given.startswith("chatcmpl-"))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_ids_of_responses(scheme: IdScheme) -> None:
    """The id of the response is in its three events in the same way; the items have one always."""
    with OpenAIServer("one two", delay=0, ids=scheme) as server:
        events = response_events(server)
    around = [event["response"].get("id", ABSENT) for event in events if "response" in event]
    assert shape(around) == SCHEMES[scheme]
    items = [event["item"]["id"] if "item" in event else event["item_id"] for event in events[2:-1]]
    items.append(events[-1]["response"]["output"][0]["id"])
    assert all(made.startswith("msg_") for made in items)
    assert len(set(items)) == (len(items) if scheme == "changing" else 1)


def test_openai_has_no_ids_in_messages() -> None:
    """By default all chunks have the same id and no message has one; a reply goes before the server."""
    with OpenAIServer(["one", Reply("one", ids="missing", message_ids=False)], delay=0) as server:
        events = stream_events(server)
        assert len({event["id"] for event in events}) == 1
        assert not any("id" in event["choices"][0]["delta"] for event in events)
        for event in events:
            ChatCompletionChunk.model_validate(event)
    with OpenAIServer(Reply("one", ids="first", message_ids=False), delay=0, ids="every", message_ids=True) as server:
        events = stream_events(server)
        assert ["id" in event for event in events] == [True, False]
        assert not any("id" in event["choices"][0]["delta"] for event in events)


def test_unknown_ids() -> None:
    """Ids of a kind that there is not fail where they are asked for, and the message has all kinds."""
    wrong: Any = "all"
    for make in (lambda: OpenAIServer(ids=wrong), lambda: Reply(ids=wrong)):
        with pytest.raises(ValueError, match="ids must be one of 'every', 'first', .* not 'all'"):
            make()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_chat_openai_takes_the_ids_of_messages(scheme: IdScheme) -> None:
    """With ids in the messages ChatOpenAI's chunks have them, and its own where there is none."""

    async def collect(server: OpenAIServer) -> List[Any]:
        return [piece async for piece in chat(server).astream("?")]

    with OpenAIServer("one two", delay=0, ids=scheme, message_ids=True) as server:
        for pieces in (list(chat(server).stream("?")), asyncio.run(collect(server))):
            given = {piece.id for piece in pieces if piece.id and piece.id.startswith("chatcmpl-")}
            assert len(given) == {"null": 0, "missing": 0, "changing": 3}.get(scheme, 1)
            assert sum(pieces[1:], pieces[0]).content == "one two"


def test_chat_openai_makes_ids_up() -> None:
    """Without them it has an id of its own, wherever the chunks have theirs."""
    for scheme in SCHEMES:
        with OpenAIServer("one two", delay=0, ids=scheme) as server:
            pieces = list(chat(server).stream("?"))
        assert len({piece.id for piece in pieces}) == 1
        assert "run-" in str(pieces[0].id)


def test_openai_client_sees_the_ids() -> None:
    """OpenAI's client passes on what there is."""
    with OpenAIServer("one two", delay=0, ids="changing") as server:
        with openai.OpenAI(base_url=server.base_url, api_key="none") as client:
            with client.chat.completions.create(**question(), stream=True) as chunks:  # type: ignore[call-overload]
                ids = [chunk.id for chunk in chunks]
    assert len(set(ids)) == len(ids) == 3


# Tool calls by turns


def test_interleaved_calls_on_the_wire() -> None:
    """The pieces of two calls come by turns, each under its index."""
    with OpenAIServer(Reply("Two things.", tool_calls=CALLS, interleaved=True), delay=0) as server:
        deltas = [event["choices"][0]["delta"] for event in stream_events(server)]
    made = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert [piece["index"] for piece in made[:6]] == [0, 1, 0, 1, 0, 1]
    assert [piece.get("id") for piece in made[:3]] == ["call_1", "call_2", None]
    for index, sent in enumerate(CALLS):
        own = [piece["function"]["arguments"] for piece in made if piece["index"] == index]
        assert json.loads("".join(own)) == sent.arguments


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("text", ["", "Two things."])
def test_chat_openai_sorts_the_calls_out(text: str, interleaved: bool) -> None:
    """The sum of the chunks has both calls, whether they come by turns or not."""
    with OpenAIServer(Reply(text, tool_calls=CALLS, interleaved=interleaved, usage=(3, 4)), delay=0) as server:
        pieces = list(chat(server, stream_usage=True).stream("?"))
    whole = sum(pieces[1:], pieces[0])
    assert isinstance(whole, AIMessageChunk)
    assert whole.content == text
    assert [(made["name"], made["args"], made["id"]) for made in whole.tool_calls] == [
        (sent.name, sent.arguments, sent.id) for sent in CALLS
    ]
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["total_tokens"] == 7


# Reasoning


def test_reasoning_does_not_get_in_the_way() -> None:
    """ChatOpenAI drops the reasoning of chat completions; text, calls and usage are whole."""
    reply = Reply("Yes.", reasoning="Let me think", tool_calls=CALLS, usage=(3, 4))
    with OpenAIServer(reply, delay=0) as server:
        model = chat(server, stream_usage=True)
        pieces = list(model.stream("?"))
        invoked = model.invoke("?")
    for made in (sum(pieces[1:], pieces[0]), invoked):
        assert made.content == "Yes."
        assert [call["id"] for call in made.tool_calls] == ["call_1", "call_2"]
        assert made.usage_metadata["output_token_details"] == {"reasoning": 3}


def test_openai_client_sees_the_reasoning() -> None:
    """OpenAI's client has the field, as it has any it does not know."""
    with OpenAIServer(Reply("Yes.", reasoning="Let me think"), delay=0) as server:
        with openai.OpenAI(base_url=server.base_url, api_key="none") as client:
            with client.chat.completions.create(**question(), stream=True) as chunks:  # type: ignore[call-overload]
                deltas = [chunk.choices[0].delta.model_dump() for chunk in chunks]
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == "Let me think"
