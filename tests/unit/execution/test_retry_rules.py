"""Which errors are worth another attempt by default, and how long the pauses are."""

from __future__ import annotations

from typing import Any, List

import httpx
import pytest
import requests

from streamgraph._execution import retry
from streamgraph._policies import default_retry_on
from streamgraph.errors import GraphRecursionError, InvalidUpdateError, NodeCancelledError, NodeTimeoutError
from streamgraph.graph import StateGraph
from streamgraph.types import RetryPolicy

REQUEST = httpx.Request("GET", "http://localhost")


def of_httpx(status: int) -> Exception:
    """The error of a response with this status."""
    return httpx.HTTPStatusError("no", request=REQUEST, response=httpx.Response(status, request=REQUEST))


def of_requests(status: int) -> Exception:
    """The same, of the other client."""
    response = requests.Response()
    response.status_code = status
    return requests.HTTPError("no", response=response)


WORTH_IT = [
    ConnectionError(),
    ConnectionResetError(),
    BrokenPipeError(),
    AttributeError(),
    AssertionError(),
    MemoryError(),
    EOFError(),
    BufferError(),
    Exception(),
    InvalidUpdateError("no"),
    NodeTimeoutError("work", 1.0, kind="run", run_timeout=1.0),
    NodeCancelledError("no"),
    httpx.ConnectError("no"),
    httpx.ReadTimeout("no"),
    of_httpx(500),
    of_httpx(503),
    of_requests(500),
    requests.ConnectionError("no"),
]

HOPELESS = [
    ValueError(),
    TypeError(),
    ZeroDivisionError(),
    ImportError(),
    KeyError(),
    IndexError(),
    NameError(),
    SyntaxError(),
    RuntimeError(),
    RecursionError(),
    NotImplementedError(),
    GraphRecursionError("no"),
    ReferenceError(),
    StopIteration(),
    StopAsyncIteration(),
    OSError(),
    FileNotFoundError(),
    PermissionError(),
    TimeoutError(),
    of_httpx(302),
    of_httpx(404),
    of_httpx(429),
    of_requests(404),
    of_requests(429),
]


@pytest.mark.parametrize("error", WORTH_IT, ids=repr)
def test_worth_another_attempt(error: Exception) -> None:
    """Connections, servers and what is unknown may do better next time."""
    assert default_retry_on(error) is True


@pytest.mark.parametrize("error", HOPELESS, ids=repr)
def test_hopeless(error: Exception) -> None:
    """A mistake in the code or in the request will not."""
    assert default_retry_on(error) is False


@pytest.mark.parametrize(
    ("policy", "pauses"),
    [
        (RetryPolicy(), [0.5, 1.0, 2.0, 4.0, 8.0]),
        (RetryPolicy(initial_interval=1, backoff_factor=3, max_interval=5), [1, 3, 5, 5, 5]),
        (RetryPolicy(initial_interval=2, backoff_factor=1), [2, 2, 2, 2, 2]),
        (RetryPolicy(initial_interval=9, max_interval=4), [4, 4, 4, 4, 4]),
    ],
)
def test_pauses(policy: RetryPolicy, pauses: List[float]) -> None:
    """Each pause is a multiple of the one before, up to the longest."""
    assert [policy.pause(attempt) for attempt in range(1, 6)] == pauses


def test_jitter() -> None:
    """A random part of a second comes on top, also of the longest pause."""
    policy = RetryPolicy(initial_interval=9, max_interval=4)
    pauses = [retry._pause(policy, 1) for _ in range(200)]
    assert min(pauses) >= 4
    assert max(pauses) <= 5
    assert len(set(pauses)) > 100
    assert retry._pause(policy._replace(jitter=False), 1) == 4


@pytest.mark.parametrize("retry_on", [5, "ValueError", [5], ("ValueError",), int, [ValueError, int]], ids=repr)
def test_what_retry_on_cannot_be(retry_on: Any) -> None:
    """What is no error, no list of them and no function is refused when the node is added, in LangGraph's words."""
    with pytest.raises(TypeError, match="retry_on must be an Exception class"):
        StateGraph(dict).add_node("n", lambda state: None, retry_policy=RetryPolicy(retry_on=retry_on))


@pytest.mark.parametrize("retry_on", [ValueError, [ValueError], (), {KeyError}, callable], ids=repr)
def test_what_retry_on_can_be(retry_on: Any) -> None:
    """Errors, none of them, and functions."""
    StateGraph(dict).add_node("n", lambda state: None, retry_policy=RetryPolicy(retry_on=retry_on))
