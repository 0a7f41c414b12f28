"""The callback handler that reports calls."""

from __future__ import annotations

import gc
from contextvars import copy_context
from typing import Any
from uuid import uuid4
from weakref import ref

from langchain_core.outputs import LLMResult
from opentelemetry.sdk.trace import SpanProcessor

from streamgraph._telemetry.calls import CallHandler
from streamgraph._telemetry.instruments import open_telemetry
from streamgraph._telemetry.runs import RunRecord
from streamgraph._telemetry.spans import outcome_of
from support.telemetry import Reported


def record(otel: Reported) -> RunRecord:
    """A run that has begun."""
    telemetry = open_telemetry(otel.tracers, otel.meters)
    assert telemetry is not None
    made = RunRecord(telemetry, "g", (), {}, None, None, outcome_of)
    made.begin()
    return made


def test_a_call_that_is_reported_twice_has_one_span_and_nothing_of_it_is_kept() -> None:
    """Managers of callbacks can have a handler twice, when they are merged; the handler outlives all runs."""
    otel, handler, begun = Reported(), CallHandler(), []

    class Starts(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            begun.append(span.name)

    otel.tracers.add_span_processor(Starts())
    run = record(otel)

    def called(run: RunRecord) -> None:
        run.enter()
        run_id = uuid4()
        handler.on_chat_model_start({}, [[]], run_id=run_id)
        handler.on_chat_model_start({}, [[]], run_id=run_id)
        token: Any = handler.on_llm_new_token
        token("a", run_id=run_id)
        handler.on_llm_end(LLMResult(generations=[[]]), run_id=run_id)
        token("b", run_id=run_id)

    copy_context().run(called, run)
    run.end("done", None)
    assert otel.tree() == {"invoke_agent g": {"chat": {}}}
    assert begun == ["invoke_agent g", "chat"]

    gone = ref(run)
    del run
    gc.collect()
    assert gone() is None


def test_calls_outside_of_any_run_are_not_reported() -> None:
    """And neither is the end of a call whose start was not."""
    otel, handler = Reported(), CallHandler()
    for start in (handler.on_chat_model_start, handler.on_llm_start):
        start({}, [], run_id=uuid4())
    handler.on_tool_start({}, "", run_id=uuid4())
    handler.on_retriever_start({}, "", run_id=uuid4())
    handler.on_llm_end(LLMResult(generations=[[]]), run_id=uuid4())
    handler.on_tool_end("", run_id=uuid4())
    handler.on_retriever_end([], run_id=uuid4())
    for error in (handler.on_llm_error, handler.on_tool_error, handler.on_retriever_error):
        error(ValueError(), run_id=uuid4())
    assert otel.spans == []
    assert handler.ignore_chain
