"""Random graphs as plain data, and how to build them with either library."""

import operator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Optional

from hypothesis import strategies as st
from typing_extensions import TypedDict

from differential.harness import Case, Lib

NAMES = ("delta", "alpha", "echo", "bravo", "charlie")
FORMS = ("log", "both", "none", "empty", "unknown", "last", "command", "commands", "goto", "pairs")


class State(TypedDict, total=False):
    """Two reduced keys and a plain one."""

    log: Annotated[list, operator.add]
    total: Annotated[int, operator.add]
    last: str


@dataclass(frozen=True)
class Node:
    """A node: the form of what it returns, or a nested graph."""

    form: str
    asynchronous: bool = False
    writes: int = 0
    defer: bool = False
    nested: "Optional[Graph]" = None


@dataclass(frozen=True)
class Branch:
    """A conditional edge; the length of the log chooses among the options, each a set of targets."""

    source: int
    options: "tuple[tuple[int, ...], ...]"
    sends: bool = False


@dataclass(frozen=True)
class Graph:
    """Nodes by number; edges lead from lower numbers to higher ones (-1 is START), but for the loop."""

    nodes: "tuple[Node, ...]"
    edges: "tuple[tuple[int, int], ...]"
    joins: "tuple[tuple[int, int, int], ...]"
    branches: "tuple[Branch, ...]"
    loop: bool = False


@st.composite
def forward(draw: Any, size: int) -> "tuple[tuple[int, int], ...]":
    """Edges that lead forward; most nodes have one or two sources."""
    edges = {(-1, 0)}
    for target in range(1, size):
        fewest = 0 if draw(st.integers(0, 3)) == 3 else 1
        sources = draw(st.lists(st.integers(-1, target - 1), min_size=fewest, max_size=2))
        edges |= {(source, target) for source in sources}
    return tuple(sorted(edges))


@st.composite
def branches(draw: Any, size: int) -> Branch:
    """A conditional edge that leads forward; the number `size` is END."""
    source = draw(st.integers(-1, size - 2))
    targets = st.lists(st.integers(source + 1, size), min_size=1, max_size=2, unique=True).map(tuple)
    options = draw(st.lists(targets, min_size=1, max_size=3).map(tuple))
    return Branch(source, options, draw(st.booleans()))


@st.composite
def graphs(draw: Any, depth: int = 2, sync_only: bool = False) -> Graph:
    """A graph, with nested graphs down to a depth."""
    size = draw(st.integers(*((2, 5) if depth == 2 else (1, 3))))
    nodes = tuple(draw(nodes_of(depth, sync_only)) for _ in range(size))
    edges = draw(forward(size))
    joins: set = set()
    if size > 2:
        trio = st.lists(st.integers(0, size - 1), min_size=3, max_size=3, unique=True).map(sorted).map(tuple)
        joins = set(draw(st.lists(trio, max_size=1)))
    found = draw(st.lists(branches(size), max_size=2, unique_by=lambda branch: branch.source))
    if any(branch.sends for branch in found):  # see the difference "deferred-waits-for-sends"
        nodes = tuple(replace(node, defer=False) for node in nodes)
    return Graph(nodes, edges, tuple(sorted(joins)), tuple(found), draw(st.booleans()))


@st.composite
def nodes_of(draw: Any, depth: int, sync_only: bool) -> Node:
    """A plain node, or one that holds or calls a graph."""
    defer = draw(st.integers(0, 9)) == 9
    kind = draw(st.sampled_from(("plain", "plain", "plain", "graph", "call"))) if depth > 1 else "plain"
    if kind == "graph":
        return Node("graph", defer=defer, nested=draw(graphs(depth - 1, sync_only)))
    if kind == "call":
        return Node("call", defer=defer, nested=draw(graphs(depth - 1, True)))
    asynchronous = not sync_only and draw(st.booleans())
    return Node(draw(st.sampled_from(FORMS)), asynchronous, draw(st.integers(0, 2)), defer)


def action(lib: Lib, name: str, node: Node, following: "list[str]") -> Any:
    """What to give to `add_node`."""
    if node.nested is not None:
        inner = build(lib, node.nested)
        if node.form == "graph":
            return inner
        return lambda state: {"log": [len(inner.invoke({"log": [name]}).get("log", []))]}

    def work(state: Any) -> Any:
        write = lib.get_stream_writer()
        for number in range(node.writes):
            write((name, number, len(state.get("log", []))))
        return returned(lib, name, node.form, following)

    async def awork(state: Any) -> Any:
        return work(state)

    return lib.pick(awork, work) if node.asynchronous else work


def returned(lib: Lib, name: str, form: str, following: "list[str]") -> Any:
    """What a node of this form returns."""
    update = {"log": [name], "total": 1}
    return {
        "log": {"log": [name]},
        "both": update,
        "none": None,
        "empty": {},
        "unknown": {"nope": 1},
        "last": {"last": name},
        "command": lib.Command(update=update),
        "commands": [lib.Command(update=update), {"log": ["more"]}],
        "goto": lib.Command(update={"log": [name]}, goto=following[:2]),
        "pairs": lib.Command(update=[("log", [name]), ("log", ["again"])]),
    }[form]


def build(lib: Lib, spec: Graph) -> Any:
    """Compile a graph; the order of the names is not the order of the numbers."""
    builder = lib.StateGraph(State)
    names = [*NAMES[: len(spec.nodes)], lib.END]
    for number, node in enumerate(spec.nodes):
        following = names[number + 1 : -1]
        builder.add_node(names[number], action(lib, names[number], node, following), defer=node.defer)
    for source, target in spec.edges:
        builder.add_edge(lib.START if source < 0 else names[source], names[target])
    for first, second, target in spec.joins:
        builder.add_edge([names[first], names[second]], names[target])
    for branch in spec.branches:
        builder.add_conditional_edges(*conditional(lib, names, branch))
    if spec.loop:
        last = names[len(spec.nodes) - 1]

        def again(state: Any) -> str:
            return names[0] if 0 < len(state.get("log", [])) < 6 else lib.END

        builder.add_conditional_edges(last, again)
    return builder.compile()


def conditional(lib: Lib, names: "list[str]", branch: Branch) -> Any:
    """The arguments of `add_conditional_edges`."""

    def path(state: Any) -> Any:
        chosen = [names[n] for n in branch.options[len(state.get("log", [])) % len(branch.options)]]
        if not branch.sends:
            return chosen
        return [name if name == lib.END else lib.Send(name, {"log": ["sent"], "total": 5}) for name in chosen]

    return lib.START if branch.source < 0 else names[branch.source], path


def case(lib: Lib, spec: Graph) -> Case:
    """A run of the graph."""
    return Case(build(lib, spec), {"log": ["in"]}, {"recursion_limit": 20})
