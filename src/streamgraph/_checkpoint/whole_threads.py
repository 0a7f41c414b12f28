"""Deletes, copies and prunes whole threads: all records of a graph and of those in its nodes."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Optional, Set, Tuple

from streamgraph._checkpoint.occupancy import Occupancy
from streamgraph._checkpoint.saver import Saver
from streamgraph._checkpoint.wire import from_stored, to_stored
from streamgraph._protocols import Work
from streamgraph.errors import UnknownCheckpointError, UnknownOptionError


def deleted(saver: Saver, thread_id: str) -> Work[None]:
    """Delete a thread.

    Args:
        saver: The saver.
        thread_id: The thread.
    """
    yield from _claimed(saver, (thread_id,), saver.manage("delete_thread", thread_id))


def pruned(saver: Saver, thread_id: str) -> Work[None]:
    """Delete what no run goes on from.

    Args:
        saver: The saver.
        thread_id: The thread.
    """
    yield from _claimed(saver, (thread_id,), saver.manage("prune", [thread_id]))


def copied(saver: Saver, source: str, target: str, checkpoint_id: Optional[str]) -> Work[None]:
    """Copy a thread, from its oldest record on.

    Args:
        saver: The saver.
        source: The thread.
        target: The copy.
        checkpoint_id: The last record to be copied; `None` for all records.
    """
    if source == target:
        raise UnknownOptionError(f"Thread {source!r} cannot be copied to itself")
    yield from _claimed(saver, (source, target), _copied(saver, source, target, checkpoint_id))


def _claimed(saver: Saver, threads: Iterable[str], work: Work[None]) -> Work[None]:
    claims = [Occupancy(saver.given, thread, "reject") for thread in threads]
    try:
        for claim in claims:
            yield from claim.enter()
        yield from work
    finally:
        for claim in claims:
            claim.leave()


def _copied(saver: Saver, source: str, target: str, checkpoint_id: Optional[str]) -> Work[None]:
    existing = yield from saver.get(_config(target, "", None))
    if existing is not None:
        raise UnknownOptionError(
            f"Thread {target!r} has states already, which a copy would be mixed with",
            hint="Give the copy a thread_id of its own, or delete that thread first.",
        )
    found = yield from saver.everything({"configurable": {"thread_id": source}})
    records = {(_ns(stored), stored.checkpoint["id"]): stored for stored in found}
    if checkpoint_id is None and not records:
        raise UnknownOptionError(f"Thread {source!r} is empty, so there is nothing to copy")
    wanted = None if checkpoint_id is None else _ancestors(records, source, checkpoint_id)
    for (ns, id_), stored in sorted(records.items(), key=lambda item: item[0][1]):
        if wanted is None or (id_ if not ns else stored.metadata.get("parents", {}).get("")) in wanted:
            yield from _put(saver, target, ns, stored)


def _ancestors(records: Mapping[Tuple[str, str], Any], thread_id: str, last: str) -> Set[str]:
    """Return the ids of a record of the root graph and of those that it has come from."""
    if ("", last) not in records:
        raise UnknownCheckpointError(thread_id, last)
    ids: Set[str] = set()
    while last not in ids and ("", last) in records:
        ids.add(last)
        last = _parent(records["", last]) or ""
    return ids


def _put(saver: Saver, thread_id: str, ns: str, stored: Any) -> Work[None]:
    checkpoint = dict(stored.checkpoint)
    values = {key: to_stored(from_stored(value)) for key, value in checkpoint["channel_values"].items()}
    versions = checkpoint["channel_versions"]
    metadata = {key: value for key, value in stored.metadata.items() if key != "thread_id"}
    # A key without a value here may have one under the same version in a later record, and savers keep the first.
    new = {key: version for key, version in versions.items() if key in values}
    config = _config(thread_id, ns, _parent(stored))
    yield from saver.put(config, {**checkpoint, "channel_values": values}, metadata, new)
    by_task: Dict[str, List[Tuple[str, object]]] = {}
    for task, name, value in stored.pending_writes or ():
        by_task.setdefault(task, []).append((name, _to_stored(value)))
    for position, (task, writes) in enumerate(by_task.items()):
        # Savers order writes by the paths of tasks, which they do not return.
        yield from saver.put_writes(_config(thread_id, ns, checkpoint["id"]), writes, task, f"~{position:010d}")


def _to_stored(value: Any) -> object:
    """Return a write as it is given to a saver; questions are stored as a list."""
    if type(value) is list:
        return [to_stored(from_stored(item)) for item in value]
    return to_stored(from_stored(value))


def _ns(stored: Any) -> str:
    return str(stored.config["configurable"].get("checkpoint_ns", ""))


def _parent(stored: Any) -> Optional[str]:
    parent = stored.parent_config
    return None if parent is None else parent["configurable"]["checkpoint_id"]


def _config(thread_id: str, ns: str, checkpoint_id: Optional[str]) -> Dict[str, Any]:
    configurable = {"thread_id": thread_id, "checkpoint_ns": ns}
    if checkpoint_id is not None:
        configurable["checkpoint_id"] = checkpoint_id
    return {"configurable": configurable}
