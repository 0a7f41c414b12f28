"""The inbox of the blocking driver: items come from any thread."""

from __future__ import annotations

import threading
from collections import deque
from queue import Empty, SimpleQueue
from typing import Any, Callable, Deque, Optional, Union

from streamgraph._drivers.buffer import BoundedBuffer
from streamgraph._drivers.overflow import OverflowQueue


class Inbox:
    """A FIFO queue with one consumer and producers in any thread.

    Attributes:
        put: Adds a part.
        get: Returns the next item; blocks until there is one.
        capacity: `None`: the number of parts is not limited.
    """

    capacity = None

    def __init__(self) -> None:
        self._items: SimpleQueue[Any] = SimpleQueue()
        # One item for each event in the queue, whose items cannot be inspected.
        self._ends: Deque[None] = deque()
        self.put: Callable[[Any], None] = self._items.put
        self.get: Callable[..., Any] = self._items.get

    def end(self, event: Any) -> None:
        """Add an event."""
        self._ends.append(None)
        self._items.put(event)

    def ended(self) -> None:
        """Record that the consumer has taken an event."""
        self._ends.pop()

    @property
    def empty(self) -> bool:
        """True if there is nothing to take."""
        return self._items.empty()

    @property
    def parts(self) -> int:
        """Number of parts in the inbox."""
        return max(self._items.qsize() - len(self._ends), 0)


class BoundedInbox:
    """An `Inbox` with a limited number of parts.

    Args:
        queue: Holds the items and implements the overflow policy.

    Attributes:
        capacity: The limited buffer that holds the items.
    """

    def __init__(self, queue: OverflowQueue) -> None:
        self.capacity = BoundedBuffer(queue, self._wake, self._is_reader)
        self._available = threading.Condition(threading.RLock())
        self._reader: Optional[int] = None

    def put(self, part: Any) -> None:
        """Add a part whose producer cannot wait; never blocks."""
        self.capacity.put(part)

    def end(self, event: Any) -> None:
        """Add an event."""
        self.capacity.put(event)

    def ended(self) -> None:
        """Do nothing: the buffer counts its parts itself."""

    @property
    def empty(self) -> bool:
        """True if there is nothing to take."""
        return self.capacity.empty

    @property
    def parts(self) -> int:
        """Number of parts in the inbox."""
        return self.capacity.parts

    def get(self, timeout: Optional[float] = None) -> Any:
        """Return the next item; blocks until there is one.

        Args:
            timeout: The most seconds to block; `None` for no limit.

        Raises:
            Empty: There was no item within `timeout` seconds.
        """
        self._reader = threading.get_ident()
        item = self.capacity.take()
        if item is None:
            with self._available:
                self._available.wait_for(lambda: not self.capacity.empty, timeout)
            item = self.capacity.take()
        if item is None:
            raise Empty
        return item

    def _wake(self) -> None:
        with self._available:
            self._available.notify()

    def _is_reader(self) -> bool:
        return threading.get_ident() == self._reader


AnyInbox = Union[Inbox, BoundedInbox]
