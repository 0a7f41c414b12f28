"""What the loopback server puts on the wire."""

from __future__ import annotations

import json

import pytest

from streamgraph_integrations.openai_server import OpenAIServer, Reply, ToolCall
from support.openai_clients import PATIENCE, call, post, stream_events
from support.openai_clients import no_thread_is_left as no_thread_is_left

# On the wire


def test_stream_on_the_wire() -> None:
    """All chunks of a stream share id, model and time; the first carries the role and the last the finish reason."""
    with OpenAIServer("one two", delay=0) as server:
        events = stream_events(server)
    assert {(event["object"], event["model"]) for event in events} == {("chat.completion.chunk", "any-model")}
    assert len({(event["id"], event["created"], event["system_fingerprint"]) for event in events}) == 1
    assert events[0]["id"].startswith("chatcmpl-")
    assert [event["choices"][0]["delta"] for event in events] == [
        {"role": "assistant", "content": "one"},
        {"content": " two"},
        {},
    ]
    assert [event["choices"][0]["finish_reason"] for event in events] == [None, None, "stop"]
    assert not any("usage" in event for event in events)


def test_usage_on_the_wire() -> None:
    """With `include_usage` the last chunk has the usage and no choices, and all others have null."""
    with OpenAIServer("one two", delay=0) as server:
        *events, last = stream_events(server, stream_options={"include_usage": True})
    assert [event["usage"] for event in events] == [None] * 3
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def test_tool_calls_on_the_wire() -> None:
    """A call starts with id, name and empty arguments, and goes on with pieces of them under its index."""
    calls = [ToolCall("add", {"first": 1, "second": 2}, id="call_1"), ToolCall("now", id="call_2")]
    with OpenAIServer(Reply(tool_calls=calls), delay=0) as server:
        *events, last = stream_events(server)
    deltas = [event["choices"][0]["delta"] for event in events]
    assert (deltas[0]["role"], deltas[0]["content"]) == ("assistant", None)
    made = [delta["tool_calls"][0] for delta in deltas]
    add, now = ([piece for piece in made if piece["index"] == index] for index in (0, 1))
    function = {"name": "add", "arguments": ""}
    assert add[0] == {"index": 0, "id": "call_1", "type": "function", "function": function}
    assert [set(piece) for piece in add[1:]] == [{"index", "function"}] * len(add[1:])
    assert json.loads("".join(piece["function"]["arguments"] for piece in add)) == {"first": 1, "second": 2}
    assert [piece["function"]["arguments"] for piece in now] == ["", "{}"]
    assert last["choices"][0]["finish_reason"] == "tool_calls"


def test_reasoning_on_the_wire() -> None:
    """Reasoning comes before the text in a field of its own, streamed and not."""
    with OpenAIServer(Reply("Yes.", reasoning="Let me think"), delay=0) as server:
        deltas = [event["choices"][0]["delta"] for event in stream_events(server)]
        _, whole = post(server)
    assert deltas == [
        {"role": "assistant", "reasoning_content": "Let"},
        {"reasoning_content": " me"},
        {"reasoning_content": " think"},
        {"content": "Yes."},
        {},
    ]
    assert whole["choices"][0]["message"]["reasoning_content"] == "Let me think"
    assert whole["choices"][0]["message"]["content"] == "Yes."
    assert whole["usage"]["completion_tokens_details"] == {"reasoning_tokens": 3}


def test_completion_on_the_wire() -> None:
    """An answer without streaming is a `chat.completion` with usage."""
    with OpenAIServer("Fine.") as server:
        status, answer = post(server)
        (request,) = server.requests
        assert request.wait(PATIENCE)
    assert (status, answer["object"], answer["model"]) == (200, "chat.completion", "any-model")
    message = {"role": "assistant", "content": "Fine.", "refusal": None}
    assert answer["choices"] == [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}]
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    assert (request.status, request.chunks_sent, request.streamed) == (200, 1, False)


def test_empty_reply_on_the_wire() -> None:
    """An empty reply is still a message of the assistant."""
    with OpenAIServer("", delay=0) as server:
        deltas = [event["choices"][0]["delta"] for event in stream_events(server)]
        _, whole = post(server)
    assert deltas == [{"role": "assistant", "content": ""}, {}]
    assert whole["choices"][0]["message"]["content"] == ""


def test_models_on_the_wire() -> None:
    """The list of models has OpenAI's shape."""
    with OpenAIServer() as server:
        status, _, content = call(server, "GET", "/v1/models")
    listed = json.loads(content)
    assert (status, listed["object"]) == (200, "list")
    assert "gpt-4o-mini" in [model["id"] for model in listed["data"]]
    assert {model["object"] for model in listed["data"]} == {"model"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/embeddings"), ("GET", "/v1/responses"), ("GET", "/"), ("DELETE", "/v1/models")],
)
def test_other_paths_are_not_found(method: str, path: str) -> None:
    """Anything the server does not have is a 404 in OpenAI's error shape that says what it has."""
    with OpenAIServer() as server:
        status, headers, content = call(server, method, path, {} if method == "POST" else None)
    problem = json.loads(content)["error"]
    assert (status, headers["content-type"]) == (404, "application/json")
    assert set(problem) == {"message", "type", "param", "code"}
    assert f"{method} {path}" in problem["message"]
    assert "POST /v1/chat/completions" in problem["message"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{'model'", "not valid JSON"),
        (b"", "not valid JSON"),
        (b"\xff\xfe{", "not valid JSON"),
        ([], "must be a JSON object, not list"),
        ({"messages": []}, "model"),
        ({"model": "m"}, "'messages'"),
    ],
)
def test_bad_requests(body: object, expected: str) -> None:
    """A request that OpenAI would refuse is a 400 that says why."""
    with OpenAIServer() as server:
        status, _, content = call(server, "POST", "/v1/chat/completions", body)
    problem = json.loads(content)["error"]
    assert (status, problem["type"]) == (400, "invalid_request_error")
    assert expected in problem["message"]


def test_secrets_are_not_recorded() -> None:
    """The record has the headers in lower case, and not the one with the key."""
    with OpenAIServer() as server:
        call(server, "GET", "/v1/models?limit=1")
        (request,) = server.requests
    assert request.path == "/v1/models?limit=1"
    assert request.headers["content-type"] == "application/json"
    assert "secret" not in repr(request)
