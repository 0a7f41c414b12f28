"""The threads of a server: what is known of them beside the state that their saver keeps."""

from __future__ import annotations

from time import time
from typing import Dict, Iterator, Optional

from streamgraph_server._requests import Fields


class Thread:
    """A conversation, or another sequence of runs that share a state.

    Attributes:
        id: Its id.
        owner: The user who made it; `None` if the server does not ask.
        graph: The name of the graph that ran on it last; `None` before the first run.
        metadata: What the client has noted about it.
        created: When it was made, in seconds since 1970.
        updated: When it has changed last.
    """

    def __init__(self, id: str, owner: Optional[str], metadata: Fields, graph: Optional[str] = None) -> None:
        self.id = id
        self.owner = owner
        self.graph = graph
        self.metadata = metadata
        self.created = self.updated = time()

    def touch(self, graph: Optional[str] = None) -> None:
        """Note that it has changed, and maybe which graph runs on it."""
        self.updated = time()
        if graph is not None:
            self.graph = graph


class Threads:
    """The threads that were made or used since the server has started, by their ids."""

    def __init__(self) -> None:
        self._threads: Dict[str, Thread] = {}

    def __iter__(self) -> Iterator[Thread]:
        return iter(list(self._threads.values()))

    def get(self, id: str) -> Optional[Thread]:
        """Return a thread, whoever owns it, or `None`."""
        return self._threads.get(id)

    def add(self, thread: Thread) -> Thread:
        """Add a thread."""
        self._threads[thread.id] = thread
        return thread

    def remove(self, id: str) -> None:
        """Remove a thread."""
        self._threads.pop(id, None)
