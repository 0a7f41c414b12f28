"""Reads what a saver returns: a record, and what is known of the tasks after it."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Tuple, cast

from streamgraph._checkpoint.channels import SENDS, START_CHANNEL, from_channels, from_writes
from streamgraph._checkpoint.ids import RecordIds
from streamgraph._checkpoint.old_formats import UNIFORM, Started, old_ids, renamed_channels, renamed_writes
from streamgraph._checkpoint.wire import from_stored
from streamgraph._core.plan import Plan
from streamgraph._core.record import UNSET, Known, KnownTasks, Record, Source
from streamgraph._core.results import Pairs
from streamgraph._core.task import NO_TASK
from streamgraph._types import Send
from streamgraph.channels._typing import without_snapshot
from streamgraph.errors import UnreadableCheckpointError

ERROR = "__error__"
HANDLED = "__error_source_node__"
INTERRUPT = "__interrupt__"
RESUME = "__resume__"

BY_CALL = "__streamgraph_answers_by_call__"
"""Marks the answers to questions of several tool calls, at the end of a task's answers.

LangGraph counts the questions of all calls together, so it cannot continue a thread that is paused there.
"""


FORMAT = 4
"""The version of the stored form, LangGraph's `v`."""


class Loaded(NamedTuple):
    """A stored record with what is known of the tasks after it.

    Attributes:
        record: The record.
        known: What is known of tasks, by task id.
        ids: The ids of the tasks of the next step.
        commanded: What commands have written to the state since, in the order of the commands.
    """

    record: Record
    known: KnownTasks
    ids: RecordIds
    commanded: Pairs


def read(plan: Plan, stored: Any, ns: Tuple[str, ...]) -> Loaded:
    """Return the record that a saver has returned.

    Args:
        plan: The graph.
        stored: The saver's tuple.
        ns: The namespace of the graph.

    Raises:
        UnreadableCheckpointError: It is damaged, or a newer version has written it.
    """
    try:
        version = stored.checkpoint["v"]
        if version <= FORMAT:
            return _read(plan, stored, ns)
    except (AttributeError, IndexError, LookupError, TypeError, ValueError) as error:
        raise unreadable(error, stored.config) from error
    raise UnreadableCheckpointError(
        f"{_called(stored.config)} was written by a newer version: it has format {version!r}, and this version reads "
        f"those up to {FORMAT}",
        hint="Update streamgraph. Nothing was run or stored.",
    )


def unreadable(error: Exception, config: Mapping[str, Any]) -> UnreadableCheckpointError:
    """Return the error for a checkpoint that cannot be read.

    Args:
        error: What happened.
        config: The config to read it with.
    """
    return UnreadableCheckpointError(
        f"{_called(config)} is damaged, or stored in a form that its saver cannot read: {type(error).__name__}: "
        f"{error}".rstrip("."),
        hint="Nothing was run or stored. A run can go on from an older state of get_state_history(..., before=...).",
    )


def _called(config: Mapping[str, Any]) -> str:
    configurable = config["configurable"]
    id_ = configurable.get("checkpoint_id")
    which = "The last checkpoint" if id_ is None else f"Checkpoint {id_!r}"
    return f"{which} of thread {configurable['thread_id']!r}"


def _read(plan: Plan, stored: Any, ns: Tuple[str, ...]) -> Loaded:
    checkpoint = stored.checkpoint
    for part in ("channel_values", "channel_versions", "versions_seen"):
        if not isinstance(checkpoint[part], dict):
            raise TypeError(f"{part} is no mapping")
    step = stored.metadata["step"]
    channels = {name: without_snapshot(from_stored(value)) for name, value in checkpoint["channel_values"].items()}
    writes = stored.pending_writes or ()
    started: Started = {}
    if checkpoint["v"] < UNIFORM:
        channels, started = renamed_channels(plan, channels)
        writes = renamed_writes(plan, writes)
    if checkpoint.get("pending_sends"):  # up to version 3
        channels.setdefault(SENDS, [from_stored(send) for send in checkpoint["pending_sends"]])
    values, frontier, others = from_channels(plan, channels, step)
    commanded = from_writes(plan, commanded_writes(stored))
    frontier.due.update(route for route in commanded.routes if isinstance(route, str))
    frontier.sends += tuple([route for route in commanded.routes if isinstance(route, Send)])
    record = Record(
        step,
        cast("Source", stored.metadata.get("source", "loop")),
        values,
        frontier,
        given=channels.get(START_CHANNEL, UNSET),
        others=others,
    )
    known = _known(plan, writes)
    if checkpoint["v"] < UNIFORM:
        ids: RecordIds = old_ids(checkpoint, ns, started, frontier, known)
    else:
        ids = RecordIds(checkpoint["id"], ns, checkpoint["v"])
    return Loaded(record, known, ids, commanded.writes)


def commanded_writes(stored: Any) -> List[Tuple[str, object]]:
    """Return what commands have changed since a checkpoint was stored, as it is stored: writes, and what is due.

    Args:
        stored: The saver's tuple.
    """
    writes = stored.pending_writes or ()
    return [(name, from_stored(value)) for task, name, value in writes if task == NO_TASK and name != RESUME]


def _known(plan: Plan, writes: Iterable[Tuple[str, str, Any]]) -> KnownTasks:
    by_task: Dict[str, List[Tuple[str, object]]] = {}
    known: KnownTasks = {}
    for task, name, value in writes:
        if task == NO_TASK:
            continue
        about = known.setdefault(task, Known())
        if name == ERROR:
            about.error = value if isinstance(value, str) else repr(value)
        elif name == HANDLED:
            about.handled = str(value)
        elif name == INTERRUPT:
            about.questions = [from_stored(question) for question in _listed(value)]  # type: ignore[misc]
        elif name == RESUME:
            about.answers = _listed(value)
            last = about.answers[-1] if about.answers else None
            if isinstance(last, dict) and last.keys() == {BY_CALL}:
                about.answers.pop()
                about.call_answers = last[BY_CALL]
        else:
            by_task.setdefault(task, []).append((name, from_stored(value)))
    for task, pairs in by_task.items():
        known[task].result = from_writes(plan, pairs)
    return known


def _listed(value: object) -> List[Any]:
    """Return the questions or answers of a task, of which old formats stored a single one as it is."""
    return list(value) if isinstance(value, (list, tuple)) else [value]
