"""The signal that work is no longer wanted, passed down to everything below."""

from __future__ import annotations

from typing import Callable, Dict, List, Optional
from weakref import ReferenceType, ref

from streamgraph.errors import StreamClosed


class CancelToken:
    """Tells tasks, and the graphs that run in them, to stop.

    Threads cannot be cancelled, so work in a thread looks here whenever it emits something; what can be
    cancelled registers a callback.

    Args:
        *parents: The signals of what this work is part of; each of them sets this one too.

    Attributes:
        runner: What runs the tasks of this signal, for those who have to wait for them.
    """

    __slots__ = ("__weakref__", "_above", "_below", "_callbacks", "finished", "is_set", "runner")

    def __init__(self, *parents: CancelToken) -> None:
        self.is_set = False
        self.finished = False
        # They are there as long as this is, though what they belong to may be over: this hears by them of those above.
        self._above = parents
        self.runner: Optional[object] = None
        self._callbacks: List[Callable[[], None]] = []
        # Weak, since work leaves nothing behind when it ends, however long the run goes on. A dict and not a WeakSet:
        # what is below may begin and end in any thread while this is gone through, and a dict is copied at one go.
        self._below: Dict[ReferenceType[CancelToken], None] = {}
        for parent in parents:
            descendants = parent._below
            descendants[ref(self, descendants.pop)] = None
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

    # Graphs may be nested deeper than calls may, so these go down level by level. What begins below meanwhile looks up
    # to what is set by then.

    def set(self) -> None:
        """Ask this work and everything below it to stop."""
        reached = [self]
        for stop in reached:
            if not stop.is_set:
                stop.is_set = True
                for callback in tuple(stop._callbacks):
                    callback()
                reached += stop._children()

    def finish(self) -> None:
        """Mark the work as done: what is emitted from now on comes too late."""
        reached = [self]
        for stop in reached:
            stop.is_set = stop.finished = True
            stop._callbacks.clear()
            reached += stop._children()

    def descendants(self) -> List[CancelToken]:
        """Return the signals below this one, at every depth."""
        reached = self._children()
        for stop in reached:
            reached += stop._children()
        return reached

    def check(self) -> None:
        """End work that is no longer wanted.

        Raises:
            StreamClosed: The consumer has left, or a task beside this one has failed.
        """
        if self.is_set and not self.finished:
            raise StreamClosed

    def _children(self) -> List[CancelToken]:
        return [stop for stop in (link() for link in self._below.copy()) if stop is not None]
