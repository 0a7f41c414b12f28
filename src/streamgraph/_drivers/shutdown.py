"""Streams that nobody reads any more: those that were dropped, and those that are open when the interpreter ends.

Neither moment is one to do the work of ending a run in. The collector may drop a stream anywhere, inside a lock that a
node's clean-up wants, or on an event loop; and what threads wait for when the interpreter has begun to take itself
apart never comes. So a dropped stream is ended by a thread of its own, and the rest before the interpreter waits for
its threads.
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
    """A stream that is open."""

    def has_reader(self) -> bool:
        """Whether there is a thread that may go on reading once the main thread has come to its end."""

    def abandon(self) -> None:
        """End the run; from any thread."""

    def tell(self) -> None:
        """Tell what runs to stop, and wait for nothing."""


class Reader:
    """A thread that reads; it is kept by nothing but the thread, and goes with it.

    Args:
        thread: The thread.
    """

    __slots__ = ("__weakref__", "_ends", "thread")

    def __init__(self, thread: threading.Thread) -> None:
        self.thread = thread
        self._ends = False

    def __del__(self) -> None:
        self._ends = True  # it can still be found by its links
        if _open and _Exit.has_come:  # the module's own names go, too, when the interpreter does
            for stream in _unread():
                drop(stream)

    def goes_on(self) -> bool:
        """Whether it goes on when the main thread has come to its end."""
        return not (self._ends or self.thread.daemon or self.thread is threading.main_thread())


class _Exit:
    """The end of the main thread, as far as it is told of here.

    Attributes:
        registered: It will be told of.
        has_come: It has been.
    """

    registered = has_come = False


_open: Dict[int, ReferenceType[Unread]] = {}
_dropped: Deque[Unread] = deque()


class _Here(threading.local):
    """The thread that asks.

    Attributes:
        reader: The thread as a reader.
        link: The same, for those that must not keep it.
    """

    def __init__(self) -> None:
        self.reader = Reader(threading.current_thread())
        self.link = ref(self.reader)


HERE = _Here()


def opened(stream: Unread) -> None:
    """Take note of a stream whose run has begun."""
    _open[id(stream)] = ref(stream)
    if not _Exit.registered:
        _Exit.registered = True
        _Exit.has_come = not before_threads_are_awaited(_end_all)


def over(stream: Unread) -> None:
    """Take note that a run has ended."""
    _open.pop(id(stream), None)


def drop(stream: Unread) -> None:
    """End a run in another thread; this may be called anywhere, for it takes no lock and waits for nothing."""
    over(stream)
    _dropped.append(stream)
    try:
        # A Thread waits until it has begun, for which a lock may be needed in the middle of which the collector came.
        _thread.start_new_thread(_begin_ending, ())
    except RuntimeError:  # there can be no more threads, as when Python 3.12 comes to its end
        stream.tell()


def is_exiting() -> bool:
    """Whether the main thread has come to its end."""
    return _Exit.has_come


def _begin_ending() -> None:
    if _dropped:
        # Said to be no daemon, or it would have to know the thread it is started in, which has no name.
        threading.Thread(target=_end_dropped, name="streamgraph-ending", daemon=False).start()


def _end_dropped() -> None:
    while _dropped:
        try:
            stream = _dropped.popleft()
        except IndexError:  # another thread has taken it
            return
        _end(stream)


def _end(stream: Unread) -> None:
    try:
        stream.abandon()
    except BaseException:
        # A handler of the user's that insists on its own errors; there is nobody to raise them to.
        _log.exception("The run of a stream that nobody reads could not be ended as it should")


def _unread() -> List[Unread]:
    """Return the open streams that have no reader: their threads would keep the process from ending."""
    streams = [link() for link in tuple(_open.values())]
    return [stream for stream in streams if stream is not None and not stream.has_reader()]


def _end_all() -> None:
    """End what nobody reads any more now that the main thread has come to its end."""
    _Exit.has_come = True
    _end_dropped()
    for stream in _unread():
        _end(stream)
