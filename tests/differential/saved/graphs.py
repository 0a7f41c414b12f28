"""The same graphs for both libraries, for threads that one of them begins and the other continues."""

from __future__ import annotations

import operator
from importlib import import_module
from typing import Any, Callable, Dict, List, NamedTuple

from typing_extensions import Annotated, TypedDict


class State(TypedDict, total=False):
    """What the nodes have done."""

    seen: Annotated[List[Any], operator.add]
    number: int


class Library(NamedTuple):
    """One of the two libraries, and what its nodes do.

    Attributes:
        graph: Its module `graph`.
        types: Its module `types`.
        node: Makes a node that notes its name.
    """

    graph: Any
    types: Any
    node: Callable[[str], Callable[[Any], Any]]

    def builder(self, *names: str, state: Any = State) -> Any:
        """Return a builder with nodes that note their names."""
        builder = self.graph.StateGraph(state)
        for name in names:
            builder.add_node(name, self.node(name))
        return builder


def _library(name: str, node: Callable[[str], Callable[[Any], Any]]) -> Library:
    # By name: a test of the imports of LangGraph asks who holds its modules.
    return Library(import_module(f"{name}.graph"), import_module(f"{name}.types"), node)


class Nodes:
    """Makes nodes, which note that they have run; those named fail while `broken`.

    With one task at a time, `good` has finished when `late` fails: tasks start in the order of their names.
    """

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.broken = False
        self.ran: List[str] = []

    def __call__(self, name: str) -> Callable[[Any], Any]:
        def run(state: Any) -> Any:
            if self.broken and name in self.failing:
                raise ValueError(f"{name} is broken")
            self.ran.append(name)
            return {"seen": [name]}

        return run

    def theirs(self) -> Library:
        """Return LangGraph with these nodes."""
        return _library("langgraph", self)

    def ours(self) -> Library:
        """Return this library with these nodes."""
        return _library("streamgraph", self)


def chain(lib: Library) -> Any:
    return lib.builder("a", "b", "c").add_edge("__start__", "a").add_edge("a", "b").add_edge("b", "c")


def fan_and_join(lib: Library) -> Any:
    builder = lib.builder("a", "b", "c", "d").add_edge("__start__", "a")
    return builder.add_conditional_edges("a", lambda state: ["b", "c"], ["b", "c"]).add_edge(["b", "c"], "d")


def late_join(lib: Library) -> Any:
    builder = lib.builder("a", "b", "b2", "c", "d").add_edge("__start__", "a").add_edge("a", "b").add_edge("a", "c")
    return builder.add_edge("b", "b2").add_edge(["b2", "c"], "d")


def join_in_a_loop(lib: Library) -> Any:
    builder = lib.builder("a", "b", "c", "d").add_edge("__start__", "a").add_edge("a", "b").add_edge("a", "c")
    builder.add_edge(["b", "c"], "d")
    return builder.add_conditional_edges("d", lambda s: "a" if len(s["seen"]) < 9 else "__end__", ["a", "__end__"])


def sends(lib: Library) -> Any:
    send = lib.types.Send
    builder = lib.builder("r", "z").add_node("w", lambda state: {"seen": [state["k"]]}).add_edge("__start__", "r")
    builder.add_conditional_edges("r", lambda state: [send("w", {"k": 7}), send("w", {"k": 8}), "z"], ["w", "z"])
    return builder.add_edge("w", "z")


def goto(lib: Library) -> Any:
    command, send = lib.types.Command, lib.types.Send
    builder = lib.builder("q").add_node(
        "p", lambda state: command(update={"number": 2}, goto=["q", send("q", {"seen": ["s"]})])
    )
    return builder.add_edge("__start__", "p")


def defer(lib: Library) -> Any:
    builder = lib.builder("a", "b", "b2").add_node("d", lib.node("d"), defer=True).add_edge("__start__", "a")
    return builder.add_edge("a", "b").add_edge("a", "d").add_edge("b", "b2").add_edge("b2", "d")


def deferred_join(lib: Library) -> Any:
    builder = lib.builder("a", "b", "c", "c2").add_node("d", lib.node("d"), defer=True)
    for name in ("a", "b", "c"):
        builder.add_edge("__start__", name)
    return builder.add_edge("c", "c2").add_edge(["a", "b"], "d")


def edge_and_join_into_one(lib: Library) -> Any:
    builder = lib.builder("a", "b", "d").add_conditional_edges("__start__", lambda state: ["a", "b"], ["a", "b"])
    return builder.add_edge(["a", "b"], "d").add_edge("a", "d")


def overwrite(lib: Library) -> Any:
    builder = lib.builder("a", "c").add_node("b", lambda state: {"seen": lib.types.Overwrite(["b"])})
    return builder.add_edge("__start__", "a").add_edge("a", "b").add_edge("b", "c")


def nested(lib: Library) -> Any:
    inner = lib.builder("x", "y").add_edge("__start__", "x").add_edge("x", "y").compile()
    builder = lib.builder("a", "z").add_node("inner", inner).add_edge("__start__", "a").add_edge("a", "inner")
    return builder.add_edge("inner", "z")


GRAPHS: Dict[str, Callable[[Library], Any]] = {
    make.__name__: make
    for make in (
        chain,
        fan_and_join,
        late_join,
        join_in_a_loop,
        sends,
        goto,
        defer,
        deferred_join,
        edge_and_join_into_one,
        nested,
    )
}
if hasattr(import_module("langgraph.types"), "Overwrite"):
    GRAPHS["overwrite"] = overwrite


def failing_beside_a_join(lib: Library) -> Any:
    builder = (
        lib.builder("a", "late", "good", "z").add_edge("__start__", "a").add_edge("a", "late").add_edge("a", "good")
    )
    return builder.add_edge(["late", "good"], "z")


def failing_beside_a_branch(lib: Library) -> Any:
    send = lib.types.Send
    builder = lib.builder("late", "good", "z").add_node("w", lambda state: {"seen": [state["k"]]})
    builder.add_edge("__start__", "late").add_edge("__start__", "good")
    return builder.add_conditional_edges("good", lambda state: ["z", send("w", {"k": 1})], ["z", "w"])


def failing_send(lib: Library) -> Any:
    send = lib.types.Send
    builder = lib.builder("z")
    for name in ("late", "good"):
        builder.add_node(name, lib.node(name)).add_edge(name, "z")
    targets = ["good", "good", "late"]
    return builder.add_conditional_edges("__start__", lambda s: [send(name, {}) for name in targets], ["good", "late"])


def failing_before_edge_and_join(lib: Library) -> Any:
    builder = lib.builder("late", "good", "z").add_edge("__start__", "late").add_edge("__start__", "good")
    return builder.add_edge(["late", "good"], "z").add_edge("good", "z")


def failing_inside(lib: Library) -> Any:
    inner = (
        lib.builder("x", "late", "y").add_edge("__start__", "x").add_edge("x", "late").add_edge("late", "y").compile()
    )
    builder = lib.builder("a", "good", "z").add_node("inner", inner).add_edge("__start__", "a").add_edge("a", "inner")
    return builder.add_edge("a", "good").add_edge(["inner", "good"], "z")


FAILING: Dict[str, Callable[[Library], Any]] = {
    make.__name__: make
    for make in (
        failing_beside_a_join,
        failing_beside_a_branch,
        failing_send,
        failing_before_edge_and_join,
        failing_inside,
    )
}
