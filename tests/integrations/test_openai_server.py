"""The loopback server, seen through a real ChatOpenAI over HTTP, and over raw HTTP where that shows more."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
from typing import Any, Dict, Iterator, List, Optional, Tuple

import openai
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_openai import ChatOpenAI

from streamgraph.testing import OpenAIServer, Reply, Request, ToolCall

PATIENCE = 20  # seconds until a wait that should end at once counts as failed


def chat(server: OpenAIServer, **kwargs: Any) -> ChatOpenAI:
    kwargs.setdefault("max_retries", 0)
    return ChatOpenAI(model="gpt-4o-mini", base_url=server.base_url, api_key="none", **kwargs)


def call(server: OpenAIServer, method: str, path: str, body: object = None) -> Tuple[int, Dict[str, str], bytes]:
    """One request over raw HTTP; a body that is not bytes is sent as JSON."""
    connection = http.client.HTTPConnection(server.base_url[len("http://") : -len("/v1")], timeout=PATIENCE)
    with contextlib.closing(connection):
        content = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection.request(
            method, path, content, {"Content-Type": "application/json", "Authorization": "Bearer secret"}
        )
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def post(server: OpenAIServer, **body: Any) -> Tuple[int, Dict[str, Any]]:
    status, _, content = call(server, "POST", "/v1/chat/completions", question(**body))
    return status, json.loads(content)


def stream_events(server: OpenAIServer, **body: Any) -> List[Dict[str, Any]]:
    """The chunks of a stream over raw HTTP; checks its framing on the way."""
    status, headers, content = call(server, "POST", "/v1/chat/completions", question(stream=True, **body))
    assert (status, headers["transfer-encoding"]) == (200, "chunked")
    assert headers["content-type"].startswith("text/event-stream")
    *events, done, rest = content.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    assert all(event.startswith("data: ") for event in events)
    return [json.loads(event[len("data: ") :]) for event in events]


def question(**body: Any) -> Dict[str, Any]:
    return {"model": "any-model", "messages": [{"role": "user", "content": "How are you"}], **body}


class Gate:
    """An `on_chunk` which lets a chunk pass for each permit."""

    def __init__(self, permits: int = 0) -> None:
        self._permits = threading.Semaphore(permits)
        self.seen: List[int] = []

    def __call__(self, request: Request, index: int) -> None:
        self.seen.append(index)
        assert self._permits.acquire(timeout=PATIENCE)

    def release(self, count: int = 1) -> None:
        for _ in range(count):
            self._permits.release()


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Fail any test after which a thread of a server is still there."""
    before = set(threading.enumerate())
    yield
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    assert [name for name in left if name.startswith("streamgraph-testing")] == []


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


# Pace, interruptions and the end


def test_the_gate_keeps_step_with_the_consumer() -> None:
    """With a gate in `on_chunk` the server makes a token only when the consumer has the one before."""
    words = [f" {number}" for number in range(6)]
    log: List[Tuple[str, int]] = []
    gate = Gate(permits=1)

    def on_chunk(request: Request, index: int) -> None:
        gate(request, index)
        log.append(("made", index))

    with OpenAIServer(Reply(chunks=words), delay=0, on_chunk=on_chunk) as server:
        for index, chunk in enumerate(chunk for chunk in chat(server).stream("Count") if chunk.content):
            assert chunk.content == words[index]
            log.append(("got", index))
            gate.release()
    assert log[: 2 * len(words)] == [(what, index) for index in range(len(words)) for what in ("made", "got")]


def test_a_consumer_that_stops_is_noticed() -> None:
    """The next write after the client left ends the answer, and the record says so."""
    gate = Gate(permits=3)
    with OpenAIServer("one two three four five six seven eight", delay=0, on_chunk=gate) as server:
        stream = chat(server).stream("Count")
        assert [next(stream).content for _ in range(3)] == ["one", " two", " three"]
        (request,) = server.requests
        assert (request.streamed, request.disconnected) == (True, False)
        stream.close()  # type: ignore[attr-defined]
        gate.release(100)
        assert request.wait(PATIENCE)
        assert (request.disconnected, request.chunks_sent) == (True, 3)


def test_an_async_consumer_that_stops_is_noticed() -> None:
    """A cancelled asynchronous consumer is noticed in the same way."""
    gate = Gate(permits=3)

    async def three(model: ChatOpenAI) -> List[str]:
        texts: List[str] = []
        ready = asyncio.Event()

        async def consume() -> None:
            async for chunk in model.astream("Count"):
                texts.append(str(chunk.content))
                if len(texts) == 3:
                    ready.set()

        task = asyncio.ensure_future(consume())
        await asyncio.wait_for(ready.wait(), PATIENCE)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return texts

    with OpenAIServer("one two three four five six seven eight", delay=0, on_chunk=gate) as server:
        assert asyncio.run(three(chat(server))) == ["one", " two", " three"]
        gate.release(100)
        (request,) = server.requests
        assert request.wait(PATIENCE)
        assert (request.disconnected, request.chunks_sent) == (True, 3)


def test_a_client_that_leaves_before_the_answer_is_noticed() -> None:
    """Leaving before an answer without streaming is recorded as well."""
    waiting, gate = threading.Event(), Gate()

    def on_chunk(request: Request, index: int) -> None:
        waiting.set()
        gate(request, index)

    with OpenAIServer("never read", on_chunk=on_chunk) as server:
        connection = http.client.HTTPConnection(server.base_url[len("http://") : -len("/v1")])
        connection.request("POST", "/v1/chat/completions", json.dumps(question()))
        assert waiting.wait(PATIENCE)
        connection.close()
        gate.release()
        (request,) = server.requests
        assert request.wait(PATIENCE)
        assert (request.disconnected, request.chunks_sent) == (True, 0)


@pytest.mark.parametrize("count", [0, 2, 99])
def test_a_dropped_stream(count: int) -> None:
    """The connection drops after the given number of chunks, and the client has what came before."""
    texts: List[str] = []
    with OpenAIServer(Reply("one two three", fail_after=count), delay=0) as server:
        with pytest.raises(Exception, match="incomplete chunked read|Connection error"):
            texts.extend(str(chunk.content) for chunk in chat(server).stream("Count"))
        (request,) = server.requests
        assert request.wait(PATIENCE)
        assert request.chunks_sent == min(count, 4)  # three words and the finish reason
        assert not request.disconnected
    assert [text for text in texts if text] == ["one", " two", " three"][:count]


def test_a_dropped_invoke() -> None:
    """Without streaming the client gets no answer at all."""
    with OpenAIServer(Reply("one two three", fail_after=1)) as server, pytest.raises(openai.APIConnectionError):
        chat(server).invoke("Count")


def test_closing_drops_the_answers_being_written() -> None:
    """Closing the server ends a stream for its client at once, however long the delay."""
    with OpenAIServer("one two three", delay=3600) as server:
        stream = chat(server).stream("Count")
        assert next(stream).content == "one"
        (request,) = server.requests
        server.close()
        assert request.wait(0)
        with pytest.raises(Exception, match="incomplete chunked read|Connection error"):
            list(stream)
    assert (request.chunks_sent, request.disconnected) == (1, False)


def test_closing_ends_idle_connections() -> None:
    """A client that connects and says nothing does not hold the server."""
    with OpenAIServer() as server:
        address = server.base_url[len("http://") : -len("/v1")].split(":")
        with socket.create_connection((address[0], int(address[1])), timeout=PATIENCE) as idle:
            call(server, "GET", "/v1/models")  # so that the connection before it has been accepted
            server.close()
            assert idle.recv(1) == b""


def test_closing_says_what_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that never returns makes `close` say so instead of waiting for ever."""
    monkeypatch.setattr("streamgraph.testing._server._CLOSE_SECONDS", 0.01)
    gate = Gate()
    outcome: List[object] = []

    def ask(model: ChatOpenAI) -> None:
        try:
            outcome.append(model.invoke("?"))
        except openai.APIConnectionError as error:
            outcome.append(error)

    started = threading.Event()

    def on_chunk(request: Request, index: int) -> None:
        started.set()
        gate(request, index)

    server = OpenAIServer("held", on_chunk=on_chunk).start()
    client = threading.Thread(target=ask, args=(chat(server),))
    client.start()
    assert started.wait(PATIENCE)
    held = [thread for thread in threading.enumerate() if thread.name == "streamgraph-testing-connection"]
    with pytest.raises(RuntimeError, match="on_chunk function still has not returned"):
        server.close()
    gate.release()
    for thread in (client, *held):
        thread.join(PATIENCE)
    assert [isinstance(made, openai.APIConnectionError) for made in outcome] == [True]


def test_start_and_close_can_be_repeated() -> None:
    """Starting a running server and closing a stopped one do nothing; a stopped one can start again."""
    server = OpenAIServer("again", delay=0)
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.base_url
    server.close()
    for _ in range(2):
        assert server.start().start() is server
        assert chat(server).invoke("?").content == "again"
        server.close()
        server.close()
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.base_url
    assert len(server.requests) == 2


def test_many_streams_at_once() -> None:
    """Streams at the same time do not mix."""

    async def ask(model: ChatOpenAI, number: int) -> str:
        return "".join([str(chunk.content) async for chunk in model.astream(f"about {number}")])

    async def ask_all(model: ChatOpenAI) -> List[str]:
        return list(await asyncio.gather(*(ask(model, number) for number in range(40))))

    with OpenAIServer(lambda body: f"you said {body['messages'][0]['content']}", delay=0.001) as server:
        assert asyncio.run(ask_all(chat(server))) == [f"you said about {number}" for number in range(40)]
        assert [request.chunks_sent for request in server.requests] == [5] * 40


def test_nothing_is_written_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither requests nor broken ones are logged."""
    with OpenAIServer(Reply("one two", fail_after=1), delay=0) as server:
        call(server, "GET", "/v1/models")
        call(server, "BREW", "/coffee")
        with pytest.raises(http.client.IncompleteRead):
            call(server, "POST", "/v1/chat/completions", question(stream=True))
        address = server.base_url[len("http://") : -len("/v1")].split(":")
        with socket.create_connection((address[0], int(address[1])), timeout=PATIENCE) as connection:
            connection.sendall(b"this is not HTTP\r\n\r\n")
            assert b"Bad request" in connection.recv(1000)
    assert capfd.readouterr() == ("", "")


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
    [("POST", "/v1/responses"), ("GET", "/v1/chat/completions"), ("GET", "/"), ("DELETE", "/v1/models")],
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


# Mistakes in what the server is given


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (lambda body: 42, "The reply function returned int; expected a str or a streamgraph.testing.Reply"),
        (lambda body: None, "The reply function returned NoneType"),
        (lambda body: body["nothing"], "The reply function raised KeyError: 'nothing'"),
        (lambda body: ToolCall("now", {"then": object()}), "cannot be written as JSON"),
    ],
)
def test_wrong_reply_function(wrong: Any, expected: str) -> None:
    """A reply function that fails is a 500 which names the mistake, and OpenAI's client does not repeat it."""
    with OpenAIServer(wrong) as server:
        with pytest.raises(openai.InternalServerError) as caught:
            chat(server, max_retries=2).invoke("?")
        assert expected in str(caught.value)
        assert len(server.requests) == 1


@pytest.mark.parametrize("streaming", [False, True])
def test_wrong_on_chunk_function(streaming: bool) -> None:
    """An `on_chunk` function that fails reaches the client, in the stream when one has begun."""

    def on_chunk(request: Request, index: int) -> None:
        if index == (1 if streaming else 0):
            raise ValueError("no more")

    with OpenAIServer("one two three", delay=0, on_chunk=on_chunk) as server:
        model = chat(server)
        with pytest.raises(openai.APIError, match="The on_chunk function raised ValueError: no more"):
            list(model.stream("?")) if streaming else model.invoke("?")


@pytest.mark.parametrize(
    ("wrong", "error", "expected"),
    [
        (42, TypeError, "not int"),
        ([], ValueError, "empty list"),
        (["one", 2], TypeError, r"reply\[1\] is int"),
    ],
)
def test_wrong_reply(wrong: Any, error: type, expected: str) -> None:
    """A reply of a wrong type fails where the server is made."""
    with pytest.raises(error, match=expected):
        OpenAIServer(wrong)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"text": "one two", "chunks": ["one", "two"]}, "chunks join to 'onetwo'"),
        ({"delay": -1}, "delay must be 0 or more"),
        ({"fail_after": -1}, "fail_after must be 0 or more"),
        ({"error": (200, "fine")}, "from 400 to 599"),
    ],
)
def test_wrong_reply_values(arguments: Dict[str, Any], expected: str) -> None:
    """A reply that cannot be right fails where it is made."""
    with pytest.raises(ValueError, match=expected):
        Reply(**arguments)


def test_wrong_delay() -> None:
    """A negative delay fails where the server is made."""
    with pytest.raises(ValueError, match="delay must be 0 or more"):
        OpenAIServer(delay=-0.1)


@pytest.mark.parametrize(("own", "expected"), [(None, [0.5, 0.5]), (0.25, [0.25, 0.25])])
def test_delay_lies_between_chunks(
    own: Optional[float], expected: List[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The delay of the reply, else the server's, lies before each chunk but the first."""
    waited: List[float] = []

    class Closing(threading.Event):
        def wait(self, timeout: Optional[float] = None) -> bool:
            waited.append(timeout or 0)
            return self.is_set()

    with OpenAIServer(Reply("one two", delay=own), delay=0.5) as server:
        assert server._running is not None
        monkeypatch.setattr(server._running._service, "closing", Closing())
        stream_events(server)
    assert waited == expected
