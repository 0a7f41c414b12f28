"""How a saved state is changed: which node an update is from, and what it leads to."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Callable, List, Sequence

from streamgraph._checkpoint.durability import AtOnce
from streamgraph._checkpoint.occupancy import Occupancy
from streamgraph._checkpoint.saver import Saver
from streamgraph._checkpoint.thread import SavedThread
from streamgraph._core.action import Action
from streamgraph._core.effects import Effect
from streamgraph._core.plan import Node, Plan
from streamgraph._core.record import UNSET
from streamgraph._core.results import Saved
from streamgraph._core.saved_run import SavedRun
from streamgraph._core.state import Writes
from streamgraph._core.update_run import NodeUpdate, UpdateRun
from streamgraph._execution.saving import Saving
from streamgraph._messages.matching import storable_writes
from streamgraph._policies import NO_POLICIES
from streamgraph._protocols import Backend, Work
from streamgraph._snapshots import StateUpdate
from streamgraph.constants import END, START
from streamgraph.errors import InvalidUpdateError

INPUT, COPY = "__input__", "__copy__"


class Updating(Saving):
    """Changes a saved state by updates that nodes shall have returned, all in one step.

    Args:
        saved: The thread.
        saver: The saver.
        backend: The backend of the driver.
        writes_of: Reads an input.
        updates: The updates of the step.
    """

    run_type = UpdateRun

    def __init__(
        self,
        saved: SavedThread,
        saver: Saver,
        backend: Backend,
        writes_of: Callable[[Any], Writes],
        updates: Sequence[StateUpdate],
    ) -> None:
        occupancy = Occupancy(saver.given, saved.thread_id, "reject")
        super().__init__(saved, saver, "sync", backend, writes_of, occupancy=occupancy)
        self._keeper = AtOnce(saved)
        self.keep = self._keeper.keep
        self._updates = updates

    def begin(self, run: SavedRun, given: Any, writes: Writes) -> Work[List[Effect]]:
        """Load the state, and return the effects that change it."""
        assert isinstance(run, UpdateRun)
        saved = self.saved
        if saved.stores_writes:
            run.prepare = partial(storable_writes, run.plan)
        if self._occupancy is not None:
            yield from self._occupancy.enter()
        loaded = yield from saved.load()
        if loaded is None:
            self._check_asked()
            run.begin_empty(before=self._updates[0].as_node == INPUT)
        else:
            # What tasks have finished after a state counts, unless the thread has gone on after it.
            run.load(*(loaded._replace(known={}) if saved.superseded else loaded))
        updates = self._updates
        first = updates[0]
        if len(updates) == 1:
            if first.as_node == COPY:
                saved.fork_beside()
                return run.as_copy(UNSET if loaded is None else loaded.record.given)
            if first.as_node == INPUT:
                return run.as_input(first.values)
            if first.values is None and first.as_node == END:
                return run.as_end()
            if first.values is None and first.as_node is None:
                return run.update([])
            if first.as_node == START or (first.as_node is None and not self.saved.nodes_ran):
                return run.as_start(self._writes_of(first.values))
        return run.update([self._node_update(run.plan, update) for update in updates])

    def _node_update(self, plan: Plan, update: StateUpdate) -> NodeUpdate:
        if update.as_node == INPUT:
            raise InvalidUpdateError("Cannot apply multiple updates when updating as input")
        name = update.as_node
        if name is None:
            name = next(iter(plan.nodes)) if len(plan.nodes) == 1 else self.saved.last_node()
        if name is None:
            raise InvalidUpdateError(
                "Ambiguous update, specify as_node", hint=f"Name one of {', '.join(map(repr, plan.nodes))}."
            )
        if name not in plan.nodes:
            raise InvalidUpdateError(f"Node {name} does not exist", name=name, known=plan.nodes)
        node = plan.nodes[name]
        if node.kind == "entrypoint":
            returned: object = Saved(update.values, update.values)
        else:
            returned = update.values
        return NodeUpdate(_returning(node, returned), update.task_id)


def _returning(node: Node, value: object) -> Node:
    """Return a node that returns a value instead of running."""

    def give(given: object, invocation: object) -> object:
        return value

    return replace(node, action=Action(give, None), policies=NO_POLICIES, handler=None, shown=None)
