"""Whether and where a run is saved: from the graph's checkpointer, its config, and the run around it."""

from __future__ import annotations

from typing import AbstractSet, Any, Dict, FrozenSet, Mapping, Optional, Sequence, Tuple, cast

from typing_extensions import Protocol

from streamgraph._checkpoint.occupancy import Occupancy
from streamgraph._checkpoint.saver import Saver
from streamgraph._checkpoint.thread import SavedThread
from streamgraph._checkpoint.time_travel import TimeTravel
from streamgraph._core.plan import Plan
from streamgraph._core.state import Writes
from streamgraph._execution.saving import Saving
from streamgraph._langchain.run_config import RunConfig
from streamgraph._langchain.scope import Scope
from streamgraph._protocols import Backend
from streamgraph._runnable.options import SavingOptions
from streamgraph._types import Storage
from streamgraph.errors import NoCheckpointerError, UnknownOptionError


class SavedGraph(Protocol):
    """A graph, as far as saving its runs is concerned."""

    checkpointer: Any
    storage: Optional[Storage]
    _plan: Plan

    @property
    def _stored_types(self) -> FrozenSet[Tuple[str, str]]: ...

    def _writes(self, given: Any, *, lenient: bool) -> Writes: ...


def open_saving(
    graph: SavedGraph,
    config: RunConfig,
    scope: Optional[Scope],
    ns: Tuple[str, ...],
    options: SavingOptions,
    backend: Backend,
) -> Optional[Saving]:
    """Return how a run is saved, or `None` if it is not.

    Args:
        graph: The graph.
        config: The config of the run.
        scope: The task that the run is nested in.
        ns: The namespace of the run.
        options: The options of the call.
        backend: Starts what stores beside the run.

    Raises:
        UnknownOptionError: The config does not name a thread.
    """
    if scope is None and graph.checkpointer is True:
        raise NoCheckpointerError(
            "checkpointer=True is for a graph in a node of another one, which has a saver; this is a root graph",
            hint="Give it a saver of its own, such as InMemorySaver().",
        )
    outer = cast("Optional[Saving]", scope.run.saving) if scope is not None else None
    if graph.checkpointer is False or (outer is None and graph.checkpointer in (None, True)):
        return None
    parents: Dict[str, str] = {}
    storage: Storage = graph.storage or ("full" if outer is None else outer.storage)
    nested = outer is not None and not _has_own_thread(graph, config, outer)
    if outer is not None and nested:
        saver, thread, durability = outer.saver.making(graph._stored_types), outer.saved.thread_id, outer.durability
        parents = outer.saved.above()
        travel, asked = outer.travel, None
        occupancy = None
    else:
        saver, thread = Saver(graph.checkpointer, graph._stored_types), thread_id_of(config.configurable)
        durability = options.durability or "async"
        travel, asked = _travel(config.configurable, thread)
        occupancy = Occupancy(graph.checkpointer, thread, options.strategy or "reject")
    saved = SavedThread(
        graph._plan,
        saver,
        thread,
        ns if nested else (),
        checkpoint_id=asked,
        metadata=stored_metadata(config),
        parents=parents,
        storage=storage,
        travel=travel,
        configurable={key: value for key, value in config.configurable.items() if not key.startswith("__")},
    )
    return Saving(
        saved,
        saver,
        durability,
        backend,
        lambda given: graph._writes(given, lenient=True),
        outer=outer,
        remembers=graph.checkpointer is True,
        continues=outer is not None and scope is not None and outer.resumed == scope.task.step,
        occupancy=occupancy,
        storage=storage,
        travel=travel,
    )


def _has_own_thread(graph: SavedGraph, config: RunConfig, outer: Saving) -> bool:
    """Return whether a graph that is called in a node has a saver, and is called with a thread of its own."""
    thread = config.configurable.get("thread_id")
    return graph.checkpointer not in (None, True) and thread is not None and str(thread) != outer.saved.thread_id


def _travel(configurable: Mapping[str, Any], thread: str) -> Tuple[Optional[TimeTravel], Optional[str]]:
    """Return where nested runs continue from, and the checkpoint of the root, if a config names one.

    A config of a graph in a node names the checkpoints of the graphs around it in its `checkpoint_map`.
    """
    named = configurable.get("checkpoint_map") or {}
    asked = named.get("") if configurable.get("checkpoint_ns") else configurable.get("checkpoint_id") or named.get("")
    return (None, None) if not asked else (TimeTravel(thread, named), str(asked))


def thread_id_of(configurable: Mapping[str, Any]) -> str:
    """Return the thread that a config names.

    Raises:
        UnknownOptionError: It names none, or by something that no database takes as a name.
    """
    thread = configurable.get("thread_id")
    if type(thread) is str and thread.isprintable() and thread:
        return thread
    if thread is None or thread == "":
        raise UnknownOptionError(
            f"The run has a checkpointer, so its config must name a thread, but thread_id is {thread!r}",
            hint='Give one: config={"configurable": {"thread_id": "..."}}. Every conversation has its own.',
        )
    text = str(thread)
    if isinstance(thread, (bytes, bool, Mapping, Sequence, AbstractSet)) and not isinstance(thread, str):
        wrong = f"of type {type(thread).__name__}"
    elif not any("__str__" in vars(kind) or "__repr__" in vars(kind) for kind in type(thread).__mro__[:-1]):
        wrong = f"of type {type(thread).__name__}, whose text is another one in each process"
    elif "\0" in text or not _is_utf8(text):
        wrong = "a text that databases do not store: it has a NUL character or a lone surrogate"
    else:
        return text
    raise UnknownOptionError(f"A thread_id is a text, but this one is {wrong}: {thread!r:.80}", hint="Give a string.")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def stored_metadata(config: RunConfig) -> Dict[str, Any]:
    """Return the user's metadata that is stored with each checkpoint, as LangGraph chooses it."""
    return {
        key: value
        for key, value in {**config.metadata, **config.configurable}.items()
        if isinstance(value, (str, int, float, bool)) and key not in _IDS and "__" not in key
    }


_IDS = ("thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map")
