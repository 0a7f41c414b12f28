"""Cancel tokens, which stop work and all work below it."""

from __future__ import annotations

from typing import Callable, Dict, List, Optional
from weakref import ReferenceType, ref

from streamgraph.errors import StreamClosed


class CancelToken:
    """Tells tasks, and the graphs that run in them, to stop.

    Threads cannot be cancelled, so work in a thread checks its token whenever it emits a part. Work that can be
    cancelled registers a callback.

    Args:
        *parents: The tokens of the enclosing work; setting one of them also sets this one.

    Attributes:
        is_set: The work is cancelled, or finished.
        finished: The work is done.
        runner: Runs the tasks of this token, for code that has to wait for them.
    """

    __slots__ = ("__weakref__", "_below", "_callbacks", "_parents", "finished", "is_set", "runner")

    def __init__(self, *parents: CancelToken) -> None:
        self.is_set = False
        self.finished = False
        # Strong references: the parents' own work may be over, but this token is reached from the tokens above only
        # through them.
        self._parents = parents
        self.runner: Optional[object] = None
        self._callbacks: List[Callable[[], None]] = []
        # Weak, so that ended work leaves nothing behind in a long run. A dict instead of a WeakSet: children may begin
        # and end in any thread during an iteration, and a dict is copied in one operation.
        self._below: Dict[ReferenceType[CancelToken], None] = {}
        for parent in parents:
            descendants = parent._below
            descendants[ref(self, descendants.pop)] = None
            if parent.finished:
                self.finish()
            elif parent.is_set:
                self.set()

    def on_set(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the token is set; immediately if it already is."""
        self._callbacks.append(callback)
        if self.is_set:
            callback()

    def forget(self, callback: Callable[[], None]) -> None:
        """Undo `on_set(callback)`."""
        if callback in self._callbacks:
            self._callbacks.remove(callback)

    # Iterative, level by level, since graphs may be nested deeper than the call stack allows. A child that is created
    # meanwhile checks its parents, which are set by then.

    def set(self) -> None:
        """Cancel this work and everything below it."""
        reached = [self]
        for stop in reached:
            if not stop.is_set:
                stop.is_set = True
                for callback in tuple(stop._callbacks):
                    callback()
                reached += stop._children()

    def finish(self) -> None:
        """Mark the work as done: parts emitted later are dropped."""
        reached = [self]
        for stop in reached:
            stop.is_set = stop.finished = True
            stop._callbacks.clear()
            reached += stop._children()

    def descendants(self) -> List[CancelToken]:
        """Return the tokens below this one, at every depth."""
        reached = self._children()
        for stop in reached:
            reached += stop._children()
        return reached

    def check(self) -> None:
        """Raise if the work is cancelled; return if it is finished.

        Raises:
            StreamClosed: The consumer has left, or another task of the step has failed.
        """
        if self.is_set and not self.finished:
            raise StreamClosed

    def _children(self) -> List[CancelToken]:
        return [stop for stop in (link() for link in self._below.copy()) if stop is not None]
