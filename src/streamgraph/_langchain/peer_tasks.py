"""Tasks of LangGraph around our runs, and inside our tasks.

The tasks of a graph of LangGraph that runs in one of our tasks, and a task of LangGraph in which one of our graphs
runs, are given a scope as if they were tasks of ours, so that namespaces, metadata, filters and the message tracker
treat them like any nested graph.
"""

from __future__ import annotations

from dataclasses import replace
from sys import modules
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from langchain_core.runnables.config import var_child_runnable_config

from streamgraph._compat.langgraph import PEER, TaskAround, task_around
from streamgraph._core.plan import Node, Plan
from streamgraph._core.task import PUSH, Task
from streamgraph._langchain.lazy_entries import LazyEntries
from streamgraph._langchain.run_config import SHOWN_CONFIGURABLE, RunConfig
from streamgraph._langchain.scope import SCOPE_KEY, RunScope, Scope, current_scope
from streamgraph._propagation import current_loop
from streamgraph._reserved import CONFIG_KEY_CHECKPOINT_NS
from streamgraph._streams.cancellation import CancelToken
from streamgraph._streams.part import Part
from streamgraph._streams.subscribers import RunSubscribers, Subscriber, Subscribers

_LEVEL = "|"

_NO_PLAN = Plan("LangGraph", Node("__start__"), {}, {}, {}, (), lambda value: None)
"""Stands for the graph of a task of LangGraph, whose state is not known here."""


class PeerScope(Scope):
    """A task of LangGraph.

    Attributes:
        around: What its config says about it, if one of our graphs runs in it.
    """

    __slots__ = ("around",)

    around: Optional[TaskAround]

    @property
    def is_outermost(self) -> bool:
        """True if no task of ours is around it, so that what happens in it is shown by LangGraph."""
        return self.parent is None

    def next_call(self) -> int:
        """Return the number of the next nested run in the task, counted together with LangGraph's own graphs."""
        number = None if self.around is None else self.around.next_graph()
        return super().next_call() if number is None else number

    def write(self, value: object) -> None:
        """Write custom data as LangGraph's own writer does."""
        if self.is_outermost and self.around is not None:
            self.around.runtime("stream_writer")(value)
        else:
            super().write(value)

    def lets_go(self) -> bool:
        """Return whether a run nested here continues after the task was cancelled."""
        # LangGraph waits for its tasks; an exception for the outermost run comes from LangGraph itself.
        return self.parent is not None and super().lets_go()


def peer_scope(scope: Optional[Scope], given: Optional[Mapping[str, Any]], value: object) -> Optional[PeerScope]:
    """Return the scope of the task of LangGraph in which a run begins; `None` if the nearest task is one of ours.

    Args:
        scope: The task of ours in which the code runs; `None` if there is none.
        given: The config of the call.
        value: The input of the run: as far as we know, LangGraph's task was given the same.
    """
    inherited = var_child_runnable_config.get()
    if not given and inherited is not None and type(inherited.get("configurable")) is LazyEntries:
        return None
    around = task_around(given, inherited)
    if around is None:
        return None
    outer = around.configurable.get(SCOPE_KEY) or scope
    if outer is not None and outer.task.id == around.id:
        return None
    metadata = (inherited or {}).get("metadata") or {}
    if metadata.get("langgraph_checkpoint_ns") != around.ns:
        metadata = {**metadata, "langgraph_checkpoint_ns": around.ns, "langgraph_node": node_of(around.ns)}
    made = _scope_of(outer, metadata, value) if outer is not None else _outermost(around, metadata, value)
    made.around = around
    return made


def current_place() -> Optional[Scope]:
    """Return the scope of the calling code, which may also be in a task of LangGraph; `None` outside of any run."""
    scope = current_scope()
    return scope if PEER not in modules else peer_scope(scope, None, None) or scope


def outermost_task(scope: Optional[Scope]) -> Optional[TaskAround]:
    """Return the task of LangGraph around all of our runs, in which its interrupts are answered; or `None`."""
    outer = scope
    while outer is not None:
        if isinstance(outer, PeerScope) and outer.is_outermost:
            return outer.around
        outer = outer.parent
    return None


def node_of(ns: str) -> str:
    named = [level for level in ns.split(_LEVEL) if not level.isdigit()]
    return named[-1].partition(":")[0] if named else ""


def _task_of(metadata: Mapping[str, Any], value: object, node: Node) -> Tuple[Tuple[str, ...], Task]:
    """Return the namespace of the graph of a task of LangGraph, and the task.

    Args:
        metadata: LangGraph's metadata of the task.
        value: Its input.
        node: Its node.
    """
    levels = str(metadata["langgraph_checkpoint_ns"]).split(_LEVEL)
    path = tuple(metadata.get("langgraph_path") or ())
    # The namespace of a called `@task` is that of its caller with a level of its own, but its graph is the same.
    own, caller = 1, path
    while len(caller) == 4 and caller[0] == PUSH and caller[-1] is True and isinstance(caller[1], (tuple, list)):
        own, caller = own + 1, tuple(caller[1])
    while own < len(levels) and levels[-own].isdigit():
        own += 1
    ns, suffix = tuple(levels[:-own]), tuple(levels[-own:])
    triggers = tuple(metadata.get("langgraph_triggers") or ())
    task = Task(levels[-1].partition(":")[2], node, metadata.get("langgraph_step") or 0, value, triggers, -1)
    task.ns_suffix = suffix
    if path:
        task.path = path
    return ns, task


def _scope_of(
    outer: Scope, metadata: Mapping[str, Any], value: object, tags: Sequence[str] = (), own: Mapping[str, Any] = {}
) -> PeerScope:
    """Return the scope of a task of LangGraph inside a task of ours.

    Args:
        outer: The task of ours, or one of LangGraph inside of it.
        metadata: LangGraph's metadata of the task.
        value: Its input.
        tags: The user's tags of the task.
        own: The user's metadata of the task.
    """
    shared = outer.run
    node = Node(
        str(metadata.get("langgraph_node") or ""),
        tags=tuple(tag for tag in tags if tag not in shared.config.tags),
        metadata={key: item for key, item in own.items() if key not in shared.metadata},
    )
    ns, task = _task_of(metadata, value, node)
    if ns[: len(outer.inner_ns)] != outer.inner_ns:
        ns = (*outer.inner_ns, *ns)  # a run with a thread of its own, whose namespaces begin at its root
    subscribers = RunSubscribers(ns, frozenset(), frozenset(), above=shared.subscribers.below)
    run = replace(shared, ns=ns, plan=_NO_PLAN, subscribers=subscribers)
    return _scope(task, run, outer)


def _scope(task: Task, run: RunScope, outer: Scope) -> PeerScope:
    wanted = run.subscribers.here.modes_of(task.name)
    scope = PeerScope(task, run, wanted, outer.put, outer.stop, outer, outer.trace, None, 1, outer.began)
    scope.around = None
    return scope


def _outermost(around: TaskAround, metadata: Mapping[str, Any], value: object) -> PeerScope:
    """Return the scope of a task of LangGraph that is not inside a task of ours."""
    ns, task = _task_of(metadata, value, Node(str(metadata.get("langgraph_node") or "")))
    stop, stream = CancelToken(), around.stream
    run = RunScope(
        ns,
        _NO_PLAN,
        messages=None,
        config=RunConfig(),
        configurable={},
        context=around.runtime("context"),
        store=around.runtime("store"),
        control=around.runtime("control"),
        subscribers=RunSubscribers(ns, frozenset(), frozenset(), above=Subscribers((Subscriber(around.modes),))),
        state=lambda *keys: {},
        fold=lambda task, writes: {},
        call=_refuse_task,
        stop=stop,
        loop=current_loop(),
    )

    def put(part: Part) -> None:
        if stream is not None:
            stream((part.ns, part.mode, part.data))

    scope = PeerScope(task, run, run.subscribers.here.modes, put, stop, None, None, None, 1, 0.0)
    scope.around = around
    return scope


def _refuse_task(scope: Scope, node: Node, given: object) -> Any:
    raise RuntimeError(f"The task {node.name!r} was called in a task of LangGraph; call it in a node of this package.")


class PeerTasks:
    """The running tasks of LangGraph inside a task of ours.

    Args:
        outer: The task of ours.
    """

    def __init__(self, outer: Scope) -> None:
        self._outer = outer
        self._base = outer.checkpoint_ns
        self._open: Dict[str, PeerScope] = {}

    def scope_of(self, metadata: Optional[Mapping[str, Any]]) -> Scope:
        """Return the scope of the task that a callback comes from.

        Args:
            metadata: The metadata of the callback; that of the current config is used if it names no task.
        """
        if not metadata or "langgraph_checkpoint_ns" not in metadata:
            metadata = (var_child_runnable_config.get() or {}).get("metadata") or {}
        ns = str(metadata.get("langgraph_checkpoint_ns") or self._base)
        if ns == self._base:
            return self._outer
        found = self._open.get(ns)
        return found if found is not None else self._made(ns, metadata, None, ())

    def begun(
        self, metadata: Optional[Mapping[str, Any]], value: object, name: object, tags: Sequence[str]
    ) -> Optional[PeerScope]:
        """Return the scope of a task that begins; `None` if a callback is not that of the beginning of a task.

        Args:
            metadata: The metadata of the callback.
            value: The input.
            name: The name in traces.
            tags: The tags in traces, without those of LangChain.
        """
        ns = (metadata or {}).get("langgraph_checkpoint_ns")
        if metadata is None or not ns or ns == self._base or name != metadata.get("langgraph_node"):
            return None
        if ns in self._open:
            return None
        scope = self._open[ns] = self._made(ns, metadata, value, tags)
        return scope

    def ended(self, scope: PeerScope) -> None:
        """Forget a task that has ended."""
        scope.over = True
        for ns in [ns for ns, found in self._open.items() if found is scope]:
            del self._open[ns]

    def _made(self, ns: str, metadata: Mapping[str, Any], value: object, tags: Sequence[str]) -> PeerScope:
        outer: Scope = self._outer
        levels = ns.split(_LEVEL)
        for end in range(len(levels) - 1, 0, -1):
            found = self._open.get(_LEVEL.join(levels[:end]))
            if found is not None:
                outer = found
                break
        hidden = self._outer.run.config.configurable
        own = {
            key: item
            for key, item in metadata.items()
            if not key.startswith("langgraph_")
            and key != CONFIG_KEY_CHECKPOINT_NS
            and (key not in hidden or key in SHOWN_CONFIGURABLE or item != hidden[key])
        }
        return _scope_of(outer, metadata, value, tags, own)
