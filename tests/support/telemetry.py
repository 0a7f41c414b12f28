"""OpenTelemetry in tests: providers of a test alone, and what was reported to them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Mapping, Optional

import opentelemetry.metrics
import opentelemetry.metrics._internal as metrics_of_the_process
import opentelemetry.trace as trace_of_the_process
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

Tree = Dict[str, Any]


class Reported:
    """What was reported to the providers of a test.

    Args:
        tracers: The tracer provider; by default one that keeps its spans.
        meters: The meter provider; by default one that keeps its numbers.
    """

    def __init__(self, tracers: Any = None, meters: Any = None) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider() if tracers is None else tracers
        if tracers is None:
            self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meters = MeterProvider([self._reader]) if meters is None else meters

    @property
    def spans(self) -> List[ReadableSpan]:
        """The spans that have ended, in the order in which they began."""
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def span(self, name: str) -> ReadableSpan:
        """The only span of this name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def about(self, name: str) -> Mapping[str, Any]:
        """The attributes of the only span of this name."""
        return dict(self.span(name).attributes or {})

    def children(self, name: str) -> List[str]:
        """The names of the spans right below the only one of this name."""
        own = self.span(name).context
        assert own is not None
        return [span.name for span in self.spans if span.parent and span.parent.span_id == own.span_id]

    def tree(self, parent: Optional[int] = None) -> Tree:
        """The names of all spans below one, each with those below it; siblings of one name as `name`, `name#2`, …."""
        found: Tree = {}
        for span in self.spans:
            if (span.parent.span_id if span.parent else None) != parent:
                continue
            assert span.context is not None
            name, number = span.name, 1
            while name in found:
                number += 1
                name = f"{span.name}#{number}"
            found[name] = self.tree(span.context.span_id)
        return found

    def numbers(self, name: str) -> Dict[frozenset[Any], Any]:
        """The values of a metric by their attributes; of a histogram, how many were recorded."""
        found: Dict[frozenset[Any], Any] = {}
        data = self._reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == name:
                        for point in metric.data.data_points:
                            value = getattr(point, "count", None)
                            labels = frozenset((point.attributes or {}).items())
                            found[labels] = point.value if value is None else value  # type: ignore[union-attr]
        return found

    def total(self, name: str, **labels: object) -> Any:
        """The sum of a metric over all attributes that include these; dots are written as two underscores."""
        wanted = {(key.replace("__", "."), value) for key, value in labels.items()}
        return sum(value for key, value in self.numbers(name).items() if wanted <= key)


@contextmanager
def reported(tracers: Any = None, meters: Any = None) -> Iterator[Reported]:
    """Set the providers of the process, which can officially be done once, and take them back."""
    one, other = trace_of_the_process._TRACER_PROVIDER, metrics_of_the_process._METER_PROVIDER
    assert opentelemetry.metrics is not None
    made = Reported(tracers, meters)
    trace_of_the_process._TRACER_PROVIDER = made.tracers
    metrics_of_the_process._METER_PROVIDER = made.meters
    try:
        yield made
    finally:
        trace_of_the_process._TRACER_PROVIDER = one
        metrics_of_the_process._METER_PROVIDER = other
