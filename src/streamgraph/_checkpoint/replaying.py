"""Makes values that a record does not have from an earlier record and what was written since.

Such a thread was stored with `storage="delta"` or with a `DeltaChannel`, by this library or by LangGraph.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Set, Tuple

from streamgraph._checkpoint.deltas import COUNTERS
from streamgraph._checkpoint.reading import Loaded, read
from streamgraph._checkpoint.saver import Saver
from streamgraph._checkpoint.wire import from_stored
from streamgraph._core.channel_objects import ChannelTemplate, value_of
from streamgraph._core.plan import Channel, Plan
from streamgraph._core.state import State
from streamgraph._protocols import Work
from streamgraph.channels._overwrite import overwriting
from streamgraph.channels._typing import without_snapshot
from streamgraph.errors import UnreadableCheckpointError

Write = Tuple[str, str, Any]
"""A stored write: the id of the task, the key, and the value."""


class History(NamedTuple):
    """What the value of a key is made from.

    Attributes:
        writes: What was written, from the oldest to the newest.
        seed: A tuple of the last value that was stored before; empty if there is none.
    """

    writes: Sequence[Write]
    seed: Tuple[object, ...]


def absent_keys(plan: Plan, checkpoint: Mapping[str, Any]) -> List[str]:
    """Return the keys that were written, but whose values a checkpoint does not have.

    Args:
        plan: The graph.
        checkpoint: The checkpoint.
    """
    versions, values = checkpoint["channel_versions"], checkpoint["channel_values"]
    return [
        key
        for key, channel in plan.channels.items()
        if key in versions and key not in values and _can_be_replayed(channel)
    ]


def read_whole(plan: Plan, saver: Saver, stored: Any, ns: Tuple[str, ...]) -> Work[Loaded]:
    """Return the record that a saver has returned, with all values.

    Args:
        plan: The graph.
        saver: The saver.
        stored: The saver's tuple.
        ns: The namespace of the graph.

    Raises:
        UnreadableCheckpointError: Earlier records of the thread, without which a value cannot be made, are gone.
    """
    loaded = read(plan, stored, ns)
    absent = absent_keys(plan, stored.checkpoint)
    if not absent:
        return loaded
    histories = yield from _histories(saver, stored, absent)
    counters = stored.metadata.get(COUNTERS) or {}
    values = dict(loaded.record.values)
    for key in absent:
        history = histories[key]
        updates = counters.get(key, (0, 0))[0]
        if not history.seed and len(history.writes) < updates:
            raise UnreadableCheckpointError(
                f"The value of key {key!r} was written {updates} times before this record, of which "
                f"{len(history.writes)} are left: earlier records of the thread were deleted",
                key=key,
                hint="Go on from a state that still has the value, or delete the thread.",
            )
        values[key] = _replayed(plan, key, history)
    ordered = {key: values[key] for key in plan.channels if key in values}
    return loaded._replace(record=replace(loaded.record, values=ordered))


def _can_be_replayed(channel: Channel) -> bool:
    template = channel.template
    return channel.reduce is not None if template is None else template.saves_value


def _histories(saver: Saver, stored: Any, keys: Sequence[str]) -> Work[Mapping[str, History]]:
    """Return what the values of keys are made from: by the saver's own method, or record by record."""
    if saver.has_histories:
        found = yield from saver.histories(stored.config, keys)
        return {
            key: History(entry["writes"], (entry["seed"],) if "seed" in entry else ()) for key, entry in found.items()
        }
    newest_first: Dict[str, List[Write]] = {key: [] for key in keys}
    seeds: Dict[str, Tuple[object, ...]] = dict.fromkeys(keys, ())
    looking: Set[str] = set(keys)
    cursor = stored.parent_config
    while cursor is not None and looking:
        above = yield from saver.get(cursor)
        if above is None:
            break
        for write in reversed(above.pending_writes or ()):
            if write[1] in looking:
                newest_first[write[1]].append(tuple(write))
        values = above.checkpoint["channel_values"]
        for key in [key for key in looking if key in values]:
            seeds[key] = (values[key],)
            looking.discard(key)
        cursor = above.parent_config
    return {key: History(newest_first[key][::-1], seeds[key]) for key in keys}


def _replayed(plan: Plan, key: str, history: History) -> object:
    seed = tuple(without_snapshot(from_stored(value)) for value in history.seed)
    writes = [(task, name, from_stored(value)) for task, name, value in history.writes]
    template = plan.channels[key].template
    if template is not None:
        return _replayed_by_object(template, seed, writes)
    default = plan.channels[key].default
    state = State(plan, {key: seed[0]} if seed else {})
    if not seed and default is not None:
        state.store({key: default()})
    state.replay([(key, value) for _, _, value in writes])
    return state.values.get(key)


def _replayed_by_object(template: ChannelTemplate, seed: Tuple[object, ...], writes: Sequence[Write]) -> object:
    made: Any = template.restored(seed[0]) if seed else template.make()
    given: List[Write] = []
    for task, name, value in writes:
        replaces, inner = overwriting(value)
        given.append((task, name, template.overwriting(inner) if replaces else value))
    made.replay_writes(given)
    return value_of(made)
