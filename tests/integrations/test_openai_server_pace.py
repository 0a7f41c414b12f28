"""The pace of the loopback server: gates, clients that leave, dropped connections, and its own end."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import threading
from typing import List, Tuple

import openai
import pytest
from langchain_openai import ChatOpenAI

from streamgraph_integrations.openai_server import OpenAIServer, Reply, Request
from support.openai_clients import PATIENCE, Gate, call, chat, question
from support.openai_clients import no_thread_is_left as no_thread_is_left

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
    monkeypatch.setattr("streamgraph_integrations.openai_server._server._CLOSE_SECONDS", 0.01)
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
