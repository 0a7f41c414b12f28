"""Spans in the context, and how something has ended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry.context import attach, detach, get_current
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import StatusCode, get_current_span, set_span_in_context

from streamgraph._telemetry.spans import ScopedSpan, enter, error_type, leave, outcome_of
from streamgraph.errors import GraphDrained, GraphInterrupt, StreamClosed

TRACER = TracerProvider().get_tracer("test")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "done"),
        (ValueError(), "failed"),
        (TimeoutError(), "failed"),
        (GraphInterrupt(()), "interrupted"),
        (GraphDrained("shutdown"), "interrupted"),
        (asyncio.CancelledError(), "cancelled"),
        (GeneratorExit(), "cancelled"),
        (KeyboardInterrupt(), "cancelled"),
        (StreamClosed(), "cancelled"),
    ],
)
def test_outcomes(error: Any, outcome: str) -> None:
    assert outcome_of(error) == outcome


def test_types_of_errors_have_their_modules() -> None:
    assert error_type(ValueError()) == "ValueError"
    assert error_type(StreamClosed()) == "streamgraph.errors.StreamClosed"


def changed_in_all_ways(span: Any, other: Any) -> None:
    """Use a span in all ways."""
    span.set_attribute("a", 1)
    span.set_attributes({"b": 2})
    span.add_event("happened", {"c": 3})
    span.add_link(other.get_span_context())
    span.record_exception(ValueError("no"))
    span.set_status(StatusCode.ERROR, "no")
    span.update_name("renamed")


def test_a_scoped_span_is_that_of_its_call_and_then_the_one_around() -> None:
    """Whoever still has it as the current span after the call reports to the span around."""
    around, inner = TRACER.start_span("around"), TRACER.start_span("inner")
    scoped = ScopedSpan(inner, around)
    for now in (inner, around):
        assert scoped.get_span_context() == now.get_span_context()
        assert scoped.is_recording()
        changed_in_all_ways(scoped, inner)
        assert now.name == "renamed"  # type: ignore[attr-defined]
        assert dict(now.attributes) == {"a": 1, "b": 2}  # type: ignore[attr-defined]
        assert [event.name for event in now.events] == ["happened", "exception"]  # type: ignore[attr-defined]
        assert len(now.links) == 1  # type: ignore[attr-defined]
        assert now.status.status_code is StatusCode.ERROR  # type: ignore[attr-defined]
        scoped.close()
    scoped.end()
    assert not scoped.is_recording()
    assert not inner.is_recording()


def test_leaving_restores_the_span_around_where_it_can() -> None:
    """In the context of the call; a copy of it keeps the scoped span, which stands for the span around."""
    token = attach(get_current())
    try:
        around = TRACER.start_span("around")
        enter(around)
        scoped = ScopedSpan(TRACER.start_span("inner"), around)
        enter(scoped)
        copied = set_span_in_context(get_current_span())
        leave(scoped)
        assert get_current_span() is around
        assert get_current_span(copied).get_span_context() == around.get_span_context()

        another = TRACER.start_span("another")
        enter(another)
        leave(scoped)
        assert get_current_span() is another  # somebody else's, which is left alone
    finally:
        detach(token)
