"""Mistakes in what the loopback server is given."""

from __future__ import annotations

import threading
from typing import Any, Dict, List, Optional

import openai
import pytest

from streamgraph_integrations.openai_server import OpenAIServer, Reply, Request, ToolCall
from support.openai_clients import chat, stream_events
from support.openai_clients import no_thread_is_left as no_thread_is_left

# Mistakes in what the server is given


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (
            lambda body: 42,
            "The reply function returned int; expected a str or a Reply",
        ),
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
