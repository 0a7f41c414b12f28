"""Where the reader of the blocking driver waits for what tasks send, from any thread."""

from __future__ import annotations

import threading
from collections import deque
from queue import Empty, SimpleQueue
from typing import Any, Callable, Deque, Optional, Union

from streamgraph._drivers.buffer import BoundedBuffer
from streamgraph._drivers.overflow import OverflowQueue


class Inbox:
    """A first-in first-out queue with one reader and writers anywhere.

    Attributes:
        put: Adds a part.
        get: Returns the next item; waits for it.
        capacity: The room there is for parts; not limited here.
    """

    capacity = None

    def __init__(self) -> None:
        self._items: SimpleQueue[Any] = SimpleQueue()
        # A queue does not tell what is in it; this counts the ends of tasks among it.
        self._ends: Deque[None] = deque()
        self.put: Callable[[Any], None] = self._items.put
        self.get: Callable[..., Any] = self._items.get

    def end(self, event: Any) -> None:
        """Add the end of a task."""
        self._ends.append(None)
        self._items.put(event)

    def ended(self) -> None:
        """Take note that the end of a task was taken."""
        self._ends.pop()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to take."""
        return self._items.empty()

    @property
    def parts(self) -> int:
        """How many parts wait."""
        return max(self._items.qsize() - len(self._ends), 0)


class BoundedInbox:
    """The same with limited room for parts.

    Args:
        store: What is kept, and how.

    Attributes:
        capacity: The room there is for parts.
    """

    def __init__(self, store: OverflowQueue) -> None:
        self.capacity = BoundedBuffer(store, self._wake, self._is_reader)
        self._there = threading.Condition(threading.RLock())
        self._reader: Optional[int] = None

    def put(self, part: Any) -> None:
        """Add a part for which nobody can wait."""
        self.capacity.put(part)

    def end(self, event: Any) -> None:
        """Add the end of a task."""
        self.capacity.put(event)

    def ended(self) -> None:
        """Take note that the end of a task was taken."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to take."""
        return self.capacity.empty

    @property
    def parts(self) -> int:
        """How many parts wait."""
        return self.capacity.parts

    def get(self, timeout: Optional[float] = None) -> Any:
        """Return the next item; waits for it.

        Raises:
            Empty: So many seconds have passed, and there is none.
        """
        self._reader = threading.get_ident()
        item = self.capacity.take()
        if item is None:
            with self._there:
                self._there.wait_for(lambda: not self.capacity.empty, timeout)
            item = self.capacity.take()
        if item is None:
            raise Empty
        return item

    def _wake(self) -> None:
        with self._there:
            self._there.notify()

    def _is_reader(self) -> bool:
        return threading.get_ident() == self._reader


AnyInbox = Union[Inbox, BoundedInbox]
