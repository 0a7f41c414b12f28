"""Validation of the flow control options of a stream at the time of the call."""

from __future__ import annotations

from typing import Optional

from streamgraph._policies import Seconds, check_seconds
from streamgraph._streams.flow import OVERFLOWS, UNLIMITED, FlowControl, Overflow
from streamgraph.errors import UnknownOptionError


def check_flow_control(
    max_buffer: Optional[int] = None,
    overflow: Overflow = "block",
    heartbeat: Optional[Seconds] = None,
    timeout: Optional[Seconds] = None,
    step_timeout: Optional[float] = None,
) -> FlowControl:
    """Validate the flow control options; see `GraphRunnable.stream`, and `GraphSettings` for `step_timeout`.

    Raises:
        UnknownOptionError: A number or time is not positive, or `overflow` is unknown.
    """
    if overflow not in OVERFLOWS:
        raise UnknownOptionError(f"Unknown overflow {overflow!r}", name=overflow, known=OVERFLOWS)
    if max_buffer is None and heartbeat is None and timeout is None and step_timeout is None:
        if overflow != "block":
            raise UnknownOptionError(f"overflow={overflow!r} needs max_buffer", hint="Say how many chunks may wait.")
        return UNLIMITED
    return FlowControl(
        _count(max_buffer),
        overflow,
        check_seconds("heartbeat", heartbeat),
        check_seconds("timeout", timeout),
        step_timeout,
    )


def _count(given: object) -> Optional[int]:
    if given is None or (isinstance(given, int) and not isinstance(given, bool) and given > 0):
        return given
    raise UnknownOptionError(f"max_buffer must be a number of chunks greater than 0, got {given!r:.80}")
