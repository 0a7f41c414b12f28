"""Streams that nobody reads any more: those that were dropped, and those that are open when the interpreter ends.

Neither moment is one to do the work of ending a run in. The collector may drop a stream anywhere, inside a lock that a
node's clean-up wants, or on an event loop; and what threads wait for when the interpreter has begun to take itself
apart never comes. So a dropped stream is ended by a thread of its own, and the rest before the interpreter waits for
its threads.
"""

from __future__ import annotations

import _thread
import sys
import threading
from collections import deque
from contextlib import suppress
from time import sleep
from types import SimpleNamespace
from typing import Deque, Dict, List
from weakref import ReferenceType, ref

from typing_extensions import Protocol

_PAUSE = 0.05
"""Seconds between two looks at the streams that other threads still read while the interpreter ends."""


class Unread(Protocol):
    """A stream that is open."""

    def is_read(self) -> bool:
        """Whether there is still a thread that may go on reading, once the main thread has come to its end."""

    def abandon(self) -> None:
        """End the run; from any thread."""


_open: Dict[int, ReferenceType[Unread]] = {}
_dropped: Deque[Unread] = deque()
_registered = False


def opened(stream: Unread) -> None:
    """Take note of a stream whose run has begun."""
    global _registered
    _open[id(stream)] = ref(stream)
    if not _registered:
        _registered = True
        # Before the interpreter waits for threads, and before executors are closed; the public atexit comes after that.
        with suppress(AttributeError, RuntimeError):  # it is not there, or that is what is happening
            threading._register_atexit(_end_all)  # type: ignore[attr-defined]


def over(stream: Unread) -> None:
    """Take note that a run has ended."""
    _open.pop(id(stream), None)


def drop(stream: Unread) -> None:
    """End a run in another thread; this may be called anywhere, for it takes no lock and waits for nothing."""
    over(stream)
    _dropped.append(stream)
    # A Thread waits until it has begun, and for that the lock may be needed in the middle of which the collector came.
    with suppress(RuntimeError):  # no more threads: the stream is ended with the next one, or when the interpreter ends
        _thread.start_new_thread(_begin_ending, ())


def has_reader(ident: int) -> bool:
    """Whether a thread is there that goes on when the main thread has come to its end."""
    return any(
        thread.ident == ident and not thread.daemon and thread is not threading.main_thread()
        for thread in threading.enumerate()
    )


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
    except BaseException as error:
        # A handler of the user's that insists on its own errors: what a finalizer raises is reported here as well.
        about = SimpleNamespace(
            exc_type=type(error),
            exc_value=error,
            exc_traceback=error.__traceback__,
            err_msg="Exception ignored while a stream that nobody reads was ended",
            object=stream,
        )
        sys.unraisablehook(about)  # type: ignore[arg-type]


def _end_all() -> None:
    """End what nobody reads any more now that the main thread has come to its end."""
    _end_dropped()
    if _end_unread():
        threading.Thread(target=_end_later, name="streamgraph-ending", daemon=True).start()


def _end_unread() -> bool:
    """End the open streams that have no reader; returns whether there are others."""
    streams: List[Unread] = [stream for stream in (link() for link in tuple(_open.values())) if stream is not None]
    read = [stream.is_read() for stream in streams]
    for stream, is_read in zip(streams, read):
        if not is_read:
            _end(stream)
    return any(read)


def _end_later() -> None:
    """End the others when their readers have gone: their threads would keep the process from ending."""
    while _end_unread():
        sleep(_PAUSE)
