"""The state machine of a change of a saved state: a step in which nodes return what they are given."""

from __future__ import annotations

from typing import AbstractSet, FrozenSet, List, NamedTuple, Optional, Sequence

from streamgraph._core.effects import Effect, Fail, Finish
from streamgraph._core.frontier import Frontier
from streamgraph._core.handlers import found_of, with_handlers
from streamgraph._core.plan import Node
from streamgraph._core.record import UNSET, KnownTasks, Record
from streamgraph._core.saved_run import BEFORE_FIRST, SavedRun
from streamgraph._core.state import Writes
from streamgraph._core.task import PUSH, Task


class NodeUpdate(NamedTuple):
    """What a node shall have returned.

    Attributes:
        node: The node, whose action returns the update.
        task_id: The id of its task; `None` for that of a task by edge.
    """

    node: Node
    task_id: Optional[str] = None


class UpdateRun(SavedRun):
    """A run of one step, from a record to the next, in which nodes return what they are given.

    The edges and branches of these nodes lead on. What other tasks of an interrupted step have finished is applied as
    well. Those that have not finished stay due if an update is from one of the nodes that are due; an update from an
    earlier node decides anew what is due.
    """

    def update(self, updates: Sequence[NodeUpdate]) -> List[Effect]:
        """Begin with updates by nodes; without any, only what has been finished is applied.

        Args:
            updates: The updates.
        """
        names = {update.node.name for update in updates}
        known, self._known = self._known, {}
        carried = self._carried(known, names)
        self.left = self._unfinished(known, names) if names & self._names() else None
        ids, step = self._task_ids(updates), self.frontier.step + 1
        self.frontier.step = step
        tasks = [Task(id_, update.node, step, None, update.node.triggers, -1) for id_, update in zip(ids, updates)]
        for position, task in enumerate(tasks):
            task.order = (2, position, task.name)  # in the order in which they are given, after what is finished
        if not tasks and not carried:
            return [*self._saved(frozenset(), frozenset()), _FINISH]
        effects = self._start(tasks)
        self.tasks = [*tasks, *carried]
        return effects if tasks else self._close_step()

    def _task_ids(self, updates: Sequence[NodeUpdate]) -> List[str]:
        """Return the ids of the tasks whose results the updates are: first those that are due, then further ones."""
        step, due = self.frontier.step + 1, self._due()
        ids: List[str] = []
        for number, update in enumerate(updates, len(due)):
            node = update.node
            usual = [id_ for id_, name in due if name == node.name]
            usual += [self._ids.by_edge(step, node.name, node.triggers), self._ids.by_send(step, node.name, number)]
            ids.append(update.task_id or next(id_ for id_ in usual if id_ not in ids))
        return ids

    def _names(self) -> AbstractSet[str]:
        return self.frontier.due.union(send.node for send in self.frontier.sends)

    def _carried(self, known: KnownTasks, names: AbstractSet[str]) -> List[Task]:
        """Return the tasks of the step that have finished, except those that the updates are for."""
        frontier, nodes, ids = self.frontier, self.plan.nodes, self._ids
        step = frontier.step + 1
        tasks = [
            Task(ids.by_edge(step, name, nodes[name].triggers), nodes[name], step, None, nodes[name].triggers, -1)
            for name in frontier.due - names
        ]
        for index, send in enumerate(frontier.sends):
            tasks.append(Task(ids.by_send(step, send.node, index), nodes[send.node], step, None, (PUSH,), index))
        carried = []
        for task in with_handlers(ids, tasks, known)[0] if known else ():
            result = known[task.id].result if task.id in known else None
            if result is not None:
                self._done[task.id] = result
                carried.append(task)
        return carried

    def _unfinished(self, known: KnownTasks, names: AbstractSet[str]) -> Frontier:
        """Return what is due in the step and has not finished, except what the updates are for."""
        frontier, ids, nodes = self.frontier, self._ids, self.plan.nodes
        step = frontier.step + 1

        def is_done(id_: str, name: str) -> bool:
            found = found_of(ids, step, id_, nodes[name], known)
            return found is not None and found.result is not None

        due = {
            name for name in frontier.due - names if not is_done(ids.by_edge(step, name, nodes[name].triggers), name)
        }
        sends = [
            send
            for index, send in enumerate(frontier.sends)
            if not is_done(ids.by_send(step, send.node, index), send.node)
        ]
        return Frontier(step, due, tuple(sends))

    def begin_empty(self, *, before: bool) -> None:
        """Begin on a thread without a record.

        Args:
            before: The first record is that of an input which is still to be applied.
        """
        self.frontier.step = BEFORE_FIRST if before else BEFORE_FIRST + 1

    def _next(self) -> Effect:
        return _FINISH

    def _saved(self, changed: AbstractSet[str], ran: FrozenSet[str]) -> List[Effect]:
        frontier, noted = self.frontier.copy(), self._is_noted()
        record = Record(frontier.step, "update", self.state.saved(), frontier, changed, ran=ran, noted=noted)
        return self._recorded(record)

    def as_start(self, writes: Writes) -> List[Effect]:
        """Apply an input at once: its edges and branches lead to the first nodes, in place of what is due."""
        return self.start(writes)

    def as_input(self, given: object) -> List[Effect]:
        """Store an input that is to be applied by the next run, beside what is due."""
        frontier = self.frontier
        frontier.step += 1
        return [
            *self._recorded(Record(frontier.step, "input", self.state.saved(), frontier.copy(), given=given)),
            _FINISH,
        ]

    def as_end(self) -> List[Effect]:
        """Apply what tasks have finished, and let nothing be due."""
        try:
            changed = self._take_results()
        except Exception as error:
            return [Fail(error)]
        self.frontier = Frontier(self.frontier.step + 1)
        return [*self._saved(changed, frozenset()), _FINISH]

    def as_copy(self, given: object = UNSET) -> List[Effect]:
        """Store the record once more."""
        self._known = {}
        frontier = self.frontier
        record = Record(frontier.step + 1, "fork", self.state.saved(), frontier.copy(), given=given)
        frontier.step += 1
        return [*self._recorded(record), _FINISH]


_FINISH = Finish()
