"""What a saver keeps of a thread beside its states: whose it is, what was noted about it, and when it has changed.

The facts of a thread are a checkpoint of their own in it, under a namespace that no graph has. So they are where its
states are, whichever saver that is; every process that serves the threads reads them; and they go with the thread when
it is deleted or copied. Each thread has one, which is overwritten.
"""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import datetime, timezone
from time import time
from typing import AsyncIterator, Callable, Dict, List, Mapping, Optional, Tuple, cast

from typing_extensions import Protocol

from streamgraph.named import readable_saver

Facts = Dict[str, object]
"""`owner`, `graph`, `metadata`, `created` and `updated` of a thread; the times in seconds since 1970."""

NAMESPACE = "__streamgraph_thread__"
_ID = "00000000-0000-1000-8000-000000000000"
"""The id of the checkpoint: always the same, so that a thread has one."""

_KIND: Facts = {"streamgraph": "thread"}
_FACTS = "thread_facts"
_OWNER = "thread_owner"

_PAGE = 200

_log = logging.getLogger("streamgraph_server")


class _Stored(Protocol):
    """A checkpoint with its metadata, as savers return it."""

    config: Mapping[str, Mapping[str, object]]
    checkpoint: Mapping[str, object]
    metadata: Mapping[str, object]


async def store(saver: object, id: str, facts: Facts) -> None:
    """Store the facts of a thread.

    Args:
        saver: The saver that keeps its states.
        id: The thread.
        facts: The facts.
    """
    checkpoint = {
        "v": 4,
        "id": _ID,
        "ts": datetime.fromtimestamp(cast("float", facts["updated"]), timezone.utc).isoformat(),
        "channel_values": {},
        "channel_versions": {},
        "versions_seen": {},
        "updated_channels": None,
    }
    # The facts are one text in ASCII: databases refuse some characters that JSON allows, and change others.
    metadata = {"source": "update", "step": 0, "parents": {}, **_KIND, _FACTS: json.dumps(facts)}
    if facts["owner"] is not None:
        metadata[_OWNER] = facts["owner"]
    config = {"configurable": {"thread_id": id, "checkpoint_ns": NAMESPACE}}
    await _call(saver, "put", config, checkpoint, metadata, {})


async def read(saver: object, id: str) -> Optional[Facts]:
    """Return the facts of a thread; of one that was saved by a program without a server, what its state says."""
    found = await _call(
        saver, "get_tuple", {"configurable": {"thread_id": id, "checkpoint_ns": NAMESPACE, "checkpoint_id": _ID}}
    )
    if found is not None:
        return _facts_in(cast("_Stored", found))
    found = await _call(saver, "get_tuple", {"configurable": {"thread_id": id, "checkpoint_ns": ""}})
    return None if found is None else _facts_of_state(cast("_Stored", found))


async def all_facts(saver: object, owner: Optional[str]) -> Dict[str, Facts]:
    """Return the facts of all threads of a user in a saver, by their ids.

    Args:
        saver: The saver.
        owner: The user; `None` for threads without one.
    """
    wanted = _KIND if owner is None else {**_KIND, _OWNER: owner}
    found: Dict[str, Facts] = {}
    for stored in await _listed(saver, wanted):
        if stored.config["configurable"].get("checkpoint_ns") == NAMESPACE:
            facts = _facts_in(stored)
            if facts["owner"] == owner:
                found[str(stored.config["configurable"]["thread_id"])] = facts
    return found


async def states_since(saver: object, newest: str, most: int) -> AsyncIterator[Tuple[str, str, Facts]]:
    """Yield the id of a thread, that of a checkpoint of it, and what this says, the latest first.

    Args:
        saver: The saver, which lists the latest checkpoint of all threads first.
        newest: The id of the checkpoint at which to stop; nothing for none.
        most: The most checkpoints to look at.
    """
    before: Optional[Dict[str, Mapping[str, object]]] = None
    for _ in range(0, most, _PAGE):
        page = await _listed(saver, None, limit=_PAGE, before=before)
        for stored in page:
            where = stored.config["configurable"]
            checkpoint = str(where["checkpoint_id"])
            if newest and checkpoint <= newest:
                return
            if where.get("checkpoint_ns", "") == "":
                yield str(where["thread_id"]), checkpoint, _facts_of_state(stored)
            before = {"configurable": {"checkpoint_id": checkpoint}}
        if len(page) < _PAGE:
            return


async def delete(saver: object, id: str) -> None:
    """Delete a thread: its states and its facts. A saver that cannot delete keeps them."""
    await _call(saver, "delete_thread", id)


def _facts_in(stored: _Stored) -> Facts:
    return cast("Facts", json.loads(cast("str", stored.metadata[_FACTS])))


def _facts_of_state(stored: _Stored) -> Facts:
    about = stored.metadata or {}
    owner, graph = about.get("owner"), about.get("graph_id")
    at = seconds(stored.checkpoint.get("ts"))
    facts: Facts = {"owner": owner if isinstance(owner, str) else None, "metadata": {}, "created": at, "updated": at}
    return {**facts, "graph": graph if isinstance(graph, str) else None}


def seconds(given: object) -> float:
    """Return a time in ISO 8601 as seconds since 1970; what is none is now."""
    try:
        return datetime.fromisoformat(cast("str", given)).timestamp()
    except (TypeError, ValueError):
        return time()


async def _call(saver: object, name: str, *args: object) -> object:
    """Call a method of a saver, in a thread if the saver has no async one."""
    method: Callable[..., object]
    try:
        method = getattr(saver, f"a{name}")
        return await method(*args)  # type: ignore[misc]
    except (AttributeError, NotImplementedError):
        method = getattr(saver, name)
        return await asyncio.to_thread(method, *args)


async def _listed(saver: object, wanted: Optional[Facts], **options: object) -> List[_Stored]:
    saver = readable_saver(saver)
    try:
        listed = saver.alist(None, filter=wanted, **options)  # type: ignore[attr-defined]
        return [stored async for stored in listed]
    except (AttributeError, NotImplementedError):
        pass  # it has no async method
    try:
        return await asyncio.to_thread(lambda: list(saver.list(None, filter=wanted, **options)))  # type: ignore[attr-defined]
    except (AttributeError, NotImplementedError):
        _log.warning("%s cannot list threads: only those that are in use are found", type(saver).__name__)
        return []
