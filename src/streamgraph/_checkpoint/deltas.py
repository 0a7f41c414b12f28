"""Which values are left out of a record, because the notes of its step say what was written to them.

A list that grows by one item in each step would be stored as often as there are steps. The writes of the tasks are
stored as well, on the record before, so the value can be made again from an earlier one and these writes
(`_checkpoint/replaying.py`). That is the form of LangGraph's `DeltaChannel`.
"""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Sequence, Set, Tuple

from streamgraph._checkpoint.ids import path_text
from streamgraph._core.plan import Channel, Plan
from streamgraph._core.record import Record
from streamgraph._core.state import unwrap
from streamgraph._core.task import Task

COUNTERS = "counters_since_delta_snapshot"
"""The entry of the metadata with the numbers of updates and of steps since a value was stored, LangGraph's name."""

_MOST_UPDATES = 100
"""After how many updates of a key its value is stored again, unless a `DeltaChannel` says otherwise."""

_MOST_STEPS = 1000
"""After how many steps the value of a key is stored again: some savers look through all of them."""

_MARKS = frozenset(("__error__", "__scheduled__", "__interrupt__", "__resume__"))
"""What may be stored for a task that has not finished; such a task writes nothing when it runs again."""


class Deltas:
    """Decides what is left out of the records of one run.

    A key is left out if the record before is the one that the notes of the step were stored with, and if these notes
    are all that was ever written to it there. So the first record after another branch of the thread, after an update,
    or after a step that had begun before has the whole value.

    Args:
        plan: The graph.
        everything: All keys with a reducer are stored in this way, not only those with a `DeltaChannel`.
        ordered: The saver returns the writes of a step in the order of its tasks.

    Attributes:
        keys: The keys of which writes are stored in place of values.
        absent: The keys whose value is not stored under their current version.
    """

    def __init__(self, plan: Plan, *, everything: bool, ordered: bool) -> None:
        limits = {key: _most_updates(channel, everything) for key, channel in plan.channels.items()}
        self._limits: Dict[str, int] = {key: limit for key, limit in limits.items() if limit is not None}
        self._ordered = ordered
        self.keys: FrozenSet[str] = frozenset(self._limits)
        self.absent: Set[str] = set()
        self._since: Dict[str, Tuple[int, int]] = {}
        self._last: Optional[str] = None
        self._begun = False
        self._notes: List[Tuple[str, Task]] = []
        self._written: Set[str] = set()
        self._whole: Set[str] = set()

    def loaded(self, stored: Any, absent: Sequence[str]) -> None:
        """Take over the record that the run continues from.

        Args:
            stored: The saver's tuple.
            absent: The keys whose values it does not have.
        """
        self._last = stored.checkpoint["id"]
        self.absent = set(absent)
        self._since = {key: tuple(pair) for key, pair in (stored.metadata.get(COUNTERS) or {}).items()}
        self._begun = any(name not in _MARKS for _, name, _ in stored.pending_writes or ())

    def noted(self, task: Task, writes: Sequence[Tuple[str, object]]) -> None:
        """Learn what a task has written, which is stored on the record before its step.

        Args:
            task: The task.
            writes: Its stored writes.
        """
        for key, value in writes:
            if key in self._limits:
                self._written.add(key)
                # What is written beside a value that replaces the current one is dropped, and not from the notes.
                if unwrap(value)[0]:
                    self._whole.add(key)
        self._notes.append((path_text(task.path), task))

    def replace(self, writes: Sequence[Tuple[str, object]]) -> None:
        """Learn what a task has written and what is stored nowhere but in the next record."""
        self._whole.update(key for key, _ in writes)

    def left_out(self, record: Record, parent: Optional[str], versions: Mapping[str, object]) -> FrozenSet[str]:
        """Return the keys that are left out of a record, which is stored next.

        Args:
            record: The record.
            parent: The id of the record before it.
            versions: The versions of the keys in that record, of those that have one or get one now.
        """
        left: Set[str] = set()
        follows = parent is not None and parent == self._last and not self._begun
        if follows and self._is_in_order():
            for key in self._limits:
                if key in versions and self._is_known(key, record) and not self._is_due(key, record):
                    left.add(key)
        since = self._since
        self._since = {key: _counted(since.get(key, (0, 0)), key in record.changed) for key in left}
        return frozenset(left)

    def stored(self, id_: str, left: FrozenSet[str], changed: FrozenSet[str]) -> None:
        """Learn that a record is being stored; what is noted from now on belongs to it.

        Args:
            id_: The id of the record.
            left: The keys that it lacks.
            changed: The keys that it has with new versions.
        """
        self.absent = (self.absent | left & changed) - (changed - left)
        self._last, self._begun = id_, False
        self._notes.clear()
        self._written.clear()
        self._whole.clear()

    def about(self, metadata: Dict[str, Any]) -> Dict[str, Any]:
        """Return the metadata of a record with the numbers of updates and steps, if something is left out of it."""
        return {**metadata, COUNTERS: dict(self._since)} if self._since else metadata

    def _is_known(self, key: str, record: Record) -> bool:
        """Return whether the notes of the step are what makes the value of a key from the one before."""
        if key not in record.changed:
            return key not in self._written and key not in self._whole
        return record.noted and key not in self._whole

    def _is_due(self, key: str, record: Record) -> bool:
        updates, steps = _counted(self._since.get(key, (0, 0)), key in record.changed)
        return updates >= self._limits[key] or steps >= _MOST_STEPS

    def _is_in_order(self) -> bool:
        """Return whether whoever reads the notes gets them in the order in which they count."""
        notes = self._notes
        if len(notes) < 2:
            return True
        by_path = sorted(notes, key=lambda note: (note[0], note[1].id))
        in_order = sorted(notes, key=lambda note: note[1].order)
        different = len({task.id for _, task in notes}) == len(notes)
        return self._ordered and different and [task for _, task in by_path] == [task for _, task in in_order]


def _most_updates(channel: Channel, everything: bool) -> Optional[int]:
    template = channel.template
    if template is not None:
        frequency = getattr(template.made, "snapshot_frequency", None) if template.saves_value else None
        return frequency if isinstance(frequency, int) else None
    return _MOST_UPDATES if everything and channel.reduce is not None else None


def _counted(since: Tuple[int, int], changed: bool) -> Tuple[int, int]:
    return since[0] + changed, since[1] + 1
