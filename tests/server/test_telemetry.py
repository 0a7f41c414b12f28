"""OpenTelemetry at the server: runs are in the trace of who has asked for them, and are counted."""

from __future__ import annotations

from typing import Any, Callable, Iterator

import pytest
from opentelemetry import trace

from server.graphs import HI, speaking
from server.loopback import Loopback
from streamgraph.testing import Gate
from support.telemetry import Reported, reported
from support.waiting import eventually

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
HEADERS = {"traceparent": f"00-{TRACE_ID}-{PARENT}-01"}
ASKED = {"assistant_id": "speaking", "input": HI}


@pytest.fixture
def otel() -> Iterator[Reported]:
    """What is reported to OpenTelemetry in the test."""
    with reported() as made:
        yield made


def the_run(otel: Reported) -> Any:
    """The span of the only run, once it has ended."""
    eventually(lambda: any(span.name.startswith("invoke_agent") for span in otel.spans))
    return otel.span("invoke_agent speaking")


REQUESTS = {
    "langgraph": ("/runs/wait", ASKED),
    "langgraph stream": ("/runs/stream", ASKED),
    "openai": ("/v1/chat/completions", {"model": "speaking", "messages": HI["messages"]}),
    "responses": ("/v1/responses", {"model": "speaking", "input": "hi", "background": True}),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_run_is_in_the_trace_of_its_request(kind: str, serving: Callable[..., Loopback], otel: Reported) -> None:
    """As `traceparent` says, whatever the protocol; the run is called as it is served."""
    server = serving({"speaking": speaking()})
    path, body = REQUESTS[kind]
    assert server.post(path, body, headers=HEADERS).status_code == 200

    span = the_run(otel)
    assert f"{span.context.trace_id:032x}" == TRACE_ID
    assert f"{span.parent.span_id:016x}" == PARENT
    assert span.parent.is_remote
    assert otel.about("invoke_agent speaking")["gen_ai.agent.name"] == "speaking"
    assert otel.children("node say") == ["chat"]


def test_a_run_of_a_thread_is_a_conversation(serving: Callable[..., Loopback], otel: Reported) -> None:
    """Its id is that of the thread, and the id of the run is that which clients know."""
    server = serving({"speaking": speaking()})
    thread = server.post("/threads", {}).json()["thread_id"]
    run = server.post(f"/threads/{thread}/runs", ASKED).json()["run_id"]

    about = dict(the_run(otel).attributes)
    assert about["gen_ai.conversation.id"] == thread
    assert about["streamgraph.run.id"] == run


@pytest.mark.parametrize("header", ["nonsense", "00-0-0-00", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_a_wrong_traceparent_begins_a_new_trace(header: str, serving: Callable[..., Loopback], otel: Reported) -> None:
    """It is not worth an error, as its specification says."""
    server = serving({"speaking": speaking()})
    assert server.post("/runs/wait", ASKED, headers={"traceparent": header}).status_code == 200
    assert the_run(otel).parent is None


def test_a_span_around_the_application_comes_first(serving: Callable[..., Loopback], otel: Reported) -> None:
    """An instrumentation of the application has read the headers before, and its span is between."""
    from streamgraph_server import serve

    app = serve({"speaking": speaking()})

    async def instrumented(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        with trace.get_tracer("asgi").start_as_current_span("request"):
            await app(scope, receive, send)

    instrumented.state = app.state  # type: ignore[attr-defined]
    server = serving.app(instrumented)  # type: ignore[attr-defined]
    server.post("/runs/wait", ASKED, headers=HEADERS)

    eventually(lambda: any(span.name == "request" for span in otel.spans))
    assert otel.children("request") == ["invoke_agent speaking"]


def test_runs_that_wait_and_go_on_and_their_readers_are_counted(
    serving: Callable[..., Loopback], otel: Reported
) -> None:
    """One run of a thread goes on, two wait for it, and nobody or somebody reads."""
    gate = Gate()
    server = serving({"speaking": speaking(gate=gate)})
    thread = server.post("/threads", {}).json()["thread_id"]
    for _ in range(3):
        server.post(f"/threads/{thread}/runs", {**ASKED, "multitask_strategy": "enqueue"})

    name = "streamgraph.server.runs"
    eventually(lambda: otel.total("streamgraph.run.active") == 1)
    assert otel.total(name, streamgraph__run__state="running") == 1
    assert otel.total(name, streamgraph__run__state="queued") == 2
    assert otel.total("streamgraph.server.readers") == 0
    gate.open_all()
    eventually(lambda: otel.total(name) == 0)
    eventually(lambda: otel.total("streamgraph.run.active") == 0)
    assert otel.total("gen_ai.invoke_agent.duration") == 3


def test_without_a_provider_the_server_counts_nothing(serving: Callable[..., Loopback]) -> None:
    """And a request with a trace is answered as any other."""
    server = serving({"speaking": speaking()})
    assert server.post("/runs/wait", ASKED, headers=HEADERS).status_code == 200
