"""Spans in the context: that of a task, and those of calls inside it."""

from __future__ import annotations

from asyncio import CancelledError
from typing import Any, Mapping, Optional, Union

from opentelemetry.context import attach
from opentelemetry.trace import Span, SpanContext, Status, StatusCode, get_current_span, set_span_in_context
from typing_extensions import Literal

from streamgraph.errors import GraphBubbleUp, StreamClosed

Outcome = Literal["done", "interrupted", "failed", "cancelled"]
"""How something has ended. A question is no failure, and neither is that nobody wants the result any more."""

STATUS = "streamgraph.status"

_CANCELLATIONS = (CancelledError, GeneratorExit, StreamClosed, KeyboardInterrupt, SystemExit)


def outcome_of(error: Optional[BaseException]) -> Outcome:
    """Return how something has ended that has raised `error`, or nothing."""
    if error is None:
        return "done"
    if isinstance(error, _CANCELLATIONS):
        return "cancelled"
    return "interrupted" if isinstance(error, GraphBubbleUp) else "failed"


def error_type(error: BaseException) -> str:
    """Return the name of an exception's class, with its module, as OpenTelemetry writes it."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def fail(span: Span, error: BaseException, *, shows: bool) -> None:
    """Mark a span as failed.

    Args:
        span: The span.
        error: Why.
        shows: Add the exception with its traceback as an event. The spans around the one where it was raised only
            name it.
    """
    span.set_attribute("error.type", error_type(error))
    span.set_status(Status(StatusCode.ERROR, str(error)))
    if shows:
        span.record_exception(error)


def enter(span: Span) -> None:
    """Make a span the current one, until the context ends or another one is entered."""
    attach(set_span_in_context(span))


def leave(span: ScopedSpan) -> None:
    """End a scoped span, and make the span around it the current one where that is possible."""
    span.close()
    if get_current_span() is span:
        enter(span.around)


class ScopedSpan(Span):
    """A span that is current while a call lasts, and stands for the span around it afterwards.

    langchain-core reports the end of some calls in a context of its own, as `ainvoke` of models does. The code that has
    made the call then still has this as its current span.

    Args:
        span: The span of the call.
        around: The current span outside of it.
        group: What it has in common with the calls that are beside it and not inside it: the same Runnable makes them.

    Attributes:
        around: See above.
        group: See above.
    """

    def __init__(self, span: Span, around: Span, group: object = None) -> None:
        self.around = around
        self.group = group
        self._span = span
        self._now = span

    def close(self) -> None:
        """End the span of the call."""
        self._now = self.around
        self._span.end()

    def end(self, end_time: Optional[int] = None) -> None:
        """End the span that it stands for."""
        self._now.end(end_time)

    def get_span_context(self) -> SpanContext:
        """Return the ids of the span that it stands for."""
        return self._now.get_span_context()

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes of the span that it stands for."""
        self._now.set_attributes(attributes)

    def set_attribute(self, key: str, value: Any) -> None:
        """Set an attribute of the span that it stands for."""
        self._now.set_attribute(key, value)

    def add_event(self, name: str, attributes: Any = None, timestamp: Optional[int] = None) -> None:
        """Add an event to the span that it stands for."""
        self._now.add_event(name, attributes, timestamp)

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        """Add a link to the span that it stands for."""
        self._now.add_link(context, attributes)

    def update_name(self, name: str) -> None:
        """Rename the span that it stands for."""
        self._now.update_name(name)

    def is_recording(self) -> bool:
        """Return whether the span that it stands for records."""
        return self._now.is_recording()

    def set_status(self, status: Union[Status, StatusCode], description: Optional[str] = None) -> None:
        """Set the status of the span that it stands for."""
        self._now.set_status(status, description)

    def record_exception(
        self, exception: BaseException, attributes: Any = None, timestamp: Optional[int] = None, escaped: bool = False
    ) -> None:
        """Add an exception to the span that it stands for."""
        self._now.record_exception(exception, attributes, timestamp, escaped)
