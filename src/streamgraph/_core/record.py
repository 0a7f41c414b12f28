"""Records: what a run is between two steps, as plain data that can be stored and continued from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import AbstractSet, Callable, Dict, FrozenSet, List, Mapping, NamedTuple, Optional

from typing_extensions import Literal, Protocol

from streamgraph._core.frontier import Frontier
from streamgraph._core.ids import TaskIds
from streamgraph._core.results import TaskResult
from streamgraph._interrupts import Interrupt

Source = Literal["input", "loop", "update", "fork"]
"""What made a record: the input of a run, a step, a change by `update_state`, or a replay."""

UNSET: object = object()
"""A record has no input, or a node has not answered."""


@dataclass(frozen=True)
class Record:
    """A run between two steps.

    Attributes:
        step: The number of the last step: -1 for the first input of a thread, 0 after it, then one more for each step.
        source: What made it.
        values: The state's values by key.
        frontier: What is due in the next step; never changed.
        changed: The keys whose values differ from those of the record before.
        given: The input that is to be applied, in the record of an input; otherwise `UNSET`.
        ran: The names of the nodes that ran in the step.
        noted: All that was written in the step is in the notes of its tasks, which come before the record.
        others: Channels of a stored record that this graph does not have, kept as they are.
    """

    step: int
    source: Source
    values: Mapping[str, object]
    frontier: Frontier
    changed: AbstractSet[str] = frozenset()
    given: object = UNSET
    ran: FrozenSet[str] = frozenset()
    noted: bool = False
    others: Mapping[str, object] = field(default_factory=dict)


@dataclass
class Known:
    """What is known of a task that began before the run was continued.

    Attributes:
        result: Its result, if it finished.
        error: The text of its failure.
        handled: The name of the node whose failure an error handler has to deal with.
        questions: The questions that it asked last.
        answers: The answers that it was given, in order.
        call_answers: The answers to questions of one of several tool calls, by the ids of the questions.
    """

    result: Optional[TaskResult] = None
    error: Optional[str] = None
    handled: Optional[str] = None
    questions: List[Interrupt] = field(default_factory=list)
    answers: List[object] = field(default_factory=list)
    call_answers: Dict[str, object] = field(default_factory=dict)


KnownTasks = Dict[str, Known]
"""What is known of tasks, by task id."""


class DueTask(NamedTuple):
    """A task of the step after a record.

    Attributes:
        id: Its id.
        name: Its node.
        known: What is known of it.
    """

    id: str
    name: str
    known: Known


class AboutRecord(NamedTuple):
    """How a record is found again.

    Attributes:
        config: The config to read it with.
        parent_config: The config of the record before it; `None` if it is the first.
        metadata: What is stored with it.
        inner_config: Makes the config of the graph that runs in a task.
    """

    config: Mapping[str, object]
    parent_config: Optional[Mapping[str, object]]
    metadata: Mapping[str, object]
    inner_config: Callable[[str, str], Optional[Mapping[str, object]]]


class Recorder(Protocol):
    """Identifies the records of a run."""

    def about_last(self) -> AboutRecord:
        """Return how the last record is found again: one that was loaded, or the last one made."""

    def record(self, record: Record) -> TaskIds:
        """Give a record its id, and return the ids of the tasks of the step after it."""
