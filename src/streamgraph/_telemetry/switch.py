"""Whether runs are reported to OpenTelemetry: decided when a run is opened."""

from __future__ import annotations

from sys import modules
from typing import TYPE_CHECKING, NamedTuple, Optional

if TYPE_CHECKING:
    from types import ModuleType

    from streamgraph._telemetry.instruments import Telemetry

_TRACE = "opentelemetry.trace"
_METRICS = "opentelemetry.metrics"


class _Known(NamedTuple):
    """What was found out about the providers of the program.

    Attributes:
        tracers: The tracer provider.
        meters: The meter provider.
        telemetry: Where runs are reported; `None` if nowhere.
    """

    tracers: object
    meters: object
    telemetry: Optional[Telemetry]


_known = _Known(None, None, None)


def current_telemetry() -> Optional[Telemetry]:
    """Return where a run that is opened now is reported, or `None` if nowhere.

    A program that reports anything has imported OpenTelemetry and set a provider. Before that, this is a look-up in a
    dict; the providers of the API itself, which drop everything, count as none.
    """
    trace, metrics = modules.get(_TRACE), modules.get(_METRICS)
    if trace is None and metrics is None:
        return None
    tracers, meters = _provider(trace, "get_tracer_provider"), _provider(metrics, "get_meter_provider")
    if tracers is None and meters is None:
        return None
    telemetry = _telemetry(tracers, meters)
    return None if telemetry is None or telemetry.is_suppressed() else telemetry


def _provider(module: Optional[ModuleType], getter: str) -> Optional[object]:
    """Return the provider that the program has set, or `None`."""
    get = getattr(module, getter, None)  # it may just be imported by another thread
    provider: object = None if get is None else get()
    return None if type(provider).__module__.startswith((_TRACE, _METRICS)) else provider


def _telemetry(tracers: object, meters: object) -> Optional[Telemetry]:
    global _known
    known = _known
    if known.tracers is not tracers or known.meters is not meters:
        from streamgraph._telemetry.instruments import open_telemetry

        known = _known = _Known(tracers, meters, open_telemetry(tracers, meters))
    return known.telemetry
