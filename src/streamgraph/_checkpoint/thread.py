"""One run on a thread: loads its last checkpoint, gives records their ids, and stores them as the run goes on."""

from __future__ import annotations

from datetime import datetime, timezone
from time import monotonic
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Tuple

from streamgraph._checkpoint.channels import BRANCH, NO_WRITES, START_CHANNEL, to_channels, to_writes
from streamgraph._checkpoint.deltas import Deltas
from streamgraph._checkpoint.distribution import new_id
from streamgraph._checkpoint.head_check import HeadCheck
from streamgraph._checkpoint.ids import RecordIds, input_id, path_text
from streamgraph._checkpoint.reading import (
    BY_CALL,
    ERROR,
    FORMAT,
    HANDLED,
    INTERRUPT,
    RESUME,
    Loaded,
    commanded_writes,
)
from streamgraph._checkpoint.replaying import absent_keys, read_whole
from streamgraph._checkpoint.saver import Saver
from streamgraph._checkpoint.time_travel import Origin, TimeTravel
from streamgraph._checkpoint.unstorable import unstorable
from streamgraph._checkpoint.untracked import tracked_writes, untracked_keys, without
from streamgraph._checkpoint.wire import to_stored
from streamgraph._core.effects import Note, Save
from streamgraph._core.plan import Node, Plan
from streamgraph._core.record import AboutRecord, Record
from streamgraph._core.results import TaskResult
from streamgraph._core.task import NO_TASK, Task
from streamgraph._protocols import Work
from streamgraph._types import Storage
from streamgraph.errors import ThreadMovedError

_NO_KEYS: FrozenSet[str] = frozenset()

_STARTING = (BRANCH, "join:")


class SavedThread:
    """Stores the records of one run, in a namespace of a thread.

    Args:
        plan: The graph.
        saver: The saver.
        thread_id: The thread.
        ns: The namespace of the graph.
        checkpoint_id: The checkpoint to continue from; by default the last one.
        metadata: The user's metadata to be stored with each checkpoint.
        parents: The ids of the checkpoints of the runs around this one, by namespace.
        configurable: What the user has put under `configurable`, for streams that show checkpoints.
        storage: How keys with a reducer are stored.
        travel: Where nested runs continue from, if the root run was asked for an earlier checkpoint.

    Attributes:
        thread_id: The thread.
        head: The id of the last record; `None` on an empty thread.
        asked: The id of the checkpoint that was asked for; `None` for the last one.
        origin: Which checkpoint the run continues from.
        superseded: The thread has gone on after that one.
    """

    def __init__(
        self,
        plan: Plan,
        saver: Saver,
        thread_id: str,
        ns: Tuple[str, ...] = (),
        *,
        checkpoint_id: Optional[str] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        parents: Optional[Mapping[str, str]] = None,
        configurable: Optional[Mapping[str, Any]] = None,
        storage: Storage = "full",
        travel: Optional[TimeTravel] = None,
    ) -> None:
        self._plan = plan
        self._saver = saver
        self.thread_id = thread_id
        self._ns = ns
        self._checkpoint_ns = "|".join(ns)
        self.asked = checkpoint_id
        self._untracked = untracked_keys(plan) if plan.templates else _NO_KEYS
        self.origin: Origin = "last" if checkpoint_id is None else "asked"
        self.superseded = False
        self._travel = travel
        self._metadata = metadata or {}
        self._parents = parents or {}
        self._configurable = configurable or {}
        self.head: Optional[str] = None
        self._versions: Dict[str, Any] = {}
        self._others: Mapping[str, object] = {}
        self._seen: Mapping[str, Mapping[str, Any]] = {}
        self._stored: Optional[str] = None
        self._parent: Optional[str] = None
        self._before: Optional[str] = None
        self._last_metadata: Mapping[str, Any] = {}
        # The ids of the last records, by their steps: what a task has come to belongs to the record before its step.
        self._ids: Dict[int, str] = {}
        # What commands have changed since the last record: savers keep the first writes of a task at each position.
        self._commanded: List[Tuple[str, object]] = []
        # What was being stored when the run was cancelled, and how: it is stored again in the same way, under its id.
        self._again: Optional[Tuple[object, Tuple[Any, ...]]] = None
        self._check: Optional[HeadCheck] = None
        self._leads = checkpoint_id is None  # the head of the thread is the last record of this run, or of the thread
        self._deltas = Deltas(plan, everything=storage == "delta", ordered=saver.orders_writes)

    def _config(self, checkpoint_id: Optional[str]) -> Dict[str, Any]:
        configurable = {"thread_id": self.thread_id, "checkpoint_ns": self._checkpoint_ns}
        if checkpoint_id is not None:
            configurable["checkpoint_id"] = checkpoint_id
        return {"configurable": configurable}

    @property
    def in_memory(self) -> bool:
        """True if the saver keeps everything in memory."""
        return self._saver.in_memory

    def above(self) -> Dict[str, str]:
        """Return the ids of the last records of this run and of the runs around it, by namespace."""
        return {**self._parents, self._checkpoint_ns: self.head or ""}

    def go_on(self, head: Optional[str], step: int) -> None:
        """Store what belongs to a record of this run that another process has stored: the one before a step."""
        self.head = head
        self._ids = {} if head is None else {step - 1: head}

    def load(self) -> Work[Optional[Loaded]]:
        """Return the record that the run continues from, or `None` on an empty thread."""
        began = monotonic()
        stored = yield from self._origin()
        if not (self._ns or self.in_memory):
            self._check = HeadCheck(monotonic() - began)
        if stored is None:
            return None
        if self.origin != "last":
            self.asked = stored.checkpoint["id"]
            last = yield from self._saver.get(self._config(None))
            self.superseded = last is None or last.checkpoint["id"] != self.asked
        # A graph inside may go back to what an earlier task has stored, whose namespace was another one.
        place = str(stored.config["configurable"].get("checkpoint_ns") or "")
        loaded = yield from read_whole(self._plan, self._saver, stored, tuple(filter(None, place.split("|"))))
        self._deltas.loaded(stored, absent_keys(self._plan, stored.checkpoint))
        self.head = self._stored = stored.checkpoint["id"]
        self._last_metadata = dict(stored.metadata)
        self._ids[loaded.record.step] = self.head
        self._commanded = commanded_writes(stored)
        self._versions = dict(stored.checkpoint["channel_versions"])
        # What a node waits for that the graph does not have any more is not handed on.
        self._others = {key: value for key, value in loaded.record.others.items() if not key.startswith(_STARTING)}
        self._seen = stored.checkpoint["versions_seen"]
        parent = stored.parent_config
        self._parent = self._before = None if parent is None else parent["configurable"]["checkpoint_id"]
        if place != self._checkpoint_ns:  # the next record is the first one here
            self._stored, self._versions = None, {}
        return loaded

    def _origin(self) -> Work[Any]:
        """Return what the saver has of the checkpoint that the run continues from."""
        if self._travel is not None and self._ns:
            found = yield from self._travel.find(self._saver, self._checkpoint_ns)
            if found is not None:
                self.origin = found.origin
                return found.stored
        return (yield from self._saver.get(self._config(self.asked)))

    @property
    def stored_here(self) -> bool:
        """True if the next record has a parent in the namespace of the run."""
        return self._stored is not None

    @property
    def parent(self) -> Optional[str]:
        """The id of the record before the one that was loaded."""
        return self._parent

    @property
    def stores_writes(self) -> bool:
        """True if there are keys of which writes are stored in place of values."""
        return bool(self._deltas.keys)

    @property
    def is_of_this_step(self) -> bool:
        """True if the record that was loaded was made in the step of the graph around that runs now."""
        return bool(self._last_metadata.get("parents") == self._parents)

    @property
    def nodes_ran(self) -> bool:
        """True if a node had run before the record that was loaded."""
        return any(seen and name in self._plan.nodes for name, seen in self._seen.items())

    def last_node(self) -> Optional[str]:
        """Return the node that ran last, or `None` if several did."""
        last = [(max(seen.values()), name) for name, seen in self._seen.items() if name in self._plan.nodes and seen]
        last.sort(reverse=True)
        return last[0][1] if last and (len(last) == 1 or last[0][0] != last[1][0]) else None

    def fork_beside(self) -> None:
        """Let the next record have the parent of the one that was loaded."""
        self._stored = self._parent

    def about_last(self) -> AboutRecord:
        """Return how the last record is found again: one that was loaded, or the last one made."""
        assert self.head is not None
        config = self._shown_config(self.head)
        parent = self._before
        return AboutRecord(
            config, None if parent is None else self._shown_config(parent), self._last_metadata, self._inner_config
        )

    def _shown_config(self, checkpoint_id: str) -> Dict[str, Any]:
        configurable = {**self._configurable, **self._config(checkpoint_id)["configurable"]}
        if self._ns:
            configurable["checkpoint_map"] = {**self._parents, self._checkpoint_ns: checkpoint_id}
        return {"configurable": configurable}

    def _inner_config(self, task: str, name: str) -> Optional[Dict[str, Any]]:
        node = self._plan.nodes.get(name)
        if node is None or not node.passes_on:
            return None
        ns = "|".join((*self._ns, f"{name}:{task}"))
        return {"configurable": {"thread_id": self.thread_id, "checkpoint_ns": ns}}

    def record(self, record: Record) -> RecordIds:
        """Give a record its id, and return the ids of the tasks of the step after it."""
        name = new_id(record.step)
        self._before, self.head = self.head, name
        self._ids[record.step] = name
        self._last_metadata = self._own_metadata(record)
        return RecordIds(name, self._ns, FORMAT)

    def called(self, caller: Task, ns: Tuple[str, ...], name: str, number: int) -> str:
        """Return the id of a `@task` that is called in a task of the current step.

        Args:
            caller: The calling task.
            ns: The namespace of graphs that run in the calling task.
            name: The name of the `@task`.
            number: The number of earlier calls in the calling task.
        """
        ids = RecordIds(self._ids[caller.step - 1], self._ns, FORMAT)
        return ids.by_call(caller.step, ns, path_text(caller.path), name, number)

    def keep(self, effect: Note | Save) -> Work[None]:
        """Store a record, or what a task has come to."""
        work = self._save(effect.record) if isinstance(effect, Save) else self._note(effect)
        return work if self._check is None else self._checked(self._check, effect, work)

    def _checked(self, check: HeadCheck, effect: Note | Save, work: Work[None]) -> Work[None]:
        if isinstance(effect, Save) and self._again is None:
            record, frontier = effect.record, effect.record.frontier
            last = not (frontier.due or frontier.sends)
            if check.is_due(after_nodes=bool(record.ran), last=last) and self._leads:
                yield from self._check_head(self._stored)
                check.looked()
        began = monotonic()
        yield from work
        check.stored(began)

    def _save(self, record: Record) -> Work[None]:
        again, self._again = self._again, None
        call = again[1] if again is not None and again[0] is record else self._put_call(record)
        try:
            yield from self._saver.put(*call)
        except (TypeError, ValueError) as error:
            raise unstorable(self._saver.given, error, call[1]["channel_values"].items(), None) or error from error
        except BaseException:
            self._again = (record, call)
            raise

    def _put_call(self, record: Record) -> Tuple[Any, ...]:
        """Return the arguments of the saver's `put` for a record."""
        name, parent = self._ids[record.step], self._stored
        self._leads = True
        self._ids.pop(record.step - 1, None)
        untracked = self._untracked
        channels = to_channels(self._plan, record.values, record.frontier, without(record.given, untracked))
        if untracked:
            channels = dict(tracked_writes(channels.items(), untracked))
        channels.update(self._others)
        before = self._versions
        version = self._saver.next_version(before.values())
        new = {
            key: version
            for key in channels
            if key not in self._plan.channels or key in record.changed or key not in self._versions
        }
        deltas = self._deltas
        left: FrozenSet[str] = frozenset()
        if deltas.keys or deltas.absent:
            left = deltas.left_out(record, parent, {**self._versions, **new})
            new.update((key, version) for key in deltas.absent if key in channels and key not in left)
            deltas.stored(name, left, frozenset(new))
        versions = {key: new.get(key, self._versions.get(key)) for key in channels}
        # A saver with integer versions would give out the greatest one again if it were not seen any more.
        versions.setdefault(START_CHANNEL, version)
        # The versions at which the nodes were started, from which the last node of a thread can be told.
        seen = {
            name: {key: before[key] for key in node.triggers if key in before}
            # With durability="exit" it was started by a record that is not stored.
            or dict.fromkeys(node.triggers[:1], max(before.values(), default=version))
            for name, node in ((name, self._plan.nodes.get(name)) for name in record.ran)
            if node is not None
        }
        checkpoint = {
            "v": FORMAT,
            "id": name,
            "ts": datetime.now(timezone.utc).isoformat(),
            "channel_values": {key: to_stored(value) for key, value in channels.items() if key not in left},
            "channel_versions": versions,
            "versions_seen": seen,
            "updated_channels": None,
        }
        self._versions, self._stored = versions, name
        self._commanded = []
        own = deltas.about(self._own_metadata(record))
        return self._config(parent), checkpoint, {**own, **self._metadata, **own}, new

    def _check_head(self, own: Optional[str]) -> Work[None]:
        """Raise an error if the thread's last record is not the one that this run has loaded or stored last."""
        stored = yield from self._saver.get(self._config(None))
        head = None if stored is None else stored.checkpoint["id"]
        if head != own:
            raise ThreadMovedError(self.thread_id, own, head)

    def _writes_of(self, node: Node, result: TaskResult) -> List[Tuple[str, object]]:
        writes = to_writes(node, result)
        return (tracked_writes(writes, self._untracked) or [(NO_WRITES, None)]) if self._untracked else writes

    def _own_metadata(self, record: Record) -> Dict[str, Any]:
        return {"source": record.source, "step": record.step, "parents": dict(self._parents)}

    def _note(self, note: Note) -> Work[None]:
        again, self._again = self._again, None
        call = again[1] if again is not None and again[0] is note else self._writes_call(note)
        if not call:
            return
        try:
            yield from self._saver.put_writes(*call)
        except (TypeError, ValueError) as error:
            raise unstorable(self._saver.given, error, call[1], note.task.name) or error from error
        except BaseException:
            self._again = (note, call)
            raise

    def _writes_call(self, note: Note) -> Tuple[Any, ...]:
        """Return the arguments of the saver's `put_writes` for a note; none if there is nothing to store."""
        task = note.task
        if task.step - 1 not in self._ids:
            return ()  # a change of an empty thread, which has no record that this could belong to
        writes: List[Tuple[str, object]]
        if note.questions or (note.result is None and note.error is None):  # none is left of those before
            writes = [(INTERRUPT, tuple(to_stored(question) for question in note.questions))]
        elif note.result is None:
            writes = [(ERROR, note.error)]
            if task.node.handler is not None:
                writes.append((HANDLED, task.name))
        else:
            writes = self._writes_of(task.node, note.result)
            if task.id == NO_TASK:
                writes = self._commanded = [*self._commanded, *writes]
            if self._deltas.keys or self.superseded:
                writes = self._with_deltas(task, writes)
                if not writes:
                    return ()
            writes = [(name, to_stored(value)) for name, value in writes]
        if note.answers or note.call_answers:
            by_call = [{BY_CALL: dict(note.call_answers)}] if note.call_answers else []
            writes.append((RESUME, [*note.answers, *by_call]))
        record, path = self._ids[task.step - 1], "" if task.id == NO_TASK else path_text(task.path)
        id_ = input_id(record) if note.result is not None and self._is_input(task) else task.id
        return self._config(record), writes, id_, path

    def _with_deltas(self, task: Task, writes: List[Tuple[str, object]]) -> List[Tuple[str, object]]:
        """Return what is stored of a task's writes, after telling what is left out of records."""
        deltas = self._deltas
        if self._is_input(task):
            writes = [write for write in writes if write[0] in deltas.keys]  # the input itself is stored already
        elif self.superseded and self._ids[task.step - 1] == self.asked:
            # The values of the records after that one would be made with these writes too.
            deltas.replace(writes)
            return []
        if task.id == NO_TASK:
            deltas.replace(writes)
        else:
            deltas.noted(task, writes)
        return writes

    def _is_input(self, task: Task) -> bool:
        return task.node is self._plan.start and task.node.action is None
