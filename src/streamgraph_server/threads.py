"""The threads of a server: what is known of them beside their states, kept by the savers that keep these."""

from __future__ import annotations

from collections import deque
from time import time
from typing import Callable, Deque, Dict, List, Mapping, Optional, cast
from weakref import WeakValueDictionary

from streamgraph.named import in_memory
from streamgraph_server import _thread_facts
from streamgraph_server._refusals import refusal
from streamgraph_server._requests import Fields
from streamgraph_server._thread_facts import Facts

LONGEST_ID = 200

RECENT = 1000
"""How many threads are kept in memory that no run needs."""

MOST_STATES = 10_000
"""How many states of a saver are looked at for threads that other programs have saved."""


class Thread:
    """A conversation, or another sequence of runs that share a state.

    Attributes:
        id: Its id.
        owner: The user who made it; `None` if the server does not ask.
        graph: The name of the graph that ran on it last; `None` before the first run.
        metadata: What the client has noted about it.
        created: When it was made, in seconds since 1970.
        updated: When it has changed last.
        saved: Whether its saver knows it.
        watchers: Are called with each run that is put on it, before it begins.
    """

    def __init__(self, id: str, owner: Optional[str], metadata: Fields, graph: Optional[str] = None) -> None:
        self.id = id
        self.owner = owner
        self.graph = graph
        self.metadata = metadata
        self.created = self.updated = time()
        self.saved = False
        self.watchers: List[Callable[[object], None]] = []

    def touch(self, graph: Optional[str] = None) -> None:
        """Note that it has changed, and maybe which graph runs on it."""
        self.updated = time()
        if graph is not None:
            self.graph = graph

    @property
    def facts(self) -> Facts:
        """What a saver keeps of it."""
        return {
            "owner": self.owner,
            "graph": self.graph,
            "metadata": self.metadata,
            "created": self.created,
            "updated": self.updated,
        }

    def take(self, facts: Facts) -> None:
        """Take over what a saver has kept, unless what is known is newer."""
        updated = cast("float", facts["updated"])
        if self.saved and updated <= self.updated:
            return
        self.owner = cast("Optional[str]", facts["owner"])
        self.graph = cast("Optional[str]", facts["graph"]) or self.graph
        self.metadata = dict(cast("Fields", facts["metadata"]))
        self.created, self.updated = cast("float", facts["created"]), updated
        self.saved = True


class Threads:
    """The threads in the savers of a server, with those that were used since it has started in memory.

    Args:
        are_shared: Whether other processes change them as well, so that what is known of one is looked up each time.
    """

    def __init__(self, *, are_shared: bool = False) -> None:
        self._are_shared = are_shared
        # All that something refers to: a run, or these two.
        self._threads: WeakValueDictionary[str, Thread] = WeakValueDictionary()
        self._unsaved: Dict[str, Thread] = {}
        self._recent: Deque[Thread] = deque(maxlen=RECENT)
        self._by_graph: Dict[str, object] = {}
        self._own: object = None
        self._shared: List[object] = []
        self._looked: Dict[int, str] = {}

    def open(self, own: object, by_graph: Mapping[str, object]) -> None:
        """Use savers.

        Args:
            own: The saver of threads on which no graph has run yet.
            by_graph: The saver of each graph.
        """
        self._own, self._by_graph = own, dict(by_graph)
        kept_here = type(in_memory())  # no other program can write to it
        self._shared = [saver for saver in self._savers if not isinstance(saver, kept_here)]

    @property
    def _savers(self) -> List[object]:
        savers = [saver for saver in (self._own, *self._by_graph.values()) if saver is not None]
        return list({id(saver): saver for saver in savers}.values())

    def get(self, id: str) -> Optional[Thread]:
        """Return a thread that was used since the server has started, whoever owns it, or `None`."""
        return self._threads.get(id)

    def add(self, thread: Thread) -> Thread:
        """Add a thread, which is not stored yet."""
        self._threads[thread.id] = self._unsaved[thread.id] = thread
        return thread

    async def find(self, id: str, *, fresh: bool = False) -> Optional[Thread]:
        """Return a thread, whoever owns it, or `None`.

        Args:
            id: Its id.
            fresh: Also look for what other processes have changed of a thread that is known.
        """
        known = self._threads.get(id)
        if known is not None and not (self._are_shared or (fresh and known.saved)):
            return known
        if not is_usable(id):
            return None
        found = [facts for facts in [await _thread_facts.read(saver, id) for saver in self._savers] if facts]
        known = self._threads.get(id)  # another request may have made it meanwhile
        if not found:
            if known is not None and known.saved:
                self.forget(id)  # deleted by another process
                return None
            return known
        thread = self._taken(id, max(found, key=_updated))
        self._recent.append(thread)
        return thread

    async def of(self, owner: Optional[str]) -> List[Thread]:
        """Return the threads of a user, the one that has changed last first.

        Args:
            owner: The user; `None` for threads without one, to which belong those that programs without a server have
                saved.
        """
        stored: Dict[str, Facts] = {}
        for saver in self._savers:
            for id, facts in (await _thread_facts.all_facts(saver, owner)).items():
                if id not in stored or _updated(stored[id]) < _updated(facts):
                    stored[id] = facts
        if owner is None:
            for saver in self._shared:
                stored.update(await self._of_others(saver, stored))
        unsaved = [thread for thread in self._unsaved.values() if thread.owner == owner]
        found = [*unsaved, *(self._taken(id, facts) for id, facts in stored.items())]
        return sorted(found, key=lambda thread: thread.updated, reverse=True)

    async def save(self, thread: Thread) -> None:
        """Store what is known of a thread.

        Raises:
            HTTPException: It was made here, and by another process for another user at the same time.
        """
        saver = self._saver_of(thread.graph)
        if not thread.saved:
            found = await _thread_facts.read(saver, thread.id)
            if found is not None and found["owner"] != thread.owner:
                self.forget(thread.id)
                raise refusal(409, f"Thread {thread.id!r} cannot be made.")
        thread.saved = True
        self._unsaved.pop(thread.id, None)
        self._recent.append(thread)
        await _thread_facts.store(saver, thread.id, thread.facts)

    async def delete(self, id: str) -> None:
        """Delete a thread with its states."""
        for saver in self._savers:
            await _thread_facts.delete(saver, id)
        self.forget(id)

    def forget(self, id: str) -> None:
        """Forget a thread; what its saver knows of it stays."""
        self._threads.pop(id, None)
        self._unsaved.pop(id, None)

    async def _of_others(self, saver: object, known: Mapping[str, Facts]) -> Dict[str, Facts]:
        """Return the threads that programs without a server have saved, and note their facts as for any other thread.

        Only states that are new since the last time are looked at.
        """
        last = newest = self._looked.get(id(saver), "")
        found: Dict[str, Facts] = {}
        async for thread, checkpoint, facts in _thread_facts.states_since(saver, last, MOST_STATES):
            newest = max(newest, checkpoint)
            if facts["owner"] is None and thread not in known and thread not in self._unsaved:
                before = found.setdefault(thread, facts)
                before["created"] = min(cast("float", before["created"]), cast("float", facts["created"]))
        for thread, facts in found.items():
            await _thread_facts.store(saver, thread, facts)
        self._looked[id(saver)] = newest
        return found

    def _taken(self, id: str, facts: Facts) -> Thread:
        thread = self._threads.get(id)
        if thread is None:
            thread = self._threads[id] = Thread(id, None, {})
        if facts["graph"] not in self._by_graph:  # another server's, or saved without one
            facts = {**facts, "graph": next(iter(self._by_graph)) if len(self._by_graph) == 1 else None}
        thread.take(facts)
        return thread

    def _saver_of(self, graph: Optional[str]) -> object:
        return self._own if graph is None else self._by_graph.get(graph, self._own)


def _updated(facts: Facts) -> float:
    return cast("float", facts["updated"])


def is_usable(id: str) -> bool:
    """Return whether a text can be the id of a thread."""
    return 0 < len(id) <= LONGEST_ID and id.isprintable()
