"""LangGraph in the same program: its classes, and the private keys by which its graphs find the task around them.

Nothing is imported. A class is looked up in `sys.modules`, so a program that has not loaded LangGraph pays for a lookup
at most. Code that runs for every step tests `PEER in sys.modules` itself, which is not even a call.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import count
from typing import Any, Callable, Dict, FrozenSet, Iterable, Mapping, Optional, Tuple, Type

from streamgraph._reserved import (
    CONFIG_KEY_CHECKPOINT_NS,
    CONFIG_KEY_RUNTIME,
    CONFIG_KEY_SEND,
    CONFIG_KEY_TASK_ID,
    RESUME,
)

PEER = "langgraph.types"
"""The module that every part of LangGraph imports: it is loaded if LangGraph is used."""

STREAM = "__pregel_stream"
SCRATCHPAD = "__pregel_scratchpad"
CALL = "__pregel_call"
# Keys of `configurable`, since LangGraph 0.6 (`_internal/_constants.py`), beside those of `_reserved`. Without its
# runtime, LangGraph's functions and graphs find neither writer nor store; without a task id its graphs take themselves
# for root graphs; without `STREAM` they stream nothing to the run around them, not even custom data; without `CALL` its
# `@task` functions cannot be called.

PeerClass = Type[Any]
"""A class of LangGraph, whose attributes are not known here."""

Chunk = Tuple[Tuple[str, ...], str, object]
"""What LangGraph passes from a nested graph to the stream around it: namespace, mode and payload."""


def peer_class(module: str, name: str) -> Optional[PeerClass]:
    """Return a class of LangGraph, or `None` if it is not loaded or does not exist.

    Args:
        module: The module that exports the class, such as `"langgraph.types"`.
        name: The name of the class.
    """
    found = getattr(sys.modules.get(module), name, None)
    # Under `langgraph` there may be other modules than LangGraph's, if a program has replaced it by this package.
    genuine = isinstance(found, type) and found.__module__.partition(".")[0] == "langgraph"
    return found if genuine else None


def is_peer(value: object, module: str, name: str) -> bool:
    """Return whether a value is an instance of this class of LangGraph."""
    kind = peer_class(module, name)
    return kind is not None and isinstance(value, kind)


def with_peer(own: type, module: str, name: Optional[str] = None) -> Tuple[type, ...]:
    """Return a class of this package and LangGraph's class of the same name, for `isinstance` and `issubclass`."""
    peer = peer_class(module, name or own.__name__)
    return (own,) if peer is None else (own, peer)


def is_peer_graph(target: object) -> bool:
    """Return whether a value is a compiled graph or an entrypoint of LangGraph."""
    return is_peer(target, "langgraph.pregel", "Pregel")


def peer_nodes(graph: Any) -> Dict[str, object]:
    """Return the Runnables of the nodes of a graph of LangGraph, by node name."""
    return {name: getattr(node, "bound", None) for name, node in graph.nodes.items() if name != "__start__"}


Writes = Iterable[Tuple[str, object]]
"""Pairs of a state key and a value."""


class StreamAround:
    """The stream of a run, in the form in which a graph of LangGraph writes to the stream around it.

    Args:
        modes: The modes that are wanted.
        take: Gets each chunk; thread-safe.
    """

    __slots__ = ("_take", "modes")

    def __init__(self, modes: Iterable[str], take: Callable[[Chunk], None]) -> None:
        self.modes = set(modes)
        self._take = take

    def __call__(self, chunk: Chunk) -> None:
        """Take a chunk."""
        self._take(chunk)


def peer_runtime(fields: Dict[str, Any], newer: Callable[[], Dict[str, Any]]) -> object:
    """Return a `Runtime` of LangGraph.

    Args:
        fields: Its fields.
        newer: Returns fields that it has since version 1.1.
    """
    kind = peer_class("langgraph.runtime", "Runtime")
    if kind is None:
        return None
    return kind(**fields, **newer()) if "execution_info" in kind.__dataclass_fields__ else kind(**fields)


def peer_execution(**fields: Any) -> object:
    """Return an `ExecutionInfo` of LangGraph, or `None` if its version has none (before 1.1)."""
    kind = peer_class("langgraph.runtime", "ExecutionInfo")
    return None if kind is None else kind(**fields)


def peer_scratchpad(known: Any, *, next_graph: Callable[[], int], step: int, stop: int) -> object:
    """Return what LangGraph keeps of a task while it runs, or `None` if its class is not found.

    Args:
        known: What it keeps of its own task around this one, whose interrupts are then answered here as well.
        next_graph: Returns the number of the next graph that is called in the task, from 0.
        step: The superstep.
        stop: The last superstep that the run may take.
    """
    kind = peer_class("langgraph._internal._scratchpad", "PregelScratchpad")
    if kind is None:
        return None
    if known is not None:
        return replace(known, subgraph_counter=next_graph)
    return kind(
        step=step,
        stop=stop,
        call_counter=count().__next__,
        interrupt_counter=count().__next__,
        get_null_resume=lambda consume=False: None,
        resume=[],
        subgraph_counter=next_graph,
    )


class TaskAround:
    """The task of LangGraph in which code runs, read from a config.

    Args:
        configurable: The `configurable` of the task's config.

    Attributes:
        configurable: See above.
        id: Its id.
        ns: The namespace of graphs in it, in one string.
    """

    def __init__(self, configurable: Mapping[str, Any]) -> None:
        self.configurable = configurable
        self.id = str(configurable[CONFIG_KEY_TASK_ID])
        self.ns = str(configurable.get(CONFIG_KEY_CHECKPOINT_NS) or "")

    @property
    def stream(self) -> Optional[StreamAround]:
        """The stream that takes chunks of nested graphs, callable and with `modes`; `None` if nobody wants them."""
        return self.configurable.get(STREAM)

    @property
    def scratchpad(self) -> Any:
        """What LangGraph keeps of the task while it runs."""
        return self.configurable.get(SCRATCHPAD)

    def with_answers(self, send: Callable[[Writes], None]) -> Callable[[Writes], None]:
        """Return a function for writes to our state that gives the answers of interrupts to LangGraph's task.

        Args:
            send: Takes the writes to our state.
        """
        taken = self.configurable.get(CONFIG_KEY_SEND)

        def write(pairs: Writes) -> None:
            several = list(pairs)
            if taken is not None and any(key == RESUME for key, _ in several):
                taken([pair for pair in several if pair[0] == RESUME])
                several = [pair for pair in several if pair[0] != RESUME]
            if several:
                send(several)

        return write

    @property
    def modes(self) -> FrozenSet[str]:
        """The modes that are wanted from nested graphs, apart from those that LangGraph makes of callbacks."""
        stream = self.stream
        return frozenset() if stream is None else frozenset(stream.modes) - {"messages", "tools", "checkpoints"}

    def runtime(self, name: str) -> Any:
        """Return an attribute of the task's runtime, or `None` if it has none."""
        return getattr(self.configurable.get(CONFIG_KEY_RUNTIME), name, None)

    def next_graph(self) -> Optional[int]:
        """Count a graph that is called in the task; return its number, or `None` if LangGraph does not count them."""
        counter = getattr(self.scratchpad, "subgraph_counter", None)
        return None if counter is None else int(counter())


def task_around(*configs: Optional[Mapping[str, Any]]) -> Optional[TaskAround]:
    """Return the task to which the first config with one belongs, of LangGraph or of this package; or `None`.

    Args:
        *configs: The configs, the most specific one first.
    """
    for config in configs:
        configurable: Dict[str, Any] = (config or {}).get("configurable") or {}
        if CONFIG_KEY_TASK_ID in configurable:
            return TaskAround(configurable)
    return None
