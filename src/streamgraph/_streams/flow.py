"""How a stream gets along with its consumer: how much may wait for it, and how long it waits itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from typing_extensions import Literal, get_args

Overflow = Literal["block", "drop_oldest", "coalesce", "raise"]
"""What happens when as many chunks wait for the consumer as may."""

OVERFLOWS = get_args(Overflow)


@dataclass(frozen=True)
class FlowControl:
    """What a consumer asked for.

    Attributes:
        max_buffer: How many chunks may wait for the consumer; `None` for any number.
        overflow: What happens when there are more.
        heartbeat: After how many seconds without a chunk the stream says that it is alive; `None` for never.
        timeout: The seconds that the whole run may take; `None` for any time.
    """

    max_buffer: Optional[int] = None
    overflow: Overflow = "block"
    heartbeat: Optional[float] = None
    timeout: Optional[float] = None

    @property
    def watches(self) -> bool:
        """Whether the consumer has to hear of something while a task runs that makes no chunks."""
        return self.heartbeat is not None or self.timeout is not None


UNLIMITED = FlowControl()
