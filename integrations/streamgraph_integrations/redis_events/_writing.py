"""The log of a run that sends its events to Redis."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Callable, Deque, List, Optional, Tuple, Union

from streamgraph.runs import MemoryLog, Part, RunEnd, RunFacts, RunStatus
from streamgraph.serialization import PartEncoder
from streamgraph_integrations.redis_events._entries import Written, end_entry, event_entry

_log = logging.getLogger("streamgraph")

_BATCH = 512
"""The most entries of a run that are sent at once."""

_BATCH_BYTES = 1 << 20
"""About how many bytes of a run are sent at once."""


class RedisLog(MemoryLog):
    """The events of a run that this process drives: in memory for its readers here, and on Redis for all others.

    `RedisEvents.open` makes it.

    Args:
        run_id: The id of the run.
        attempt: The number of the attempt.
        wake: Is called when there is something to send.
        max_events: The most events that are kept in memory.
        max_unstored: The most events that may wait to be sent before the run is held back.
        holds_end: Whether its end is stored when `finish` is called, instead of when it is closed.
    """

    def __init__(
        self,
        run_id: str,
        attempt: int,
        wake: Callable[[RedisLog], None],
        *,
        max_events: int,
        max_unstored: int,
        holds_end: bool = False,
    ) -> None:
        super().__init__(max_events=max_events, attempt=attempt, timed=holds_end)
        self.run_id: str = run_id
        self.max_unstored = max_unstored
        self.stored = 0
        """The number of the last event that is stored; the end counts as one."""
        self.facts = RunFacts(run_id, (), (), ())
        self.queued = False
        """True if it is in the queue of those that have something to send."""
        self.seen_request = "0"
        """The id of the last request that was seen."""
        self.asked: Optional[bool] = None
        """While requests are answered: whether there may be others; otherwise `None`."""
        self.all_stored = asyncio.Event()
        """Is set in the thread that sends when all is stored, or nothing will be any more."""
        self._holds_end = holds_end
        self._end: Optional[Tuple[RunStatus, RunEnd]] = None
        self._is_finished = False
        self._wake = wake
        self._error: Optional[BaseException] = None
        self._unsent: Deque[Union[Part, Tuple[RunStatus, RunEnd]]] = deque()
        self._sending: List[Written] = []
        self._listeners_of_stored: List[Callable[[int], None]] = []
        self._encoder = PartEncoder(exact=True)

    def begin(self, facts: RunFacts) -> None:
        """Record that the run has begun, for all processes."""
        super().begin(facts)
        self.facts = facts
        self._wake(self)

    def append(self, part: Part) -> int:
        """Add an event, and return its number.

        Raises:
            RunSupersededError: A later attempt of the run has begun.
            EventsUnavailableError: Redis does not store events.
        """
        if self._error is not None:
            raise self._error
        number = super().append(part)
        self._unsent.append(part)
        self._wake(self)
        return number

    def close(self, status: RunStatus, end: RunEnd) -> None:
        """Record how the run has ended, for all processes."""
        listeners = self._signal_listeners
        super().close(status, end)
        self._signal_listeners = listeners  # what is asked from now on gets the answer that the run is over
        self._end = status, end
        if not self._holds_end:
            self.finish()

    def finish(self, status: Optional[RunStatus] = None, error: Optional[BaseException] = None) -> None:
        """Have the end of the run stored.

        Args:
            status: How it has ended, if that is not how the log was closed.
            error: The error that belongs to it.
        """
        if self._is_finished:
            return
        self._holds_end = False
        if self._end is None:  # the run has never begun
            self._is_finished = True
            super().close(status or "cancelled", RunEnd())
            self._end = self.status, RunEnd()
        self._is_finished = True
        if status is not None:
            self._end = status, self._end[1]._replace(error=error)
        self._unsent.append(self._end)
        self._wake(self)

    def on_stored(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with the number of each event that was stored."""
        self._listeners_of_stored.append(listener)

    @property
    def begun(self) -> bool:
        """True if the run has begun, so that its facts are known."""
        return self.status != "pending"

    @property
    def over(self) -> bool:
        """True if all is stored, or nothing will be any more."""
        return self._error is not None or (self._is_finished and not self.unsent)

    @property
    def unsent(self) -> int:
        """How many entries are still to be stored."""
        return len(self._unsent) + len(self._sending)

    def handle(self, kind: str, details: Tuple[object, ...]) -> object:
        """Do what another process asks for, and return the answer; see `EventLog.on_signal`.

        Args:
            kind: What is asked for.
            details: What belongs to it.
        """
        answer: object = None
        for listener in tuple(self._signal_listeners):
            said = listener(kind, *details)
            answer = answer if said is None else said
        return answer

    # For the thread that sends

    def entries(self) -> List[Written]:
        """Return the entries to be sent next: those of the last time, until they are `sent`."""
        unsent, sending = self._unsent, self._sending
        size = sum(len(value) for _, value in sending)
        while unsent and len(sending) < _BATCH and size < _BATCH_BYTES:
            item = unsent.popleft()
            entry = end_entry(self._encoder, *item) if isinstance(item, tuple) else event_entry(self._encoder, item)
            sending.append(entry)
            size += len(entry[1])
        return sending

    def sent(self, last: int) -> None:
        """Record that all entries up to a number are stored.

        Args:
            last: The number.
        """
        first, self.stored = self.stored, last
        del self._sending[: last - first]
        for listener in self._listeners_of_stored:
            for number in range(first + 1, last + 1):
                listener(number)

    def fail(self, error: BaseException) -> None:
        """Give up: nothing of the run can be stored any more, and the run is to end with an error.

        Args:
            error: The error.
        """
        self._error = error
        if self._is_finished:
            _log.error("The run %s has ended, but its last events could not be stored: %s", self.run_id, error)
        waiting = self.unsent
        self._unsent.clear()
        self._sending.clear()
        for listener in self._listeners_of_stored:  # let the run go on to its end
            for number in range(self.stored + 1, self.stored + waiting + 1):
                listener(number)
        self.handle("fail", (error,))
