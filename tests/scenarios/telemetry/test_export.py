"""From a run to a collector: OTLP over HTTP, as programs export it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from langchain_core.messages import AIMessage
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.testing import ScriptedModel
from support.telemetry import reported


@pytest.fixture
def collector() -> Iterator[Tuple[str, Dict[str, List[bytes]]]]:
    """The address of a collector on this machine, and the bodies that it gets, by path."""
    bodies: Dict[str, List[bytes]] = {}

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            bodies.setdefault(self.path, []).append(body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, name="test-collector")
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", bodies
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_collector_gets_the_spans_and_the_numbers(collector: Tuple[str, Dict[str, List[bytes]]]) -> None:
    """Nothing of a span or a metric is refused on its way, and the tree is whole."""
    address, bodies = collector
    resource = Resource({"service.name": "shop"})
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(f"{address}/v1/traces"), schedule_delay_millis=600_000)
    )
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{address}/v1/metrics"), 600_000)
    meters = MeterProvider([reader], resource=resource)
    usage: Any = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    model = ScriptedModel([AIMessage("hi", usage_metadata=usage)])
    say = StateGraph(MessagesState).add_node("say", lambda state: {"messages": [model.invoke("hi")]})
    graph = say.add_edge(START, "say").compile(name="greeter")

    with reported(tracers, meters):
        graph.invoke({"messages": "hi"}, {"configurable": {"thread_id": "t1"}})
        tracers.shutdown()
        meters.shutdown()

    (body,) = bodies["/v1/traces"]
    (resources,) = ExportTraceServiceRequest.FromString(body).resource_spans
    (scope,) = resources.scope_spans
    assert scope.scope.name == "streamgraph"
    spans = {span.name: span for span in scope.spans}
    assert spans["chat"].parent_span_id == spans["node say"].span_id
    assert spans["node say"].parent_span_id == spans["invoke_agent greeter"].span_id
    found = {attribute.key: attribute.value for attribute in spans["chat"].attributes}
    assert found["gen_ai.usage.output_tokens"].int_value == 4
    assert found["gen_ai.conversation.id"].string_value == "t1"
    (body,) = bodies["/v1/metrics"]
    (metrics,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    names = {metric.name for scope_metrics in metrics.scope_metrics for metric in scope_metrics.metrics}
    assert {"gen_ai.client.token.usage", "gen_ai.invoke_agent.duration", "streamgraph.stream.waiting"} <= names
