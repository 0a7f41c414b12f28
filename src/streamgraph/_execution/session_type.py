"""Which session a run gets: decided when it is opened."""

from __future__ import annotations

from functools import partial
from typing import Callable

from streamgraph._execution.session import GraphSession
from streamgraph._telemetry.switch import current_telemetry


def session_type() -> Callable[..., GraphSession]:
    """Return what makes the session of a run that is opened now: one that is reported to OpenTelemetry, or a plain one.

    What reports is only imported by a program that uses it.
    """
    telemetry = current_telemetry()
    if telemetry is None:
        return GraphSession
    from streamgraph._execution.measured import MeasuredSession

    return partial(MeasuredSession, telemetry)
