"""What the soak knows: its processes, its runs, and their readers."""

from __future__ import annotations

import multiprocessing
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

_context = multiprocessing.get_context("forkserver")


class Process:
    """A process, and the pipe to it."""

    def __init__(self, target: Callable[..., None], options: Dict[str, Any]) -> None:
        self.connection, other = _context.Pipe()
        self._process = _context.Process(target=target, args=(other, options), daemon=True)
        self._process.start()
        other.close()
        self.stopped = False
        self.runs: Set[str] = set()
        self.readers: Set[int] = set()
        self.began = time.monotonic()

    def order(self, *what: object) -> None:
        """Tell it what to do; one that has died is told nothing."""
        with suppress(OSError):
            self.connection.send(what)

    def told(self) -> Iterator[Tuple[Any, ...]]:
        """What it has told meanwhile."""
        try:
            while self.connection.poll():
                yield self.connection.recv()
        except (EOFError, OSError):  # it was killed, perhaps while it told something
            return

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self._process.pid or 0, number)

    def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        self._process.kill()
        self._process.join()
        self.stopped = False

    def end(self) -> bool:
        """Let it end; return whether it has."""
        self.order("end")
        self._process.join(20)
        return self._process.exitcode == 0


class Run:
    """What is known of a run.

    Attributes:
        drivers: The processes that drive it, by attempt.
        takeovers: How many attempts are still to begin.
        ended: How the newest attempt has ended.
        dead: When the last process that drove it was killed or stopped.
        readers: How many readers are not through with it.
    """

    def __init__(self, run_id: str, given: Dict[str, Any]) -> None:
        self.run_id = run_id
        self.given = given
        self.attempt = 0
        self.drivers: List[Process] = []
        self.begun = 0
        self.takeovers = 0
        self.ended: Optional[str] = None
        self.dead: Optional[float] = None
        self.readers = 0
        self.cancelled = False

    def __repr__(self) -> str:
        return f"the run {self.run_id} ({self.ended}, attempt {self.attempt} of {self.begun}, {self.given})"

    @property
    def goes_on(self) -> bool:
        """Whether something may still come."""
        return bool(self.drivers or self.takeovers)


class Reader:
    """One reader, wherever it is at the moment."""

    def __init__(self, number: int, run: Run, path: Path, modes: Tuple[str, ...]) -> None:
        self.number = number
        self.run = run
        self.path = path
        self.modes = modes
        self.waits_since: Optional[float] = None


def prepare() -> None:
    """Let new processes be there at once."""
    _context.set_forkserver_preload(["integrations.redis_events.soak_processes"])
