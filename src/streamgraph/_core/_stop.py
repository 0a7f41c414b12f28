"""The signal that work is no longer wanted, passed down to everything below."""

from __future__ import annotations

import warnings
from typing import Callable, Dict, List, Optional
from weakref import ReferenceType, ref

from streamgraph.errors import StreamClosed


class Stop:
    """Tells tasks, and the graphs that run in them, to stop.

    Threads cannot be cancelled, so work in a thread looks here whenever it emits something; what can be
    cancelled registers a callback.

    Args:
        parent: The signal of what this work is part of.
    """

    __slots__ = ("__weakref__", "_below", "_callbacks", "_warned", "finished", "is_set")

    def __init__(self, parent: Optional[Stop] = None) -> None:
        self.is_set = False
        self.finished = False
        self._warned = False
        self._callbacks: List[Callable[[], None]] = []
        # Weak, since work leaves nothing behind when it ends, however long the run goes on. A dict and not a WeakSet:
        # what is below may begin and end in any thread while this is gone through, and a dict is copied at one go.
        self._below: Dict[ReferenceType[Stop], None] = {}
        if parent is not None:
            below = parent._below
            below[ref(self, below.pop)] = None
            if parent.finished:
                self.finish()
            elif parent.is_set:
                self.set()

    def on_set(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the signal is set; at once if it is already."""
        self._callbacks.append(callback)
        if self.is_set:
            callback()

    def forget(self, callback: Callable[[], None]) -> None:
        """Take back `on_set(callback)`."""
        if callback in self._callbacks:
            self._callbacks.remove(callback)

    def set(self) -> None:
        """Ask this work and everything below it to stop."""
        if not self.is_set:
            self.is_set = True
            for callback in tuple(self._callbacks):
                callback()
            for below in self._alive_below():
                below.set()

    def finish(self) -> None:
        """Mark the work as done: what is emitted from now on comes too late."""
        self.is_set = self.finished = True
        self._callbacks.clear()
        for below in self._alive_below():
            below.finish()

    def _alive_below(self) -> List[Stop]:
        return [stop for stop in (link() for link in self._below.copy()) if stop is not None]

    def refuse(self) -> None:
        """Answer an attempt to emit after the signal was set: with a warning if the work was done, else with an end.

        Raises:
            StreamClosed: The consumer has left, or a task beside this one has failed; the work is to end.
        """
        if not self.finished:
            raise StreamClosed("the consumer of this stream has left, or a task beside this one has failed")
        if not self._warned:
            self._warned = True
            warnings.warn(
                "A stream writer was used after its run had ended; what it wrote is lost.",
                RuntimeWarning,
                stacklevel=4,
            )
