"""The loopback server through a real ChatOpenAI: texts, tool calls, usage, errors and replies in turn."""

from __future__ import annotations

import asyncio
from typing import Any, Dict, List

import openai
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_openai import ChatOpenAI

from streamgraph_integrations.openai_server import OpenAIServer, Reply, ToolCall
from support.openai_clients import chat
from support.openai_clients import no_thread_is_left as no_thread_is_left

# Through ChatOpenAI


def test_invoke_gives_the_text() -> None:
    """The text of the reply is the content of the message, with usage and the reason it ended."""
    with OpenAIServer("Fine, thank you.") as server:
        message = chat(server).invoke("How are you")
    assert message.content == "Fine, thank you."
    assert message.response_metadata["finish_reason"] == "stop"
    assert message.response_metadata["model_name"] == "gpt-4o-mini"
    assert message.usage_metadata is not None
    assert (message.usage_metadata["input_tokens"], message.usage_metadata["output_tokens"]) == (3, 3)


def test_ainvoke_gives_the_text() -> None:
    """The asynchronous call gives the same."""
    with OpenAIServer("Fine, thank you.") as server:
        message = asyncio.run(chat(server).ainvoke("How are you"))
    assert message.content == "Fine, thank you."


def test_stream_gives_the_words_one_by_one() -> None:
    """A stream has a chunk for each word, which join to the text."""
    with OpenAIServer("One two  three\nfour", delay=0) as server:
        texts = [str(chunk.content) for chunk in chat(server).stream("Count")]
    assert [text for text in texts if text] == ["One", " two", "  three", "\nfour"]


def test_astream_gives_the_chosen_chunks() -> None:
    """The asynchronous stream has the chunks the reply names, and their text is the reply's."""
    reply = Reply(chunks=["Al", "pha", "bet ", "soup"])

    async def texts(model: ChatOpenAI) -> List[str]:
        return [str(chunk.content) async for chunk in model.astream("Eat")]

    with OpenAIServer(reply, delay=0) as server:
        assert [text for text in asyncio.run(texts(chat(server))) if text] == ["Al", "pha", "bet ", "soup"]
    assert reply.text == "Alphabet soup"


def test_several_event_loops_can_use_one_model() -> None:
    """No connection outlives the event loop that made it, so the next loop finds none it cannot use."""
    with OpenAIServer("Yes", delay=0) as server:
        model = chat(server)
        assert [asyncio.run(model.ainvoke("?")).content for _ in range(3)] == ["Yes"] * 3
        assert len(server.requests) == 3


def test_tool_calls_of_an_invoke() -> None:
    """Calls of tools arrive with name, arguments and id."""
    calls = [ToolCall("add", {"a": 1, "b": [2, 3]}, id="call_7"), ToolCall("now")]
    with OpenAIServer(Reply(tool_calls=calls)) as server:
        message = chat(server).invoke("Add")
    assert [(made["name"], made["args"]) for made in message.tool_calls] == [
        ("add", {"a": 1, "b": [2, 3]}),
        ("now", {}),
    ]
    first, second = [made["id"] for made in message.tool_calls]
    assert first == "call_7"
    assert second
    assert message.response_metadata["finish_reason"] == "tool_calls"


def test_tool_calls_of_a_stream() -> None:
    """A streamed call of a tool comes in pieces which add up to the call."""
    calls = [ToolCall("search", {"query": "streaming graphs in Python"}), ToolCall("now")]
    with OpenAIServer(Reply("Let me look.", tool_calls=calls), delay=0) as server:
        pieces = list(chat(server).stream("Search"))
    whole = sum(pieces[1:], pieces[0])
    assert isinstance(whole, AIMessageChunk)
    assert whole.content == "Let me look."
    assert [(made["name"], made["args"]) for made in whole.tool_calls] == [
        ("search", {"query": "streaming graphs in Python"}),
        ("now", {}),
    ]
    assert len([piece for piece in pieces if piece.tool_call_chunks]) > 4


def test_broken_arguments_arrive_as_they_are() -> None:
    """Arguments given as a string can be invalid JSON, as some models write."""
    with OpenAIServer(Reply(tool_calls=[ToolCall("add", '{"a": ')])) as server:
        message = chat(server).invoke("Add")
    assert [made["args"] for made in message.invalid_tool_calls] == ['{"a": ']


def test_stream_usage() -> None:
    """A stream that asks for usage gets it in its last chunk, with the counts of the reply."""
    with OpenAIServer(Reply("a b c", usage=(11, 5)), delay=0) as server:
        pieces = list(chat(server, stream_usage=True).stream("Count"))
    whole = sum(pieces[1:], pieces[0])
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["input_tokens"] == 11
    assert whole.usage_metadata["output_tokens"] == 5
    assert whole.usage_metadata["total_tokens"] == 16


def test_usage_can_be_left_out() -> None:
    """A reply without usage reports none."""
    with OpenAIServer(Reply("a b c", usage=False)) as server:
        assert chat(server).invoke("Count").usage_metadata is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (503, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_error_status(status: int, expected: type, streaming: bool) -> None:
    """A reply with an error makes OpenAI's client raise its exception for that status."""
    with OpenAIServer(Reply(error=(status, "not today"))) as server:
        model = chat(server)
        with pytest.raises(expected, match="not today") as caught:
            list(model.stream("?")) if streaming else model.invoke("?")
        assert caught.value.status_code == status
        assert [request.status for request in server.requests] == [status]


def test_replies_in_turn() -> None:
    """A list is given out in turn, and the last reply repeats."""
    with OpenAIServer(["one", Reply("two")]) as server:
        model = chat(server)
        assert [model.invoke("?").content for _ in range(4)] == ["one", "two", "two", "two"]


def test_a_retry_gets_the_next_reply() -> None:
    """A client that tries again after an overload gets the answer behind it in the list."""
    with OpenAIServer([Reply(error=(503, "overloaded")), "here you are"]) as server:
        assert chat(server, max_retries=1).invoke("?").content == "here you are"
        assert [request.status for request in server.requests] == [503, 200]


def test_replies_in_turn_are_given_out_once_each() -> None:
    """Requests at the same time get different replies of a list."""
    expected = [f"reply {number}" for number in range(12)]

    async def ask(model: ChatOpenAI) -> List[str]:
        return [str(message.content) for message in await asyncio.gather(*(model.ainvoke("?") for _ in expected))]

    with OpenAIServer(expected) as server:
        assert sorted(asyncio.run(ask(chat(server)))) == sorted(expected)


def test_function_of_the_request() -> None:
    """A reply function sees the request body, and the record keeps it."""

    def reply(body: Dict[str, Any]) -> str:
        return f"{body['messages'][-1]['content']} at {body['temperature']}"

    with OpenAIServer(reply) as server:
        assert chat(server, temperature=0.5).invoke([HumanMessage("Warm")]).content == "Warm at 0.5"
        (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.body["messages"] == [{"role": "user", "content": "Warm"}]
    assert not request.streamed


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Tell me a joke about parrots, please.", "joke about parrots:"),
        ("Write a short poem about 'the sea'!", "poem about the sea:"),
        ("What do you know about Python 3.9?", "answer about Python 3:"),
        ("Tell me a joke", "joke about streams:"),
        ("Why is the sky blue?", "answer about Why is the sky blue:"),
        ([{"type": "text", "text": "a joke about cats"}], "joke about cats:"),
    ],
)
def test_default_reply(content: Any, expected: str) -> None:
    """Without a reply the server answers by the last user message, at a length one can watch."""
    with OpenAIServer(delay=0) as server:
        messages = [HumanMessage("a poem about nothing"), HumanMessage(content)]
        text = str(chat(server).invoke(messages).content)
    assert expected in text
    assert 20 <= len(text.split()) <= 60
