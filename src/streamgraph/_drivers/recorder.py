"""Takes the parts of a started run to its log."""

from __future__ import annotations

import threading
from collections import deque
from typing import Callable, Deque, Tuple, Union

from streamgraph._drivers.waiting import ThreadWaiter, Waiters
from streamgraph._streams.event_log import EventLog, RunEnd, RunStatus
from streamgraph._streams.part import Part

_PATIENCE = 1.0
"""Seconds that the end of a run waits for who writes to the log. It takes microseconds, but the end must not hang."""


class Lag:
    """How far a reader that holds the run back is behind it.

    Args:
        limit: The most parts that may wait for the reader.
        wants: Returns True if the reader wants a part.
        room: Those who wait for the reader.

    Attributes:
        since: The number of the last event before those that count.
        left: The reader has gone.
    """

    __slots__ = ("_joined", "_limit", "_made", "_room", "_taken", "left", "since", "wants")

    def __init__(self, limit: int, wants: Callable[[Part], bool], room: Waiters) -> None:
        self.wants = wants
        self.since = 0
        self.left = False
        self._limit = limit
        self._made = 0
        self._taken = 0
        self._room = room
        self._joined = ThreadWaiter()

    def join(self, since: int) -> None:
        """Record that what follows the event with this number counts."""
        self.since = since
        self._joined.wake()

    def wait(self) -> None:
        """Wait until `join` was called."""
        self._joined.wait()

    def made(self) -> None:
        """Record that a part was made which the reader wants."""
        self._made += 1

    def took(self, number: int) -> None:
        """Record that the reader has taken an event."""
        if number > self.since:
            self._taken += 1
            self._room.wake()

    def leaves_room(self) -> bool:
        """Return True if the reader can keep up with one part more."""
        return self.left or self._made - self._taken < self._limit


class Recorder:
    """Takes parts to the log of a run, in the order in which they are given, from any thread.

    A node's parts go to the log at once, by its own thread or task, not through the inbox of the run: so the run need
    not wake for them, and a node can run in place. One thread at a time writes, also what others give meanwhile; nobody
    waits for it, so a part may be given in a finalizer that has interrupted the writing.

    Args:
        log: The log.
        failed: Is called with the error if the log cannot take a part; it takes no more then.

    Attributes:
        lags: The readers that hold the run back.
    """

    def __init__(self, log: EventLog, failed: Callable[[BaseException], None]) -> None:
        self.lags: Tuple[Lag, ...] = ()
        self._log = log
        self._failed = failed
        self._append: Callable[[Part], object] = log.append
        self._given: Deque[Union[Part, Lag]] = deque()
        # Held by who writes; never waited for, but at the end.
        self._writing = threading.Lock()

    def put(self, item: Union[Part, Lag]) -> None:
        """Take a part to the log, or drop it after the end of the run."""
        given, writing = self._given, self._writing
        if not given and type(item) is not Lag and writing.acquire(False):
            # Nobody writes, and nothing waits: the way of nearly all parts.
            try:
                self._take(item)  # type: ignore[arg-type]
            finally:
                writing.release()
        else:
            given.append(item)
        # Once more, if there is something: who gave it may have found this thread still writing.
        while given and writing.acquire(False):
            try:
                self._take_all()
            finally:
                writing.release()

    def join(self, lag: Lag) -> None:
        """Count the parts that are made from now on for a reader."""
        self.put(lag)
        lag.wait()

    def close(self, status: RunStatus, end: RunEnd) -> None:
        """Close the log, behind all parts that were given."""
        held = self._writing.acquire(timeout=_PATIENCE)
        try:
            self._take_all()
            self._log.close(status, end)
            self._append = self._failed = _drop  # and let go of the run
        finally:
            if held:
                self._writing.release()
        for item in tuple(self._given):
            if type(item) is Lag:
                item.join(self._log.last)

    def _take(self, part: Part) -> None:
        try:
            self._append(part)
        except BaseException as error:  # it is not the error of the node whose part it is
            self._append = _drop
            self._failed(error)
        for lag in self.lags:
            if lag.left:
                self.lags = tuple(other for other in self.lags if not other.left)
            elif lag.wants(part):
                lag.made()

    def _take_all(self) -> None:
        given = self._given
        while given:
            item = given.popleft()
            if type(item) is Lag:
                self.lags = (*(lag for lag in self.lags if not lag.left), item)
                item.join(self._log.last)
                continue
            self._take(item)  # type: ignore[arg-type]


def _drop(item: object) -> None:
    """Take a part or an error that comes after the end."""
