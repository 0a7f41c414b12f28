"""Flow-control options of a stream: buffer limit, overflow policy, heartbeat, timeout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from typing_extensions import Literal, get_args

Overflow = Literal["block", "drop_oldest", "coalesce", "raise"]
"""The overflow policy: what happens to a chunk when `max_buffer` chunks wait for the consumer."""

OVERFLOWS = get_args(Overflow)


@dataclass(frozen=True)
class FlowControl:
    """The flow-control options of a stream.

    Attributes:
        max_buffer: The most chunks that may wait for the consumer; `None` for no limit.
        overflow: The policy for further chunks.
        heartbeat: Seconds without a chunk after which the stream yields a heartbeat; `None` for never.
        timeout: Time limit of the whole run in seconds; `None` for no limit.
        step_timeout: Time limit of each step in seconds; `None` for no limit.
    """

    max_buffer: Optional[int] = None
    overflow: Overflow = "block"
    heartbeat: Optional[float] = None
    timeout: Optional[float] = None
    step_timeout: Optional[float] = None

    @property
    def watches(self) -> bool:
        """True if the stream needs a clock, for heartbeats or a timeout."""
        return self.heartbeat is not None or self.timeout is not None or self.step_timeout is not None


UNLIMITED = FlowControl()
