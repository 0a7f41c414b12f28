"""What protocols are built on: the graphs, threads and runs of a server."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import lru_cache
from typing import AsyncContextManager, Callable, Dict, FrozenSet, List, Mapping, Optional, Union
from uuid import UUID, uuid5

from starlette.requests import Request

from streamgraph.pregel import Pregel
from streamgraph.runs import Dispatcher, SharedEvents
from streamgraph_server._guard import user_of
from streamgraph_server._refusals import refusal, unknown
from streamgraph_server._requests import Fields, read_config
from streamgraph_server._settings import Settings
from streamgraph_server.runs import Runs
from streamgraph_server.served import ServedRun
from streamgraph_server.shared import SharedRuns
from streamgraph_server.threads import LONGEST_ID, Thread, Threads, is_usable

ASSISTANTS = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
"""The namespace of the ids of assistants, as clients of LangGraph's server expect it."""

SaverSource = Union[object, Callable[[], AsyncContextManager[object]]]
"""A saver, or a function that opens one for as long as the server runs."""


class Service:
    """The graphs of a server, with the threads and runs of its users.

    Args:
        graphs: The graphs, by name.
        settings: The limits and choices.
        saver: What saves the threads of graphs that were compiled without a checkpointer.
        store: The store of graphs that were compiled without one, or a function that opens it.
        events: What this process shares with others; `None` if it is alone.
        dispatcher: Starts runs elsewhere; `None` to start them here.

    Attributes:
        runs: The runs.
        threads: The threads.
        settings: The limits and choices.
    """

    def __init__(
        self,
        graphs: Mapping[str, Pregel],
        settings: Settings,
        saver: SaverSource,
        store: object,
        events: Optional[SharedEvents] = None,
        dispatcher: Optional[Dispatcher] = None,
    ) -> None:
        self.settings = settings
        self.threads = Threads(are_shared=events is not None)
        shared = None
        if events is not None:
            shared = SharedRuns(events, dispatcher, settings, self.threads, self._graph)
        self.runs = Runs(settings, self.threads, shared)
        self._given = dict(graphs)
        self._saver, self._opens_store = saver, store if callable(store) else None
        self._saved: Dict[str, Pregel] = {}
        self._open = AsyncExitStack()
        self._input_keys: Dict[str, Optional[FrozenSet[str]]] = {}
        self._keep_in(None if callable(store) else store)
        if not callable(saver):
            self._save_in(saver)

    def _keep_in(self, store: object) -> None:
        self.store = store
        self._unsaved = {name: _copy(graph, checkpointer=None, store=store) for name, graph in self._given.items()}

    def _save_in(self, saver: object) -> None:
        graphs = {name: _copy(graph, checkpointer=saver, store=self.store) for name, graph in self._given.items()}
        self._saved = graphs
        self.threads.open(saver, {name: graph.checkpointer for name, graph in graphs.items()})

    async def open(self) -> None:
        """Open what the server needs while it runs."""
        self.runs.reopen()
        if self._opens_store is not None:
            self._keep_in(await self._open.enter_async_context(self._opens_store()))
        if callable(self._saver):
            self._save_in(await self._open.enter_async_context(self._saver()))
        elif self._opens_store is not None:
            self._save_in(self._saver)

    async def close(self) -> None:
        """End all runs, then close what was opened."""
        await self.runs.drain()
        await self._open.aclose()

    @property
    def names(self) -> List[str]:
        """The names of the graphs; the first one is the default."""
        return list(self._given)

    def name_of(self, given: object) -> str:
        """Return the name of the graph that a client means by a name or an assistant's id.

        Raises:
            HTTPException: There is none.
        """
        if isinstance(given, str):
            for name in self._given:
                if given in (name, assistant_id(name)):
                    return name
        raise unknown("graph", given, self._given)

    def _graph(self, name: str, is_saved: bool) -> Optional[Pregel]:
        return (self._saved if is_saved else self._unsaved).get(name)

    def unsaved(self, name: str) -> Pregel:
        """Return a graph for runs without a thread."""
        return self._unsaved[name]

    def saved(self, name: str) -> Pregel:
        """Return a graph whose runs are saved.

        Raises:
            HTTPException: The saver is not open, since the application that this one is mounted in does not start it.
        """
        try:
            return self._saved[name]
        except KeyError:
            raise refusal(
                503,
                "The server's saver is not open. An application that mounts this one must run its lifespan:"
                " Starlette(lifespan=app.router.lifespan_context), or the same of FastAPI.",
            ) from None

    def input_keys(self, name: str) -> Optional[FrozenSet[str]]:
        """Return the keys that the input of a graph may have; `None` if its input is no dict."""
        if name not in self._input_keys:
            properties = self._given[name].get_input_jsonschema().get("properties")
            self._input_keys[name] = frozenset(properties) if isinstance(properties, dict) else None
        return self._input_keys[name]

    def takes_messages(self, name: str) -> bool:
        """Return whether the input of a graph may have messages."""
        keys = self.input_keys(name)
        return keys is None or "messages" in keys

    def need_messages(self, name: str) -> None:
        """Refuse a conversation with a graph that has none.

        Raises:
            HTTPException: The input of the graph has no key `messages`.
        """
        if not self.takes_messages(name):
            keys = ", ".join(sorted(self.input_keys(name) or ()))
            raise refusal(
                422, f"Graph {name!r} takes no messages, so there is no conversation with it. Its input: {keys}."
            )

    def config_of(self, name: str, given: Mapping[str, object]) -> Fields:
        """Return what a client may say in the config of a run; see `read_config`."""
        settings = self.settings
        allowed = settings.configurable
        if allowed is None:
            allowed = declared_keys(self._given[name])
        return read_config(given, allowed=allowed, max_recursion=settings.max_recursion)

    async def thread(self, id: str, request: Request, *, fresh: bool = False) -> Optional[Thread]:
        """Return a thread of the user who asks, also one that only the saver knows; `None` if there is none.

        Args:
            id: Its id.
            request: The request.
            fresh: Also look for what other processes have changed of a thread that is known.
        """
        found = await self.threads.find(id, fresh=fresh)
        return found if found is not None and found.owner == user_of(request) else None

    async def need_thread(self, id: str, request: Request, *, fresh: bool = False) -> Thread:
        """Return a thread of the user who asks; see `thread`.

        Raises:
            HTTPException: There is none.
        """
        found = await self.thread(id, request, fresh=fresh)
        if found is None:
            raise unknown("thread", id)
        return found

    async def need_run(self, thread: Optional[str], run: str, request: Request) -> ServedRun:
        """Return a run of the user who asks; see `need_thread`."""
        found = await self.runs.get(run, user_of(request), thread)
        if found is None:
            raise unknown("run", run)
        return found

    def new_thread(self, id: str, request: Request, metadata: Fields) -> Thread:
        """Make a thread for the user who asks. It is stored when a run begins on it, or by `threads.save`.

        Raises:
            HTTPException: The id is another user's, or unusable.
        """
        if not is_usable(id):
            raise refusal(422, f"The id of a thread is a printable text of at most {LONGEST_ID} characters.")
        if self.threads.get(id) is not None:
            raise refusal(409, f"Thread {id!r} cannot be made.")
        return self.threads.add(Thread(id, user_of(request), metadata))


@lru_cache(maxsize=1000)
def assistant_id(name: str) -> str:
    """Return the id of the assistant that a graph is."""
    return str(uuid5(ASSISTANTS, name))


def declared_keys(graph: Pregel) -> FrozenSet[str]:
    """Return the keys of `context` that a graph declares."""
    schema = graph.get_context_jsonschema() or {}
    properties = schema.get("properties")
    return frozenset(properties) if isinstance(properties, dict) else frozenset()


def _copy(graph: Pregel, *, checkpointer: object, store: object) -> Pregel:
    update: Dict[str, object] = {}
    own = graph.checkpointer
    if checkpointer is None or own is None or isinstance(own, bool):
        update["checkpointer"] = checkpointer
    if graph.store is None and store is not None:
        update["store"] = store
    return graph.copy(update=update)
