"""When what a run has to store is stored: at once, beside the run, or at its end."""

from __future__ import annotations

from asyncio import CancelledError
from collections import deque
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import replace
from threading import Lock
from typing import Any, Deque, List, Optional, Sequence, Union

from typing_extensions import Protocol

from streamgraph._checkpoint.thread import SavedThread
from streamgraph._core.effects import Note, Save
from streamgraph._protocols import Backend, Join, TaskRun, Work
from streamgraph._streams.cancellation import CancelToken
from streamgraph._types import Durability
from streamgraph.errors import StreamClosed

Stored = Union[Note, Save]

_WAITING = 1000
"""The number of records and notes that may wait to be stored before the run waits for them.

Storing may take longer than the steps of a run that has to wait for nothing else, but only on the whole: most runs wait
for models. So what a run makes in a burst is stored while it waits.
"""


class Keeper(Protocol):
    """Stores what a run says, in its order."""

    def keep(self, effect: Stored) -> Work[None]:
        """Store something, now or later."""

    def flushed(self) -> Work[None]:
        """Wait until what is stored while the run goes on is stored as far as it was said."""

    def settle(self, effects: Sequence[Stored], *, early: bool) -> Work[None]:
        """Store the rest at the end of the run.

        Args:
            effects: What the run has said last.
            early: True if the run did not finish.
        """


def keeper(durability: Durability, saved: SavedThread, backend: Backend, outer: Optional[Keeper] = None) -> Keeper:
    """Return the keeper for a durability.

    A saver in memory does nothing but serialise. Beside a run that has no event loop to block this takes longer than
    in it, for the two threads fight for the interpreter.

    Args:
        durability: When things are stored.
        saved: Stores them.
        backend: Starts what stores beside the run.
        outer: The keeper of the run around.
    """
    if durability == "exit":
        return AtExit(saved)
    beside = durability == "async" and (backend.asynchronous or not saved.in_memory)
    if not beside:
        return AtOnce(saved)
    return Beside(saved, backend, outer if isinstance(outer, Beside) else None)


class AtOnce:
    """Stores everything before the run goes on: `durability="sync"`."""

    def __init__(self, saved: SavedThread) -> None:
        self._saved = saved
        self._failed = False

    def keep(self, effect: Stored) -> Work[None]:
        """Store something now."""
        try:
            yield from self._saved.keep(effect)
        except BaseException:
            self._failed = True
            raise

    def flushed(self) -> Work[None]:
        """Do nothing: all is stored."""
        yield from ()

    def settle(self, effects: Sequence[Stored], *, early: bool) -> Work[None]:
        """Store what the run has said last, unless storing has failed."""
        if not self._failed:
            for effect in effects:
                yield from self.keep(effect)


class AtExit:
    """Stores the last record when the run ends: `durability="exit"`.

    What tasks of an unfinished step have come to is stored as well, if the run ends before that step does.
    """

    def __init__(self, saved: SavedThread) -> None:
        self._saved = saved
        self._record: Optional[Save] = None
        self._notes: List[Note] = []

    def keep(self, effect: Stored) -> Work[None]:
        """Remember the last record and the notes after it."""
        if isinstance(effect, Save):
            changed = (
                effect.record.changed if self._record is None else self._record.record.changed | effect.record.changed
            )
            # The notes of its step are not stored.
            self._record, self._notes = Save(replace(effect.record, changed=changed, noted=False)), []
        else:
            self._notes.append(effect)
        yield from ()  # nothing is called yet

    def flushed(self) -> Work[None]:
        """Do nothing: nothing is stored before the end of the run."""
        yield from ()

    def settle(self, effects: Sequence[Stored], *, early: bool) -> Work[None]:
        """Store the last record, and the notes after it if the run did not finish."""
        for effect in effects:
            yield from self.keep(effect)
        record, notes, self._record, self._notes = self._record, self._notes, None, []  # a failure is not tried again
        if record is not None:
            yield from self._saved.keep(record)
        for note in notes if early else ():  # without a record they belong to the one that was loaded
            yield from self._saved.keep(note)


class Beside:
    """Stores in order while the run goes on: `durability="async"`.

    A subtask of the run takes what waits, and ends when nothing does. A failure ends the run at its next step.

    A nested run belongs to a record of the run around it. What it has come to is found again by that record only, so
    it is stored after it: a process that dies in between would leave results that nobody looks for.
    """

    def __init__(self, saved: SavedThread, backend: Backend, outer: Optional[Beside] = None) -> None:
        self._saved = saved
        self._backend = backend
        self._outer = outer
        self._waiting: Deque[Stored] = deque()
        self._running: Optional[Future[Any]] = None
        self._room: Optional[Future[None]] = None
        self._failure: Optional[BaseException] = None
        self._failed = False
        self._lock = Lock()

    def keep(self, effect: Stored) -> Work[None]:
        """Store something soon; wait if too much is waiting already."""
        self._check()
        if len(self._waiting) >= _WAITING:
            yield from self._wait_for_room()
            self._check()
        with self._lock:
            self._waiting.append(effect)
            if self._running is not None:
                return
            running = self._running = Future()
        self._backend.spawn(TaskRun(copy_context(), self._store(running), CancelToken()))

    def _wait_for_room(self) -> Work[None]:
        """Wait until half of what waits is stored, or nothing more is."""
        with self._lock:
            if self._running is None:
                return
            room = self._room = self._room or Future()
        yield Join([room])

    def _make_room(self) -> None:
        with self._lock:
            room, self._room = self._room, None
        if room is not None:
            room.set_result(None)

    def _check(self) -> None:
        if self._failure is not None and not self._failed:
            self._failed = True  # it is raised once, and nothing is stored after it
            raise self._failure

    def _store(self, running: Future[Any]) -> Work[Any]:
        try:
            outer, self._outer = self._outer, None
            around = None if outer is None else outer._running
            if around is not None:
                yield Join([around])
            while self._is_waiting():
                yield from self._saved.keep(self._waiting[0])
                self._waiting.popleft()
                if self._room is not None and len(self._waiting) <= _WAITING // 2:
                    self._make_room()
        except Exception as error:
            self._failure, self._running = error, None
        except BaseException as error:  # cancelled with the run, at whose end the rest is stored
            self._running = None
            if self._backend.asynchronous or not isinstance(error, (CancelledError, StreamClosed)):
                raise
        finally:
            self._make_room()
            running.set_result(None)

    def _is_waiting(self) -> bool:
        with self._lock:
            if not self._waiting:
                self._running = None
            return self._running is not None

    def flushed(self) -> Work[None]:
        """Wait until nothing waits to be stored."""
        running = self._running
        if running is not None:
            yield Join([running])

    def settle(self, effects: Sequence[Stored], *, early: bool) -> Work[None]:
        """Wait until everything is stored."""
        self._waiting.extend(effects)
        running = self._running
        if running is not None:
            yield Join([running])
        self._check()
        while self._waiting and not self._failed:
            yield from self._saved.keep(self._waiting.popleft())
