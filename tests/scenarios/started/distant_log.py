"""A log that is kept elsewhere, as in Redis: as bytes that have to be fetched to be read, and are known of before."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional

from streamgraph.runs import Codec, Events, Part, RunEnd, RunFacts, RunStatus
from streamgraph.serialization import dumps, loads


class DistantLog:
    """A log whose events arrive one by one, whenever `fetch` is called.

    Args:
        kept: The most events that are kept elsewhere; `None` for no limit.
    """

    def __init__(self, kept: Optional[int] = None) -> None:
        self.attempt = 3
        self.codec: Optional[Codec] = None
        self.run_id: Optional[str] = None
        self.max_unstored: Optional[int] = None
        self._kept = kept
        self._elsewhere: Dict[int, bytes] = {}
        self._status: RunStatus = "pending"
        self._fetched: Dict[int, Part] = {}
        self._at_hand = 0
        self._changed: List[Callable[[], None]] = []
        self._told: List[Callable[..., object]] = []
        self.signals: Deque[str] = deque()

    @property
    def last(self) -> int:
        """The number of the last event, whether it was fetched or not."""
        return max(self._elsewhere, default=0)

    @property
    def status(self) -> RunStatus:
        """How the run goes, which is known at once."""
        return self._status

    def begin(self, facts: RunFacts) -> None:
        """Record that the run has begun."""
        self._status = "running"

    def append(self, part: Part) -> int:
        """Send an event away."""
        number = self.last + 1
        self._elsewhere[number] = dumps([list(part.ns), part.mode, part.data, part.source, part.key])
        if self._kept is not None:
            self._elsewhere.pop(number - self._kept, None)
        return number

    def fetch(self) -> bool:
        """Fetch an event, if there is one, and tell the readers; return False if all are at hand."""
        coming = [number for number in tuple(self._elsewhere) if number > self._at_hand]
        if not coming:
            return False
        number = min(coming)
        text = self._elsewhere.get(number)
        if text is not None:
            ns, mode, data, source, key = loads(text)
            self._fetched[number] = Part(tuple(ns), mode, data, source, key)
            self._at_hand = number
        for listener in tuple(self._changed):
            listener()
        return True

    def read(self, after: int) -> Events:
        """Return what is at hand."""
        numbers = sorted(number for number in tuple(self._fetched) if number > after)
        if not numbers or (numbers[0] > after + 1 and after + 1 in self._elsewhere):
            return Events(after + 1, ())
        following = [number for index, number in enumerate(numbers) if number == numbers[0] + index]
        return Events(numbers[0], [self._fetched[number] for number in following])

    def close(self, status: RunStatus, end: RunEnd) -> None:
        """Record how the run has ended; events may still have to be fetched."""
        self._status = status
        for listener in tuple(self._changed):
            listener()

    def signal(self, kind: str) -> None:
        """Send a signal, which arrives when `deliver` is called."""
        self.signals.append(kind)

    def deliver(self) -> None:
        """Tell the run what was sent."""
        while self.signals:
            kind = self.signals.popleft()
            for listener in tuple(self._told):
                listener(kind)

    def on_signal(self, listener: Callable[..., object]) -> None:
        """Call `listener` with each signal."""
        self._told.append(listener)

    def on_stored(self, listener: Callable[[int], None]) -> None:
        """Do nothing: the run does not wait for what is stored."""

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each event that was fetched, and after the end."""
        self._changed.append(listener)


class Pump:
    """A context manager in which a thread fetches what comes."""

    def __init__(self, log: DistantLog) -> None:
        self._log = log
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._over.wait(0.001):
            self._log.fetch()
            self._log.deliver()

    def __enter__(self) -> Pump:
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._over.set()
        self._thread.join()
