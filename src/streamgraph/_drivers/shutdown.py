"""Ends the runs of streams without a consumer: dropped streams, and open ones at the end of the interpreter.

Neither moment allows the work of ending a run. The collector may drop a stream anywhere, for example inside a lock that
a node's clean-up needs, or on an event loop; and after the interpreter has begun to finalize, threads may wait for
ever. So dropped streams are ended by a separate thread, and the others before the interpreter joins its threads.
"""

from __future__ import annotations

import _thread
import logging
import threading
from collections import deque
from typing import Deque, Dict, List
from weakref import ReferenceType, ref

from typing_extensions import Protocol

from streamgraph._compat.cpython import before_threads_are_awaited

_log = logging.getLogger("streamgraph")


class Unread(Protocol):
    """Interface of an open stream."""

    def has_reader(self) -> bool:
        """Return True if a thread may still consume the stream after the end of the main thread."""

    def abandon(self) -> None:
        """End the run; from any thread."""

    def tell(self) -> None:
        """Set the cancel token of the run without waiting."""


class Reader:
    """A thread that consumes streams; only the thread keeps this object alive, so that it ends with it.

    Args:
        thread: The thread.
    """

    __slots__ = ("__weakref__", "_ends", "thread")

    def __init__(self, thread: threading.Thread) -> None:
        self.thread = thread
        self._ends = False

    def __del__(self) -> None:
        self._ends = True  # weak references can still reach it
        if _open and _Exit.has_come:  # module globals are None late in the interpreter's shutdown
            for stream in _streams_without_consumer():
                drop(stream)

    def goes_on(self) -> bool:
        """Return True if the thread goes on after the end of the main thread."""
        return not (self._ends or self.thread.daemon or self.thread is threading.main_thread())


class _Exit:
    """The end of the main thread.

    Attributes:
        registered: `_end_all` will be called then.
        has_come: The main thread has ended.
    """

    registered = has_come = False


_open: Dict[int, ReferenceType[Unread]] = {}
_dropped: Deque[Unread] = deque()


class _CurrentThread(threading.local):
    """The calling thread.

    Attributes:
        reader: The thread as a consumer.
        link: A weak reference to `reader`.
    """

    def __init__(self) -> None:
        self.reader = Reader(threading.current_thread())
        self.link = ref(self.reader)


HERE = _CurrentThread()


def opened(stream: Unread) -> None:
    """Record a stream whose run has begun."""
    _open[id(stream)] = ref(stream)
    if not _Exit.registered:
        _Exit.registered = True
        _Exit.has_come = not before_threads_are_awaited(_end_all)


def over(stream: Unread) -> None:
    """Record that the run of a stream has ended."""
    _open.pop(id(stream), None)


def drop(stream: Unread) -> None:
    """End a run in another thread; safe anywhere, since it takes no lock and never blocks."""
    over(stream)
    _dropped.append(stream)
    try:
        # Thread.start waits for the thread to begin and may take a lock that the collector has interrupted.
        _thread.start_new_thread(_begin_ending, ())
    except RuntimeError:  # no more threads, for example in the shutdown of Python 3.12
        stream.tell()


def is_exiting() -> bool:
    """Return True if the main thread has ended."""
    return _Exit.has_come


def _begin_ending() -> None:
    if _dropped:
        # `daemon` is given, or it would be looked up in the current thread, which has no Thread object.
        threading.Thread(target=_end_dropped, name="streamgraph-ending", daemon=False).start()


def _end_dropped() -> None:
    while _dropped:
        try:
            stream = _dropped.popleft()
        except IndexError:  # another thread was faster
            return
        _end(stream)


def _end(stream: Unread) -> None:
    try:
        stream.abandon()
    except BaseException:
        # A user's handler with raise_error; there is no caller to raise to.
        _log.exception("The run of a stream that nobody reads could not be ended as it should")


def _streams_without_consumer() -> List[Unread]:
    """Return the open streams without a consumer: their threads would keep the process from ending."""
    streams = [link() for link in tuple(_open.values())]
    return [stream for stream in streams if stream is not None and not stream.has_reader()]


def _end_all() -> None:
    """End all streams without a consumer, at the end of the main thread."""
    _Exit.has_come = True
    _end_dropped()
    for stream in _streams_without_consumer():
        _end(stream)
