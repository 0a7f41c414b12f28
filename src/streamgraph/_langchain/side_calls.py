"""Tool calls that run side by side in one task: what is counted in them, whichever comes first.

A task counts its questions, the graphs and the `@task`s that are called in it, and finds by these numbers what it came
to before, when it runs again. Calls that run at the same time arrive in any order, so each of them counts for itself.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Dict, List, Optional, Sequence, Tuple

from typing_extensions import Literal

Counted = Literal["graphs", "tasks"]

_current: ContextVar[Optional[SideCall]] = ContextVar("streamgraph_side_call", default=None)


class SideCall:
    """One of several tool calls that run side by side.

    Args:
        owner: The scope of the task that they run in.
        key: Tells the call from the others of its task.
        position: Its place among them.
        count: How many they are.
        graphs: The number of graphs that the task had called before.
        tasks: The number of `@task`s that it had called before.

    Attributes:
        key: See above.
        sent: What was written to the state while the call ran.
    """

    __slots__ = ("_count", "_first", "_next", "_owner", "key", "sent")

    def __init__(self, owner: object, key: str, position: int, count: int, *, graphs: int, tasks: int) -> None:
        self._owner = owner
        self._count = count
        self._first: Dict[Counted, int] = {"graphs": graphs + position, "tasks": tasks + position}
        self.key = key
        self.begin_again()

    def begin_again(self) -> None:
        """Count from the first number on, since the call is made again."""
        self._next = dict(self._first)
        self.sent: List[Tuple[str, object]] = []

    def belongs_to(self, owner: object) -> bool:
        """Return whether the call runs in this task itself, not in a task around it."""
        return self._owner is owner

    def number(self, what: Counted) -> int:
        """Return the number of the next graph or `@task` in the call.

        With one in each call the numbers are those of calls that come one after the other.
        """
        number = self._next[what]
        self._next[what] = number + self._count
        return number

    def enter(self) -> None:
        """Make this the call of the current context, which must be a copy made for it."""
        _current.set(self)


def side_call(owner: object) -> Optional[SideCall]:
    """Return the one of several tool calls of a task in whose name the calling code runs, or `None`.

    Args:
        owner: The scope of the task.
    """
    call = _current.get()
    return call if call is not None and call.belongs_to(owner) else None


def keys_of(ids: Sequence[Optional[str]], batch: int) -> List[str]:
    """Return what tells tool calls apart: their ids, as far as these do.

    Args:
        ids: The ids that the model has given.
        batch: The number of times that the task has run tool calls before.
    """
    keys = [id_ if id_ and ids.count(id_) == 1 else f"{id_ or ''}#{position}" for position, id_ in enumerate(ids)]
    return [f"{key}@{batch}" for key in keys] if batch else keys
