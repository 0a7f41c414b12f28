"""What both kinds of stream have in common."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Deque, Dict, Optional

from streamgraph._core._commands import Command, Emit
from streamgraph._core._events import Event, TaskFailed
from streamgraph._core._outlet import NO_CHUNK
from streamgraph._seam import Job, Partial, Session, raisable

_THREADS = 1024  # a bound for steps of any width; a thread is only started when all others are busy


class Pool:
    """The threads of one run, started when the first is needed.

    Attributes:
        leaving: The run is ending before its time; nobody waits for what its threads still do.
    """

    def __init__(self) -> None:
        self.leaving = False
        self._threads: Optional[ThreadPoolExecutor] = None

    def open(self) -> ThreadPoolExecutor:
        """Return the pool, ready for work."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="streamgraph")
        return self._threads

    def leave(self) -> None:
        """Take note that nobody waits any more."""
        self.leaving = True

    def close(self) -> None:
        """Let the threads end as soon as what they do is done."""
        if self._threads is not None:
            self._threads.shutdown(wait=False)


class Stream:
    """The state of a run that is being read.

    Args:
        session: The run.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._outlet = session.outlet
        self._commands: Deque[Command] = deque()
        self._jobs: Dict[str, Job] = {}
        self._pool = Pool()
        self._begun = False
        self._ended = False
        self._output: Any = None

    @property
    def output(self) -> Any:
        """The final state as `invoke` returns it, known once the stream is exhausted.

        Raises:
            RuntimeError: The run is not over yet, has failed, or was left early.
        """
        if not self._session.stop.finished:
            raise RuntimeError("The output is known when the stream is exhausted; this run is not over or ended early.")
        return self._output

    @property
    def partial(self) -> Partial:
        """What there is so far: message texts, and the state after the last finished step.

        For a run that was left, was cancelled or has failed: what the user has seen need not be thrown away.
        """
        return self._session.partial()

    def _chunk(self, command: Emit) -> Any:
        """Pass a part of the run on; return its chunk, or `NO_CHUNK` if it is not for the consumer."""
        part = command.part
        self._outlet.forward(part)
        return self._outlet.shape(part) if self._outlet.is_own(part) else NO_CHUNK

    def _feed(self, event: Event) -> None:
        self._jobs.pop(event.task.id, None)
        if isinstance(event, TaskFailed):
            event.error = raisable(event.task, event.error)
        self._commands.extend(self._session.run.feed(event))
