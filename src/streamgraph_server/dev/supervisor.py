"""The process that stays: it keeps the port, watches files, and starts the graphs anew when one of them changes."""

from __future__ import annotations

import multiprocessing
import signal
import socket
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Protocol, Sequence, Set

from watchfiles import Change, DefaultFilter, watch

from streamgraph_server.dev import child
from streamgraph_server.dev.child import Job, Report

_LOOKS_EVERY = 100
"""Milliseconds between two looks at the process that serves."""

_PATIENCE = 3.0
"""Seconds, beside those of its runs, that a process gets to end before it is ended."""


class Watched:
    """Which changes are worth a new start: of Python files in some folders, and of anything in others.

    Args:
        program: The folder of the program.
        also: Further files and folders, of any kind.
    """

    def __init__(self, program: Optional[Path], also: Sequence[Path] = ()) -> None:
        self.folder = program
        self._also = [path.resolve() for path in also]
        self._sensible = DefaultFilter()

    @property
    def paths(self) -> List[Path]:
        """What is watched."""
        return [*([] if self.folder is None else [self.folder]), *self._also]

    @property
    def recursive(self) -> bool:
        """Whether folders within them are watched: not those of a home folder, which can be a whole disk."""
        return self.folder is None or self.folder not in (Path.home(), Path(self.folder.anchor))

    def wants(self, change: Change, path: str) -> bool:
        """Return whether a change counts."""
        if not self._sensible(change, path):
            return False
        return path.endswith(".py") or any(Path(path) == also or also in Path(path).parents for also in self._also)


class Teller(Protocol):
    """What is told what happens."""

    def serving(self, report: Report) -> None:
        """The graphs are there, or could not be loaded."""

    def changed(self, paths: Sequence[str]) -> None:
        """Files have changed."""

    def died(self, status: Optional[int]) -> None:
        """The process that serves has ended by itself."""


class Supervisor:
    """Serves a job in one process after the other, on one socket.

    Clients that come while a new process starts wait on the socket and are answered by it.

    Args:
        job: What to serve.
        listening: The socket.
        tell: Is told what happens.
    """

    def __init__(self, job: Job, listening: socket.socket, tell: Teller) -> None:
        self._job = job
        self._listening = listening
        self._tell = tell
        # A process that was forked would have the modules of this one, and those of the program among them.
        self._context = multiprocessing.get_context("spawn")
        self._process: Optional[BaseProcess] = None
        self._connection: Optional[Connection] = None

    def run(self, watched: Watched) -> None:
        """Serve until this process is interrupted.

        Args:
            watched: What to watch.
        """
        try:
            self._start()
            for changes in _changes(watched):
                self._look()
                if changes:
                    self._tell.changed(sorted(changes))
                    self._stop()
                    self._start()
        finally:
            self._stop()

    def _start(self) -> None:
        ours, theirs = self._context.Pipe()
        self._process = self._context.Process(
            target=child.main, args=(self._job, self._listening, theirs), name="streamgraph-dev"
        )
        with _uninterrupted():
            self._process.start()
        theirs.close()
        self._connection = ours

    def _look(self) -> None:
        """Pass on what the process has said, and note if it has ended."""
        connection, process = self._connection, self._process
        if connection is None or process is None:
            return
        try:
            while connection.poll():
                report = connection.recv()
                assert isinstance(report, Report)
                self._tell.serving(report)
        except (EOFError, OSError):
            process.join(_PATIENCE)
            self._stop()
            self._tell.died(process.exitcode)

    def _stop(self) -> None:
        process, self._process = self._process, None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()  # which tells the process
        if process is None:
            return
        steps: List[Callable[[], None]] = [lambda: None, process.terminate, process.kill]
        for step in steps:
            step()
            process.join(_PATIENCE + self._job.drain)
            if process.exitcode is not None:
                break


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C be no matter of a process that is started meanwhile: it gets its own sign to stop.

    Of this process it is, as soon as the other one is there.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        return
    # What is blocked in the thread that starts a process is blocked in that. Another thread may still get the signal.
    resource_tracker.ensure_running()  # it would be started together with the process, and let all signals in
    came: List[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


def _changes(watched: Watched) -> Iterator[Set[str]]:
    """Yield the paths that have changed and count, a set about each tenth of a second, empty if there are none."""
    found = watch(
        # Nothing to watch is nothing to wait for, but the look at the process has to go on.
        *(watched.paths or [Path(__file__)]),
        watch_filter=None,
        step=_LOOKS_EVERY // 2,
        rust_timeout=_LOOKS_EVERY,
        yield_on_timeout=True,
        recursive=watched.recursive,
        ignore_permission_denied=True,
    )
    for changes in found:
        yield {path for change, path in changes if watched.wants(change, path)}
