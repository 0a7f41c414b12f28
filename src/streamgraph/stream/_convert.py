"""Parts of a stream as events of the v3 protocol."""

from __future__ import annotations

import time
from typing import Any, Mapping, Tuple

from streamgraph.stream._types import ProtocolEvent

__all__ = ["convert_to_protocol_event"]


def convert_to_protocol_event(part: Mapping[str, Any]) -> ProtocolEvent:
    """Return a part of a stream with `version="v2"` as an event.

    Args:
        part: The part.
    """
    event = event_of(part["type"], part["ns"], part["data"])
    if "interrupts" in part:
        event["params"]["interrupts"] = part["interrupts"]
    return event


def event_of(method: str, namespace: Tuple[str, ...], data: object) -> ProtocolEvent:
    """Return a new event.

    Args:
        method: Its method.
        namespace: The namespace that it comes from.
        data: Its payload.
    """
    now = int(time.time() * 1000)
    return {
        "type": "event",
        "method": method,
        "params": {"namespace": list(namespace), "timestamp": now, "data": data},
    }
