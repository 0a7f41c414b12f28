"""Makes the parts of each mode for a step."""

from __future__ import annotations

from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple, Union

from streamgraph._core.channel_objects import Folded
from streamgraph._core.plan import BARE_KEYS
from streamgraph._core.record import AboutRecord, DueTask
from streamgraph._core.results import TaskResult
from streamgraph._core.state import State, Writes, as_result, as_view
from streamgraph._core.task import Task
from streamgraph._interrupts import Interrupt
from streamgraph._reserved import INTERRUPT
from streamgraph._streams.copying import copy_containers, own, own_values, plain_input
from streamgraph._streams.modes import RECORD_MODES, TASK_MODES, UPDATE_MODES
from streamgraph._streams.part import Part
from streamgraph._streams.subscribers import Subscribers

Namespace = Tuple[str, ...]
Keys = Union[None, str, Sequence[str]]


class PartBuilder:
    """Makes the parts of one run, only for modes with a subscriber.

    Args:
        ns: The namespace of the graph.
        subscribers: The subscribers of the graph.
        keys: The state keys in `values` and `updates`: `None` for all, several, or one whose bare value is shown.
        results: The state keys in the results of tasks, likewise.
        metadata: The metadata of the run for its task events.
        tags: The tags of the run, likewise.
        clock: Returns the time for `debug`, as ISO 8601 text.

    Attributes:
        shows_starts: True if a subscriber wants the starts of tasks.
        shows_records: True if a subscriber wants what is stored.
    """

    def __init__(
        self,
        ns: Namespace,
        subscribers: Subscribers,
        *,
        keys: Keys = None,
        results: Keys = None,
        metadata: Optional[Mapping[str, object]] = None,
        tags: Sequence[str] = (),
        clock: Callable[[], str],
    ) -> None:
        self._modes_of = subscribers.modes_of
        self._ns = ns
        self._keys = keys
        self._results = (results,) if isinstance(results, str) else results
        self._metadata = metadata or {}
        self._tags = tags
        self._clock = clock
        self._values = "values" in subscribers.modes
        self._modes = subscribers.modes
        self.shows_records = not subscribers.modes.isdisjoint(RECORD_MODES)
        self._updates = "updates" in subscribers.modes
        self.shows_starts = not subscribers.modes.isdisjoint(TASK_MODES)

    def values(self, state: State, fresh: Mapping[str, object], interrupts: Sequence[Interrupt] = ()) -> List[Part]:
        """Return the `values` part after a step that wrote `fresh`, if there is one.

        Args:
            state: The values.
            fresh: Those that the step has written.
            interrupts: The questions of the step, which are in the part under `__interrupt__`.
        """
        if interrupts and self._values:
            shown = None if isinstance(self._keys, str) or state.bare_key is not None else state.chunk(self._keys)
            return [Part(self._ns, "values", with_interrupts(shown, tuple(interrupts)))]
        if not self._values:
            return []
        keys = self._keys
        if type(fresh) is Folded:
            if not fresh.touches(keys):
                return []  # what a channel object forgets by itself is shown with the next write
            if isinstance(keys, str):
                return [Part(self._ns, "values", own(state.values.get(keys)))]
        elif not fresh:
            return []
        elif isinstance(keys, str):
            return [Part(self._ns, "values", own(fresh[keys]))] if keys in fresh else []
        elif keys is not None and not any(key in fresh for key in keys):
            return []
        if state.bare_key is not None:
            return [Part(self._ns, "values", root_or_mapping(state))]
        return [Part(self._ns, "values", state.chunk(keys))]

    def loaded(self, state: State) -> List[Part]:
        """Return the `values` part with which a run continues."""
        if self._values and state.bare_key is not None and not state.values:
            return [Part(self._ns, "values", None)]
        return self.values(state, state.values)

    def saved(self, state: State, about: AboutRecord, tasks: Sequence[DueTask], *, step: int) -> List[Part]:
        """Return the parts for a record.

        Args:
            state: The state.
            about: How the record is found again.
            tasks: The tasks of the step after it.
            step: The number of the last step.
        """
        payload = {
            "config": dict(about.config),
            "parent_config": about.parent_config,
            "values": root_or_mapping(state),
            "metadata": dict(about.metadata),
            "next": [task.name for task in tasks],
            "tasks": [_due(task, about.inner_config(task.id, task.name)) for task in tasks],
        }
        modes = self._modes
        parts = [Part(self._ns, "checkpoints", payload)] if "checkpoints" in modes else []
        if "debug" in modes:
            debugged = copy_containers(payload) if parts else payload
            wrapped = {"step": step, "timestamp": self._clock(), "type": "checkpoint", "payload": debugged}
            parts.append(Part(self._ns, "debug", wrapped))
        return parts

    def started(self, task: Task) -> List[Part]:
        """Return the parts for the start of a task."""
        modes = self._modes_of(task.name)
        if task.node.action is None or task.node.hidden or modes.isdisjoint(TASK_MODES):
            return []
        payload: Dict[str, object] = {
            "id": task.id,
            "name": task.name,
            "input": plain_input(task.input),
            "triggers": task.triggers,
        }
        metadata = {**self._metadata, **task.node.metadata}
        own = task.node.tags if task.node.writes is not None else ()  # those of a node's Runnable are not its own
        if self._tags or own:
            metadata["tags"] = [*self._tags, *own]
        if metadata:
            payload["metadata"] = copy_containers(metadata)
        return self._task_event(task, modes, "task", payload)

    def finished(self, task: Task, outcome: TaskResult, cached: bool = False) -> List[Part]:
        """Return the update and the result of a finished task; for a cached result only the update."""
        modes = self._modes_of(task.name)
        if task.node.action is None or task.node.hidden or modes.isdisjoint(UPDATE_MODES):
            return []
        parts: List[Part] = []
        if "updates" in modes:
            update = {task.name: self._update(task, outcome)}
            if cached:
                update["__metadata__"] = {"cached": True}
            parts.append(Part(self._ns, "updates", update, task.name))
        if not cached and not modes.isdisjoint(TASK_MODES):
            writes = outcome.writes if self._results is None else self._shown_results(outcome.writes)
            parts += self._task_event(task, modes, "task_result", _result(task, as_result(writes)))
        return parts

    def failed(self, task: Task, error: BaseException, outcome: Optional[TaskResult]) -> List[Part]:
        """Return the result of a failed task, and the update of its node if a branch after it has failed."""
        modes = self._modes_of(task.name)
        if task.node.action is None or task.node.hidden or modes.isdisjoint(UPDATE_MODES):
            return []
        parts: List[Part] = []
        if outcome is not None and "updates" in modes:
            parts.append(Part(self._ns, "updates", {task.name: self._update(task, outcome)}, task.name))
        if not modes.isdisjoint(TASK_MODES):
            writes: Writes = () if outcome is None else outcome.writes
            writes = writes if self._results is None else self._shown_results(writes)
            parts += self._task_event(task, modes, "task_result", _result(task, as_result(writes), error))
        return parts

    def interrupted(self, task: Task, interrupts: Sequence[Interrupt], *, called: bool = False) -> List[Part]:
        """Return the questions of a task as an update, and its result, which has them as well.

        Args:
            task: The task.
            interrupts: The questions.
            called: True for a subtask: the task that has called it shows the update.
        """
        parts: List[Part] = []
        if self._updates and not called:
            parts += [Part(self._ns, "updates", {INTERRUPT: tuple(interrupts)})] if interrupts else self.paused()
        modes = self._modes_of(task.name)
        if task.node.action is not None and not modes.isdisjoint(TASK_MODES):
            asked = {**_result(task, {}), "interrupts": list(map(_asked, interrupts))}
            parts += self._task_event(task, modes, "task_result", asked)
        return parts

    def paused(self) -> List[Part]:
        """Return the update that shows a pause without a question, at a breakpoint; only a root graph has it."""
        return [Part(self._ns, "updates", {INTERRUPT: ()})] if self._updates and not self._ns else []

    def _shown_results(self, writes: Writes) -> Writes:
        shown = self._results or ()
        return [pair for pair in writes if pair[0] in shown or pair[0] in BARE_KEYS]

    def _update(self, task: Task, outcome: TaskResult) -> object:
        keys = self._keys
        if keys is None or task.node.kind != "node":
            return as_view(outcome.writes)
        if not isinstance(keys, str):
            return as_view([pair for pair in outcome.writes if pair[0] in keys])
        shown = [value for key, value in outcome.writes if key == keys]
        return [own(value) for value in shown] if len(shown) > 1 else own(shown[0]) if shown else None

    def _task_event(self, task: Task, modes: FrozenSet[str], kind: str, payload: Dict[str, object]) -> List[Part]:
        parts = [Part(self._ns, "tasks", payload, task.name)] if "tasks" in modes else []
        if "debug" in modes:
            debugged = copy_payload("tasks", payload) if parts else payload  # each of two parts has its own
            wrapped = {"step": task.step, "timestamp": self._clock(), "type": kind, "payload": debugged}
            parts.append(Part(self._ns, "debug", wrapped, task.name))
        return parts


def root_or_mapping(
    state: State, keys: Optional[Sequence[str]] = None, instead: Optional[Mapping[str, object]] = None
) -> object:
    """Return the state as a user sees it: a mapping, or the bare value of a root state or a workflow.

    Args:
        state: The state.
        keys: The keys of the mapping; all by default.
        instead: See `State.snapshot`.
    """
    bare = state.bare_key
    if bare is None:
        return state.snapshot(keys, instead)
    return state.snapshot([bare], instead).get(bare) if instead else own(state.values.get(bare))


def _due(task: DueTask, inner: Optional[Mapping[str, object]]) -> Dict[str, object]:
    known = task.known
    shown: Dict[str, object] = {"id": task.id, "name": task.name}
    if known.error is not None and known.result is None:
        return {**shown, "error": known.error, "state": inner}
    if known.result is not None:
        return {**shown, "result": as_result(known.result.writes), "interrupts": (), "state": inner}
    return {**shown, "interrupts": tuple(map(_asked, known.questions)), "state": inner}


def _asked(question: Interrupt) -> Dict[str, object]:
    return {name: getattr(question, name) for name in _INTERRUPT_FIELDS}


def with_interrupts(output: object, interrupts: Sequence[Interrupt]) -> Dict[str, object]:
    """Return a state or an output with the questions of the run; what is not a mapping has no place beside them."""
    shown: Dict[str, object] = dict(output) if isinstance(output, dict) else {}
    shown[INTERRUPT] = interrupts
    return shown


def _result(task: Task, result: Dict[str, object], error: Optional[BaseException] = None) -> Dict[str, object]:
    return {"id": task.id, "name": task.name, "error": error, "result": result, "interrupts": []}


def copy_payload(mode: str, data: Any) -> Any:
    """Copy the payload of a part that shows state, so that a second consumer has containers of its own as well.

    Args:
        mode: The mode of the part.
        data: The payload.
    """
    if mode == "values":
        return plain_input(data)
    if mode == "patches":
        return [{**one, "value": plain_input(one["value"])} if "value" in one else dict(one) for one in data]
    if mode == "updates":
        return {node: _copied_update(update) for node, update in data.items()}
    if mode == "debug":
        return {**data, "payload": copy_payload("tasks", data["payload"])} if data["type"] in _TASK_EVENTS else data
    if mode == "tasks":
        copied = {key: own(value) for key, value in data.items()}
        for key in ("input", "result"):
            if key in copied:
                copied[key] = plain_input(data[key])
        if "metadata" in copied:
            copied["metadata"] = copy_containers(data["metadata"])
        return copied
    return copy_containers(data)


_INTERRUPT_FIELDS = ("value", "id", "response_schema")

_TASK_EVENTS = ("task", "task_result")


def _copied_update(update: Any) -> Any:
    if type(update) is list and all(type(item) is dict for item in update):
        return [own_values(item) for item in update]  # one mapping for each of several writes
    return plain_input(update)
