"""Graphs whose nodes act when it is their turn: a script decides the order, and the consumer moves it on."""

from __future__ import annotations

import asyncio
import threading
from operator import add
from typing import Any, Callable, Collection, Dict, List, NamedTuple, Sequence, Tuple

from typing_extensions import Annotated, TypedDict

from streamgraph.config import get_stream_writer
from streamgraph.graph import END, START, StateGraph
from support.models import Model
from support.waiting import PATIENCE

KINDS = ("sync", "async", "sync graph", "async graph", "called graph", "awaited graph")

MODES = ["tasks", "custom", "messages", "updates", "values"]


class State(TypedDict, total=False):
    """The names of the nodes that ran, in the order of the state, and something else."""

    x: Annotated[list, add]
    z: str


class Given(TypedDict, total=False):
    """What a nested graph takes: nothing that it will write."""

    z: str


class Written(TypedDict, total=False):
    """What it gives."""

    x: list


class Drawn(NamedTuple):
    """A node as it was drawn.

    Attributes:
        name: Its name.
        kind: What it is.
        acts: What it does before it ends: `t` is a token, `c` is custom data.
    """

    name: str
    kind: str
    acts: str


class Schedule:
    """Lets one node act at a time; the next one when the consumer has what came of it.

    Args:
        script: Which node is next.
        modes: What the consumer sees. What it does not see moves on by itself.
    """

    def __init__(self, script: Sequence[str], modes: Collection[str]) -> None:
        self._script = list(script)
        self._unseen = {kind for kind, mode in (("c", "custom"), ("t", "messages")) if mode not in modes}
        self._unseen |= set() if {"updates", "tasks"} & set(modes) else {"end"}
        self._last = "result of" if "tasks" in modes else "update of"
        self._opened = 0
        self._lock = threading.Lock()
        self._waiting: Dict[Tuple[str, int], Callable[[], None]] = {}
        self._taken: Dict[str, int] = {}
        self.open()

    def acted(self, kind: str) -> None:
        """A node has acted."""
        if kind in self._unseen:
            self.open()

    def took(self, text: str) -> None:
        """The consumer has a chunk."""
        if text.startswith(self._last) or text.split()[0] not in ("values", "start", "result", "update"):
            self.open()

    def open(self) -> None:
        """Let the next act happen."""
        with self._lock:
            if self._opened == len(self._script):
                return
            self._opened += 1
            name = self._script[self._opened - 1]
            number = self._script[: self._opened].count(name)
            wake = self._waiting.pop((name, number), None)
        if wake is not None:
            wake()

    def _place(self, name: str, wake: Callable[[], None]) -> bool:
        """Ask for the next turn of a node; `wake` is called when it is there, unless it is already."""
        with self._lock:
            number = self._taken[name] = self._taken.get(name, 0) + 1
            if self._script[: self._opened].count(name) >= number:
                return True
            self._waiting[name, number] = wake
            return False

    def wait(self, name: str) -> None:
        """Wait for a node's turn in a thread."""
        turn = threading.Event()
        if not self._place(name, turn.set):
            assert turn.wait(PATIENCE), f"{name} waits in vain"

    async def await_(self, name: str) -> None:
        """Wait for it on a loop."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        if not self._place(name, lambda: loop.call_soon_threadsafe(turn.set_result, None)):
            await asyncio.wait_for(turn, PATIENCE)


def act(name: str, index: int, kind: str) -> None:
    """Write, or let a model say one word."""
    if kind == "c":
        get_stream_writer()((name, index))
    else:
        Model(words=[f"{name} {index}"], ids=[None]).invoke("?")


async def aact(name: str, index: int, kind: str) -> None:
    """Do it on a loop."""
    if kind == "c":
        get_stream_writer()((name, index))
    else:
        await Model(words=[f"{name} {index}"], ids=[None]).ainvoke("?")


def node_of(drawn: Drawn, schedule: Schedule) -> Any:
    """A node that acts when it is its turn, and ends when it is its turn once more."""
    name, kind, acts = drawn

    def node(state: State) -> Dict[str, Any]:
        for index, item in enumerate(acts):
            schedule.wait(name)
            act(name, index, item)
            schedule.acted(item)
        schedule.wait(name)
        schedule.acted("end")
        return {"x": [name]}

    async def anode(state: State) -> Dict[str, Any]:
        for index, item in enumerate(acts):
            await schedule.await_(name)
            await aact(name, index, item)
            schedule.acted(item)
        await schedule.await_(name)
        schedule.acted("end")
        return {"x": [name]}

    if kind == "sync":
        return node
    if kind == "async":
        return anode
    synchronous = kind in ("sync graph", "called graph")
    inner = StateGraph(State, input_schema=Given, output_schema=Written).add_node(
        "inner", node if synchronous else anode
    )
    graph = inner.add_edge(START, "inner").add_edge("inner", END).compile()

    def call(state: State) -> Any:
        return {"x": graph.invoke({"z": "?"})["x"]}

    async def acall(state: State) -> Any:
        return {"x": (await graph.ainvoke({"z": "?"}))["x"]}

    return {"called graph": call, "awaited graph": acall}.get(kind, graph)


def graph_of(layers: Sequence[Sequence[Drawn]], schedule: Schedule) -> Any:
    """A graph of these steps."""
    builder, before = StateGraph(State), [START]
    for layer in layers:
        for drawn in layer:
            builder.add_node(drawn.name, node_of(drawn, schedule))
            for source in before:
                builder.add_edge(source, drawn.name)
        before = [drawn.name for drawn in layer]
    for source in before:
        builder.add_edge(source, END)
    return builder.compile()


def script_of(layers: Sequence[Sequence[Drawn]], choices: Sequence[int]) -> List[str]:
    """An order of all acts and ends, step after step, that a list of numbers stands for."""
    given, script = iter(choices), []
    for layer in layers:
        left = {drawn.name: len(drawn.acts) + 1 for drawn in layer}
        while left:
            name = sorted(left)[next(given, 0) % len(left)]
            script.append(name)
            left[name] -= 1
            if not left[name]:
                del left[name]
    return script


def told(chunk: Any) -> str:
    """What a chunk says, without ids."""
    mode, data = chunk
    if mode == "custom":
        return "{} {}".format(*data)
    if mode == "messages":
        return str(data[0].content)
    if mode == "updates":
        ((name, update),) = data.items()
        return f"update of {name}: {update['x']}"
    if mode == "values":
        return f"values {data['x']}"
    return f"start of {data['name']}" if "input" in data else f"result of {data['name']}: {data['result']['x']}"


def expected(layers: Sequence[Sequence[Drawn]], script: Sequence[str], modes: Collection[str]) -> List[str]:
    """What a stream of these modes is to show."""
    acts = {drawn.name: drawn.acts for layer in layers for drawn in layer}
    state, schedule = ["in"], iter(script)
    shown = [("values", f"values {state}")]
    for layer in layers:
        names = sorted(drawn.name for drawn in layer)
        shown += [("tasks", f"start of {name}") for name in names]
        done: Dict[str, int] = dict.fromkeys(names, 0)
        for _ in range(sum(len(acts[name]) + 1 for name in names)):
            name = next(schedule)
            number, done[name] = done[name], done[name] + 1
            if number < len(acts[name]):
                shown.append(("custom" if acts[name][number] == "c" else "messages", f"{name} {number}"))
            else:
                shown += [("updates", f"update of {name}: {[name]}"), ("tasks", f"result of {name}: {[name]}")]
        state = state + names
        shown.append(("values", f"values {state}"))
    return [text for mode, text in shown if mode in modes]
