"""The tracer and the instruments that runs report to."""

from __future__ import annotations

from inspect import signature
from os import environ
from typing import TYPE_CHECKING, Iterable, Optional, Sequence

from opentelemetry import context, metrics, trace
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation

from streamgraph._telemetry.streams import STREAMS, Place
from streamgraph.version import __version__

if TYPE_CHECKING:
    from typing import Any

NAME = "streamgraph"
"""The instrumentation scope."""

_CALLS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_RUNS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6)
_NODES = (0.001, 0.002, 0.005, *_CALLS)
_TOKENS = tuple(4**power for power in range(14))
_RATES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)

_DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_SHOWS_CONTENT = ("true", "1", "span_only", "span_and_event")
_SUPPRESSED = "suppress_instrumentation"


class Telemetry:
    """Where runs are reported.

    Args:
        tracer: Starts spans.
        meter: Makes the instruments.

    Attributes:
        tracer: See above.
        active: Counts the runs that go on.
        runs: Durations of runs.
        steps: Durations of steps.
        nodes: Durations of nodes, with all their attempts.
        retries: Counts further attempts.
        first_tokens: Times from the start of a run to its first token.
        calls: Durations of calls of models and retrievers.
        tools: Durations of tools.
        first_chunks: Times from a call of a model to its first chunk.
        rates: Output tokens of a model per second.
        tokens: Numbers of tokens that models have read and written.
    """

    def __init__(self, tracer: trace.Tracer, meter: Meter) -> None:
        self.tracer = tracer
        self.active = meter.create_up_down_counter("streamgraph.run.active", "{run}", "Runs that go on.")
        self.retries = meter.create_counter("streamgraph.node.retries", "{attempt}", "Further attempts of nodes.")
        self.runs = _times(meter, "gen_ai.invoke_agent.duration", "Duration of a run.", _RUNS)
        self.steps = _times(meter, "streamgraph.step.duration", "Duration of a step of a run.", _NODES)
        self.nodes = _times(meter, "streamgraph.node.duration", "Duration of a node, with its retries.", _NODES)
        self.first_tokens = _times(
            meter, "streamgraph.run.time_to_first_token", "Time from the start of a run to its first token.", _CALLS
        )
        self.calls = _times(meter, "gen_ai.client.operation.duration", "Duration of a call of a model.", _CALLS)
        self.tools = _times(meter, "gen_ai.execute_tool.duration", "Duration of a tool call.", _CALLS)
        self.first_chunks = _times(
            meter, "gen_ai.client.operation.time_to_first_chunk", "Time from the call of a model to its chunk.", _CALLS
        )
        self.rates = _histogram(
            meter, "streamgraph.model.output_rate", "{token}/s", "Tokens per second after the first chunk.", _RATES
        )
        self.tokens = _histogram(
            meter, "gen_ai.client.token.usage", "{token}", "Tokens that a model has read or written.", _TOKENS
        )
        dropped = meter.create_counter("streamgraph.stream.dropped", "{chunk}", "Chunks that slow readers have missed.")
        meter.create_observable_up_down_counter(
            "streamgraph.stream.waiting", [_waiting], "{chunk}", "Chunks that wait for their readers."
        )

        def report(place: Place, count: int) -> None:
            dropped.add(count, {"streamgraph.stream.place": place})

        STREAMS.begin(report)

    def is_suppressed(self) -> bool:
        """Return whether the current context wants no telemetry of libraries."""
        return bool(context.get_value(_SUPPRESSED))


def open_telemetry(tracers: Optional[Any], meters: Optional[Any]) -> Optional[Telemetry]:
    """Return where runs are reported to these providers, or `None` if they drop everything.

    Args:
        tracers: The tracer provider, if the program has set one.
        meters: The meter provider, if the program has set one.
    """
    disabled = environ.get(_DISABLED, "").split(",")
    if any(name.strip() in (NAME, "*") for name in disabled):
        return None
    tracer: trace.Tracer = trace.NoOpTracer() if tracers is None else tracers.get_tracer(NAME, __version__)
    meter: Meter = metrics.NoOpMeter(NAME) if meters is None else meters.get_meter(NAME, __version__)
    if isinstance(tracer, trace.NoOpTracer) and isinstance(meter, metrics.NoOpMeter):
        return None  # as with OTEL_SDK_DISABLED
    return Telemetry(tracer, meter)


def captures_content() -> bool:
    """Return whether prompts, answers, and the arguments and results of tools are recorded on spans."""
    return environ.get(_CONTENT, "").strip().lower() in _SHOWS_CONTENT


def _waiting(options: CallbackOptions) -> Iterable[Observation]:
    places: Sequence[Place] = ("stream", "log")
    return [Observation(STREAMS.waiting(place), {"streamgraph.stream.place": place}) for place in places]


def _times(meter: Meter, name: str, what: str, bounds: Sequence[float]) -> Histogram:
    return _histogram(meter, name, "s", what, bounds)


def _histogram(meter: Meter, name: str, unit: str, what: str, bounds: Sequence[float]) -> Histogram:
    if "explicit_bucket_boundaries_advisory" not in signature(Meter.create_histogram).parameters:
        return meter.create_histogram(name, unit, what)  # before version 1.30 of the API
    return meter.create_histogram(name, unit, what, explicit_bucket_boundaries_advisory=bounds)
