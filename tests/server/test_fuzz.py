"""Whatever the server is sent, it does what its description says: fuzzed by schemathesis."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, Callable, List

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from langgraph.store.memory import InMemoryStore

from server.graphs import asking, speaking
from server.loopback import Loopback
from support.waiting import PATIENCE

schemathesis = pytest.importorskip("schemathesis")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")
not_a_server_error = schemathesis.checks.not_a_server_error

Serving = Callable[..., Loopback]

EXAMPLES = int(os.environ.get("STREAMGRAPH_FUZZ_EXAMPLES", "2"))
"""Requests of each kind for each operation. To look longer: 200."""


def operations(server: Loopback) -> List[Any]:
    """What schemathesis has read of the description."""
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    return [found.ok() for found in schema.get_all_operations()]


CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
"""That every request that fits the description is taken is not among them: no type says which nodes a graph has."""

IDS = {
    "thread_id": ["t", "none", "a b"],
    "run_id": ["none"],
    "assistant_id": ["agent", "asking", "none"],
    "graph": ["agent", "asking", "none"],
    "chat_id": ["t", "none"],
    "model": ["agent", "none"],
}
KEYS = [
    "messages", "role", "type", "content", "text", "parts", "id", "toolCallId", "toolCalls", "interruptId", "value",
    "checkpoint_id", "thread_id", "user_id",
]  # fmt: skip
WORDS = ["user", "assistant", "tool", "message", "text", "agent", "t", ""]
LEAVES = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.sampled_from(WORDS) | st.text(max_size=8)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)
"""What graphs and messages are made of, where the description only says that it is JSON."""

NAMES = {"assistant_id": ["agent", "asking"], "model": ["agent", "asking"], "if_not_exists": ["create"]}


@pytest.mark.slow
@pytest.mark.timeout(0 if EXAMPLES > 20 else 300)
def test_no_request_breaks_the_server(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    server = serving({"agent": speaking(), "asking": asking()}, heartbeat=0.2, max_runs=20, store=InMemoryStore())
    for described in operations(server):
        modes = [schemathesis.GenerationMode.POSITIVE]
        if len(described.query) or len(described.body):
            # Any text can be in a path: some versions look for a wrong one without end.
            modes.append(schemathesis.GenerationMode.NEGATIVE)
        for mode in modes:

            @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
            @given(described.as_strategy(generation_mode=mode), st.data())
            def ask(case: Any, data: Any) -> None:
                aimed(case, data, mode)
                case.call_and_validate(timeout=PATIENCE, checks=CHECKS)

            with suppress(Unsatisfiable):  # without parameters and a body, nothing can be wrong
                ask()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def aimed(case: Any, data: Any, mode: Any) -> None:
    """Let most requests name what exists, so that they get further than that it does not."""
    if data.draw(st.integers(0, 3)) == 0:
        return
    for name, known in IDS.items():
        if name in (case.path_parameters or {}):
            case.path_parameters[name] = data.draw(st.sampled_from(known))
    if isinstance(case.body, dict) and mode is schemathesis.GenerationMode.POSITIVE:
        for name, known in NAMES.items():
            if name in case.body:
                case.body[name] = data.draw(st.sampled_from(known))
        for name in ("input", "messages", "values", "metadata"):
            if name in case.body and data.draw(st.booleans()):
                drawn = data.draw(VALUES)
                if type(drawn) is type(case.body[name]):
                    case.body[name] = drawn
