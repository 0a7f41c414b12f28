"""Whatever a body, a path or a query holds, the answer is no failure of the server."""

from __future__ import annotations

from typing import Any, Callable, List

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from server.graphs import asking, speaking
from server.loopback import Loopback

KEYS = [
    "assistant_id", "input", "command", "config", "context", "metadata", "stream_mode", "stream_subgraphs",
    "checkpoint", "checkpoint_id", "interrupt_before", "multitask_strategy", "if_not_exists", "on_disconnect",
    "durability", "values", "as_node", "limit", "offset", "before", "namespace", "key", "prefix", "thread_id", "status",
    "ids", "run_ids", "id", "messages", "trigger", "resume", "threadId", "runId", "state", "model", "stream",
    "previous_response_id", "instructions", "background", "namespace_prefix", "value", "filter", "xray", "role",
    "content", "parts", "type", "text", "toolCallId", "toolCalls", "interruptId", "configurable", "tags", "goto",
]  # fmt: skip
WORDS = [
    "agent",
    "asking",
    "t",
    "create",
    "updates",
    "messages",
    "user",
    "assistant",
    "tool",
    "message",
    "0-0",
    "",
    "*",
]
LEAVES = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.sampled_from(WORDS) | st.text(max_size=8)
VALUES = st.recursive(
    LEAVES | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)
BODIES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5)
USUAL = {"assistant_id": "agent", "model": "agent", "if_not_exists": "create", "on_disconnect": "cancel"}


def paths(server: Loopback) -> List[Any]:
    """All paths with their methods."""
    return [
        (route.path, method)
        for route in server.app.routes
        if isinstance(route, Route)
        for method in sorted(route.methods or ())
        if method != "HEAD"
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_request_breaks_the_server(serving: Callable[..., Loopback], caplog: pytest.LogCaptureFixture) -> None:
    server = serving({"agent": speaking(), "asking": asking()}, heartbeat=0.2)
    known = paths(server)
    assert len(known) > 50

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.sampled_from(known), BODIES, st.booleans(), st.data())
    def ask(place: Any, body: Any, usual: bool, data: Any) -> None:
        path, method = place
        for name in (
            "thread_id",
            "run_id",
            "assistant_id",
            "graph",
            "chat_id",
            "checkpoint_id",
            "model",
            "response_id",
        ):
            part = data.draw(st.sampled_from(["t", "agent", "asking", "none", "%00", "%F0%9F%98%80"]))
            path = path.replace(f"{{{name}}}", part)
        sent = None if method == "GET" else {**body, **(USUAL if usual else {})}
        query = (
            {key: value for key, value in body.items() if isinstance(value, (str, int))} if method == "GET" else None
        )
        answer = server._client.request(method, path.replace("{namespace}", "a"), json=sent, params=query)
        assert answer.status_code < 500 or "error" in answer.json(), (method, path, body, answer.text)

    ask()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
