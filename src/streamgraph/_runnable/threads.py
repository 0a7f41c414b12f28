"""Reads threads: which saver, which graph of it, and snapshots."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from langchain_core.runnables import RunnableConfig

from streamgraph._checkpoint.replaying import read_whole
from streamgraph._checkpoint.saver import Saver
from streamgraph._checkpoint.snapshots import (
    DueTask,
    due_tasks,
    empty_snapshot,
    inner_config,
    saved_config,
    snapshot,
)
from streamgraph._langchain.configs import bound_together
from streamgraph._protocols import Work
from streamgraph._reserved import CONFIG_KEY_CHECKPOINTER
from streamgraph._runnable.base import GraphBase
from streamgraph._runnable.config_checks import check_config
from streamgraph._runnable.saving import thread_id_of
from streamgraph._runnable.subgraphs import graph_in
from streamgraph._snapshots import StateSnapshot
from streamgraph.errors import NoCheckpointerError, UnknownOptionError

Configurable = Mapping[str, Any]


class Place(NamedTuple):
    """A graph on a thread.

    Attributes:
        graph: The graph: the one that was asked, or one in its nodes.
        saver: The saver.
        given: The config, merged with the one bound to the graph.
        configurable: Its entries under `configurable`.
        thread_id: The thread.
        ns: The namespace of the graph.
    """

    graph: GraphBase
    saver: Saver
    given: RunnableConfig
    configurable: Configurable
    thread_id: str
    ns: Tuple[str, ...]

    @property
    def checkpoint_id(self) -> Optional[str]:
        """The record that the config names, if it does."""
        if self.configurable.get("checkpoint_id"):
            return str(self.configurable["checkpoint_id"])
        named = (self.configurable.get("checkpoint_map") or {}).get("|".join(self.ns))
        return None if named is None else str(named)

    @property
    def around(self) -> Dict[str, str]:
        """The ids of the records of the graphs around this one, by namespace."""
        return dict(self.configurable.get("checkpoint_map") or {})

    def config(self, checkpoint_id: Optional[str] = None) -> Dict[str, Any]:
        """Return a config for the saver."""
        configurable: Dict[str, Any] = {"thread_id": self.thread_id, "checkpoint_ns": "|".join(self.ns)}
        if checkpoint_id is not None:
            configurable["checkpoint_id"] = checkpoint_id
        return {"configurable": configurable}


def place_of(graph: GraphBase, config: Optional[RunnableConfig], method: str, *, reads: bool = False) -> Place:
    """Return the graph and the thread that a config is about.

    Args:
        graph: The graph that was asked.
        config: The config.
        method: The name of the method, for errors.
        reads: A namespace in which no node runs a graph, but code of a node has run one, is read with the graph.

    Raises:
        NoCheckpointerError: There is no saver.
        UnknownOptionError: The config names no thread, or a graph that does not exist.
    """
    check_config(config)
    given = config or {}
    if graph.config is not None:
        given = bound_together(graph.config, given)
    configurable = given.get("configurable") or {}
    saver = configurable.get(CONFIG_KEY_CHECKPOINTER) or graph.checkpointer
    if saver is None or isinstance(saver, bool):
        raise NoCheckpointerError(
            f"No checkpointer set: {method}() is about saved runs",
            hint="Give a saver to compile(checkpointer=...), such as langgraph.checkpoint.memory's InMemorySaver().",
        )
    thread = thread_id_of(configurable)
    ns = tuple(filter(None, str(configurable.get("checkpoint_ns") or "").split("|")))
    graph = _graph_at(graph, ns, reads=reads)
    if graph.checkpointer is True:  # it keeps its state from task to task; LangGraph shows it with the id of a task
        last = max(at for at, level in enumerate(ns) if not level.isdigit()) if ns else 0
        ns = tuple(level.partition(":")[0] if at == last else level for at, level in enumerate(ns))
    return Place(graph, Saver(saver, graph._stored_types), given, configurable, thread, ns)


def _graph_at(root: GraphBase, ns: Sequence[str], *, reads: bool) -> GraphBase:
    """Return the graph in a namespace; the numbers of several graphs in one task do not matter."""
    graph = root
    names = [name for name in (level.partition(":")[0] for level in ns) if not name.isdigit()]
    for name in names:
        inner = graph_in(graph._targets.get(name))
        if inner is None and reads:
            return root
        if inner is None:
            known = [node for node, target in graph._targets.items() if graph_in(target) is not None]
            raise UnknownOptionError(
                f"Subgraph {'|'.join(names)} not found: no node {name!r} runs a graph", name=name, known=known
            )
        graph = inner
    return graph


def state_at(place: Place, *, subgraphs: bool) -> Work[StateSnapshot]:
    """Return the snapshot that a config names, or that of the last record."""
    stored = yield from place.saver.get(place.config(place.checkpoint_id))
    if stored is None:
        return empty_snapshot(place.given)
    return (yield from snapshot_of(place, stored, latest=place.checkpoint_id is None, subgraphs=subgraphs))


def snapshot_of(place: Place, stored: Any, *, latest: bool, subgraphs: bool = False) -> Work[StateSnapshot]:
    """Return the snapshot of a stored record.

    Args:
        place: The graph.
        stored: The saver's tuple.
        latest: It is the last of the thread, not one that was asked for by its id.
        subgraphs: Also return the snapshots of graphs in unfinished tasks, not only their configs.
    """
    plan = place.graph._plan
    loaded = yield from read_whole(plan, place.saver, stored, place.ns)
    tasks = list(due_tasks(plan, loaded))
    around = place.around if place.ns else {}
    below: Dict[str, Any] = {}
    for task, graph in _graphs_in(place.graph, tasks):
        config = inner_config(task, place.thread_id, place.ns, remembers=graph.checkpointer is True)
        below[task.id] = config
        if subgraphs:
            inner_ns = tuple(config["configurable"]["checkpoint_ns"].split("|"))
            parents = {**around, "|".join(place.ns): stored.checkpoint["id"]}
            inside = place._replace(
                graph=graph,
                saver=place.saver.making(graph._stored_types),
                ns=inner_ns,
                configurable={"checkpoint_map": parents},
                given=config,  # type: ignore[arg-type]
            )
            found = yield from state_at(inside, subgraphs=True)
            below[task.id] = found if found.created_at is not None else config
    config = saved_config(stored, around)
    stream_keys = place.graph._stream_keys
    keys = [stream_keys] if isinstance(stream_keys, str) else stream_keys
    return snapshot(plan, stored, loaded, config, keys=keys, latest=latest, below=below)


def _graphs_in(graph: GraphBase, tasks: List[DueTask]) -> Iterator[Tuple[DueTask, GraphBase]]:
    for task in tasks:
        inner = graph_in(graph._targets.get(task.name))
        if inner is not None and inner.checkpointer is not False:
            yield task, inner
