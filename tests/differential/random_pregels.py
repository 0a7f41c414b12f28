"""Random graphs of nodes and channels as plain data, and how to build them with either library."""

import importlib
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from differential.harness import Case, Lib

NAMES = ("delta", "alpha", "echo", "bravo")
CHANNELS = ("a", "b", "c", "d", "e")
KINDS = (
    "unguarded",
    "topic",
    "any",
    "last",
    "ephemeral",
    "unguarded",
    "topic",
    "accumulating",
    "total",
    "any",
    "untracked",
    "finishing",
)


@dataclass(frozen=True)
class Node:
    """A node: what starts it, what it reads and writes, and whether it writes anything for a given input."""

    triggers: "tuple[int, ...]"
    reads: "tuple[int, ...]"
    writes: "tuple[int, ...]"
    skips: int
    skip_none: bool
    sends: bool = False


@dataclass(frozen=True)
class Graph:
    """Nodes and kinds of channels by number; the first channels take the input, the last ones are the output."""

    kinds: "tuple[str, ...]"
    nodes: "tuple[Node, ...]"
    inputs: int
    outputs: "tuple[int, ...]"
    bare: bool
    only: bool


@st.composite
def pregels(draw: Any) -> Graph:
    """A graph in which some node is started by the input."""
    size = draw(st.integers(2, len(CHANNELS)))
    channels = st.integers(0, size - 1)
    some = st.lists(channels, min_size=1, max_size=2, unique=True).map(tuple)
    nodes = [
        Node(
            triggers=(0, *draw(st.lists(channels, max_size=1))) if number == 0 else draw(some),
            reads=draw(st.lists(channels, max_size=2, unique=True).map(tuple)),
            writes=draw(some),
            skips=draw(st.integers(2, 3)),
            skip_none=draw(st.integers(0, 5)) > 0,
            sends=draw(st.integers(0, 5)) == 0,
        )
        for number in range(draw(st.integers(1, len(NAMES))))
    ]
    # LangGraph ends a channel that waits for the end of the run also when `Send`s are left (deferred-waits-for-sends).
    kinds = KINDS[:-1] if any(node.sends for node in nodes) else KINDS
    return Graph(
        kinds=tuple(draw(st.sampled_from(kinds)) for _ in range(size)),
        nodes=tuple(nodes),
        inputs=draw(st.integers(1, 2)),
        outputs=draw(some),
        bare=draw(st.booleans()),
        only=draw(st.booleans()),  # of all nodes: LangGraph mixes up the inputs "a" and ["a"] of one step
    )


def case(lib: Lib, spec: Graph) -> Case:
    """Build a graph with a library."""
    pregel = importlib.import_module(f"{lib.root}.pregel")
    builders = {name: _built(lib, pregel, spec, number) for number, name in enumerate(NAMES[: len(spec.nodes)])}
    names = CHANNELS[: len(spec.kinds)]
    outputs: Any = [names[number] for number in spec.outputs]
    graph = pregel.Pregel(
        nodes=builders,
        channels={name: _channel(lib, kind) for name, kind in zip(names, spec.kinds)},
        input_channels=list(names[: spec.inputs]),
        output_channels=outputs[0] if spec.bare else outputs,
        stream_channels=list(names),  # LangGraph would also show its own channel of sends
    )
    given = {name: number + 1 for number, name in enumerate(names[: spec.inputs])}
    return Case(graph, given, {"recursion_limit": 6})


def plus(left: Any, right: Any) -> int:
    """The sum of two numbers, either of which may be missing."""
    return (left or 0) + (right or 0)


def _channel(lib: Lib, kind: str) -> Any:
    channels = importlib.import_module(f"{lib.root}.channels")
    if kind == "finishing":
        return importlib.import_module(f"{lib.root}.channels.last_value").LastValueAfterFinish(int)
    makers = {
        "last": lambda: channels.LastValue(int),
        "ephemeral": lambda: channels.EphemeralValue(int),
        "unguarded": lambda: channels.EphemeralValue(int, guard=False),
        "topic": lambda: channels.Topic(int),
        "accumulating": lambda: channels.Topic(int, accumulate=True),
        "total": lambda: channels.BinaryOperatorAggregate(Any, plus),
        "any": lambda: channels.AnyValue(int),
        "untracked": lambda: channels.UntrackedValue(int),
    }
    return makers[kind]()


def _built(lib: Lib, pregel: Any, spec: Graph, number: int) -> Any:
    node, size = spec.nodes[number], len(spec.kinds)
    entry = importlib.import_module(f"{lib.root}.pregel._write").ChannelWriteEntry
    triggers = [CHANNELS[trigger % size] for trigger in node.triggers]
    builder = pregel.NodeBuilder()
    if spec.only:
        builder.subscribe_to(*triggers[1:], read=False) if triggers[1:] else None
        builder.subscribe_only(triggers[0])
    else:
        builder.subscribe_to(*triggers)
        if node.reads:
            builder.read_from(*[CHANNELS[read % size] for read in node.reads])
    builder.do(lambda given: _answer(given, number, node.skips))
    builder.write_to(*[entry(CHANNELS[write % size], skip_none=node.skip_none) for write in node.writes])
    if node.sends:
        builder.write_to(lib.Send(NAMES[0], number))
    return builder


def _answer(given: Any, number: int, skips: int) -> Any:
    """A number made of the input; `None` for one in a few inputs."""
    found = _sum(given) + number + 1
    return None if found % skips == 0 else found


def _sum(given: Any) -> int:
    if isinstance(given, dict):
        return sum(_sum(item) for item in given.values())
    if isinstance(given, (list, tuple)):
        return sum(_sum(item) for item in given)
    return given if isinstance(given, int) else 0
