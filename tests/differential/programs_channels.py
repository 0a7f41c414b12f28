"""Programs whose state has channels in its annotations: each class, in every way of writing to it and reading it.

Each runs twice: with this package's channel classes and, on this package too, with LangGraph's own.
"""

import importlib
import operator
from dataclasses import dataclass, field, make_dataclass
from typing import Annotated, Any, Callable

from pydantic import BaseModel, create_model
from typing_extensions import TypedDict

from differential.harness import Case, Lib, program


@dataclass(frozen=True)
class Kind:
    """A kind of channel: how it is made, and what is written to it."""

    module: str
    name: str
    make: Callable[[Any], Any]
    one: Any = field(default=1)
    two: Any = field(default=2)
    typ: Any = field(default=int)


def joined(state: Any, writes: Any) -> Any:
    """A batch reducer: all written lists, one after the other."""
    return [*state, *(item for write in writes for item in write)]


def listed(make: Callable[[Any], Any]) -> "dict[str, Any]":
    """The fields of a kind that holds lists."""
    return {"make": make, "one": [1], "two": [2, 3], "typ": list}


KINDS = {
    "last": Kind("last_value", "LastValue", lambda cls: cls(int)),
    "any": Kind("any_value", "AnyValue", lambda cls: cls),
    "ephemeral": Kind("ephemeral_value", "EphemeralValue", lambda cls: cls),
    "ephemeral_unguarded": Kind("ephemeral_value", "EphemeralValue", lambda cls: cls(int, guard=False)),
    "untracked": Kind("untracked_value", "UntrackedValue", lambda cls: cls),
    "untracked_unguarded": Kind("untracked_value", "UntrackedValue", lambda cls: cls(int, False)),
    "topic": Kind("topic", "Topic", **listed(lambda cls: cls(int))),
    "topic_class": Kind("topic", "Topic", **listed(lambda cls: cls)),
    "topic_accumulating": Kind("topic", "Topic", lambda cls: cls(int, accumulate=True), 1, [2, 3], list),
    "binop": Kind("binop", "BinaryOperatorAggregate", **listed(lambda cls: cls(list, operator.add))),
    "delta": Kind("delta", "DeltaChannel", **listed(lambda cls: cls(joined))),
    "finished": Kind("last_value", "LastValueAfterFinish", lambda cls: cls),
    "barrier": Kind("named_barrier_value", "NamedBarrierValue", lambda cls: cls(int, {1, 2})),
    "barrier_finished": Kind("named_barrier_value", "NamedBarrierValueAfterFinish", lambda cls: cls(int, {1, 2})),
}


def there(kind: Kind) -> bool:
    """Whether the installed LangGraph has the class."""
    try:
        return hasattr(importlib.import_module(f"langgraph.channels.{kind.module}"), kind.name)
    except ModuleNotFoundError:
        return False


def annotated(lib: Lib, kind: Kind, peers: bool) -> Any:
    """The annotation of a key with such a channel, of one library or the other."""
    root = "langgraph" if peers else lib.root
    return Annotated[kind.typ, kind.make(getattr(importlib.import_module(f"{root}.channels.{kind.module}"), kind.name))]


def noted(state: Any) -> str:
    """What a node sees of the key."""
    got = state if isinstance(state, dict) else vars(state)
    return repr(got.get("x", "nothing"))


def schema(hint: Any) -> Any:
    """A TypedDict with the key, a log of what was seen, and a plain key."""
    return TypedDict("State", {"x": hint, "seen": Annotated[list, operator.add], "n": int}, total=False)  # noqa: UP013


def node(name: str, **update: Any) -> "tuple[str, Any]":
    """A node that notes what it sees, and writes something else if it is told to."""
    return name, lambda state: {"seen": [f"{name} {noted(state)}"], **update}


def quiet(name: str) -> "tuple[str, Any]":
    """A node that writes nothing."""
    return name, lambda state: None


def graph(lib: Lib, schema: Any, nodes: "list[Any]", edges: "list[tuple[Any, Any]]", **more: Any) -> Any:
    """A builder with these nodes and edges."""
    builder = lib.StateGraph(schema, **more)
    for given in nodes:
        builder.add_node(*given)
    for source, target in edges:
        builder.add_edge(source, target)
    return builder


def chain(lib: Lib, *names: str) -> "list[tuple[Any, Any]]":
    """The edges of nodes one after the other."""
    return list(zip((lib.START, *names), names))


def one_by_one(lib: Lib, kind: Kind, hint: Any) -> Case:
    """It is written twice, then it rests, and every node says what it sees."""
    nodes = [node("a", x=kind.one), node("b", x=kind.two), quiet("c"), node("d"), node("e", n=1)]
    return Case(graph(lib, schema(hint), nodes, chain(lib, *"abcde")).compile(), {"n": 0})


def in_the_input(lib: Lib, kind: Kind, hint: Any) -> Case:
    """The input writes it."""
    return Case(
        graph(lib, schema(hint), [node("a"), node("b")], chain(lib, *"ab")).compile(), {"x": kind.one, "seen": []}
    )


def at_the_end(lib: Lib, kind: Kind, hint: Any) -> Case:
    """The last node writes it, and nothing else."""
    nodes = [node("a", x=kind.one), ("b", lambda state: {"x": kind.two})]
    return Case(graph(lib, schema(hint), nodes, chain(lib, *"ab")).compile(), {"n": 0})


def forgotten_at_the_end(lib: Lib, kind: Kind, hint: Any) -> Case:
    """Nothing is written in the last steps."""
    nodes = [node("a", x=kind.one), node("b", x=kind.two), quiet("c"), quiet("d")]
    return Case(graph(lib, schema(hint), nodes, chain(lib, *"abcd")).compile(), {"n": 0})


def at_once(lib: Lib, kind: Kind, hint: Any) -> Case:
    """Two nodes write it in one step."""
    nodes = [
        node("a", x=kind.one),
        ("b", lambda state: lib.after(1) or {"x": kind.two}),
        node("c"),
    ]
    edges = [(lib.START, "a"), (lib.START, "b"), (["a", "b"], "c")]
    return Case(graph(lib, schema(hint), nodes, edges).compile(), {"n": 0})


def branching(lib: Lib, kind: Kind, hint: Any) -> Case:
    """Branches see it with the writes of their node: of one that has written it, and of one that has not."""
    seen: list[str] = []
    state = schema(hint)

    def to(name: str) -> Any:
        def path(state: Any) -> str:
            seen.append(noted(state))
            return name

        # Without a schema of its own LangGraph shows a branch what its node returned, beside the state.
        path.__annotations__["state"] = state
        return path

    nodes = [node("a", x=kind.one), node("b", n=1), ("c", lambda state: {"seen": list(seen)})]
    builder = graph(lib, state, nodes, [])
    builder.add_conditional_edges(lib.START, to("a"), ["a"])
    builder.add_conditional_edges("a", to("b"), ["b"])
    builder.add_conditional_edges("b", to("c"), ["c"])
    return Case(builder.compile(), {"x": kind.one, "n": 0})


def sending(lib: Lib, kind: Kind, hint: Any) -> Case:
    """Sent tasks write it, and what they are sent is not it."""

    def fan(state: Any) -> Any:
        return [lib.Send("b", {"x": kind.two, "n": number}) for number in range(2)]

    def sent(state: Any) -> Any:
        lib.after(1 + state["n"])
        return {"seen": [noted(state)], **({"x": kind.two} if state["n"] else {})}

    nodes = [node("a", x=kind.one), ("b", sent), node("c")]
    builder = graph(lib, schema(hint), nodes, [(lib.START, "a"), ("b", "c")])
    builder.add_conditional_edges("a", fan, ["b"])
    return Case(builder.compile(), {"n": 0})


def commanding(lib: Lib, kind: Kind, hint: Any) -> Case:
    """Commands write it."""
    nodes = [
        ("a", lambda state: lib.Command(goto="b", update={"x": kind.one})),
        ("b", lambda state: lib.Command(goto="c", update={"seen": [noted(state)]})),
        node("c", x=kind.two),
    ]
    return Case(graph(lib, schema(hint), nodes, [(lib.START, "a")]).compile(), {"n": 0})


def waiting(lib: Lib, kind: Kind, hint: Any) -> Case:
    """A deferred node reads it after two ways of different lengths."""
    builder = graph(lib, schema(hint), [node("a", x=kind.one), node("c", x=kind.two), quiet("d")], [])
    builder.add_node("b", lambda state: lib.after(1))
    builder.add_node(*node("e"), defer=True)
    builder.add_node(*node("f"))
    for edge in (
        (lib.START, "a"),
        (lib.START, "b"),
        ("a", "c"),
        ("c", "d"),
        ("b", "e"),
        ("d", "e"),
        ("e", "f"),
    ):
        builder.add_edge(*edge)
    return Case(builder.compile(), {"n": 0})


def nested(lib: Lib, kind: Kind, hint: Any) -> Case:
    """A nested graph has the key as well."""
    inner = graph(lib, schema(hint), [node("i", x=kind.two), node("j"), node("k", n=1)], chain(lib, *"ijk")).compile()
    nodes = [node("a", x=kind.one), ("b", inner), node("c")]
    return Case(graph(lib, schema(hint), nodes, chain(lib, *"abc")).compile(), {"n": 0})


def of_one_node(lib: Lib, kind: Kind, hint: Any) -> Case:
    """Only the schema of two nodes has it, and neither input nor output do."""
    state = TypedDict("State", {"seen": Annotated[list, operator.add], "n": int}, total=False)  # noqa: UP013
    private = TypedDict("Private", {"x": hint}, total=False)  # noqa: UP013
    builder = graph(lib, state, [node("a", x=kind.one)], [(lib.START, "a"), ("a", "b"), ("b", "c")])
    builder.add_node(*node("b"), input_schema=private)
    builder.add_node(*node("c"), input_schema=private)
    return Case(builder.compile(), {"n": 0})


def of_the_output(lib: Lib, kind: Kind, hint: Any) -> Case:
    """The input and the output have schemas of their own."""
    given = TypedDict("Given", {"n": int})  # noqa: UP013
    output = TypedDict("Output", {"x": hint}, total=False)  # noqa: UP013
    nodes = [node("a", x=kind.one), node("b", x=kind.two), node("c")]
    builder = graph(lib, schema(hint), nodes, chain(lib, *"abc"), input_schema=given, output_schema=output)
    return Case(builder.compile(), {"n": 0})


def in_a_dataclass(lib: Lib, kind: Kind, hint: Any) -> Case:
    """The state is a dataclass."""
    fields = [("x", hint, field(default=None)), ("seen", Annotated[list, operator.add], field(default_factory=list))]
    state = make_dataclass("State", fields)
    nodes = [node("a", x=kind.one), node("b"), node("c", x=kind.two), node("d")]
    return Case(graph(lib, state, nodes, chain(lib, *"abcd")).compile(), {"seen": ["in"]})


def in_a_model(lib: Lib, kind: Kind, hint: Any) -> Case:
    """The state is a pydantic model."""
    state: type[BaseModel] = create_model("State", x=(hint, None), seen=(Annotated[list, operator.add], []))
    nodes = [node("a", x=kind.one), node("b"), node("c", x=kind.two), node("d")]
    return Case(graph(lib, state, nodes, chain(lib, *"abcd")).compile(), {"seen": ["in"]})


def alone(lib: Lib, kind: Kind, hint: Any) -> Case:
    """The state is this one value."""
    nodes = [("a", lambda state: kind.two), ("b", lambda state: kind.one)]
    return Case(graph(lib, hint, nodes, chain(lib, *"ab")).compile(), kind.one)


def some_keys(lib: Lib, kind: Kind, hint: Any) -> Case:
    """The consumer asks for this key and another."""
    nodes = [node("a", x=kind.one), node("b", n=1), node("c", x=kind.two), quiet("d")]
    return Case(
        graph(lib, schema(hint), nodes, chain(lib, *"abcd")).compile(), {"n": 0}, kwargs={"output_keys": ["x", "n"]}
    )


def one_key(lib: Lib, kind: Kind, hint: Any) -> Case:
    """The consumer asks for this key alone."""
    nodes = [node("a", x=kind.one), node("b", n=1), node("c", x=kind.two), quiet("d")]
    return Case(graph(lib, schema(hint), nodes, chain(lib, *"abcd")).compile(), {"n": 0}, kwargs={"output_keys": "x"})


def overwriting(lib: Lib, kind: Kind, hint: Any) -> Case:
    """What it holds is replaced, alone and beside another write."""
    nodes = [
        node("a", x=kind.one),
        node("b", x=lib.Overwrite([7])),
        node("c", x=kind.two),
        ("d", lambda state: lib.after(3) or {"x": lib.Overwrite([8])}),
        node("e"),
    ]
    edges = [(lib.START, "a"), ("a", "b"), ("b", "c"), ("b", "d"), (["c", "d"], "e")]
    return Case(graph(lib, schema(hint), nodes, edges).compile(), {"n": 0})


STREAMED = (
    one_by_one,
    in_the_input,
    at_the_end,
    at_once,
    branching,
    sending,
    commanding,
    waiting,
    nested,
    of_one_node,
    in_a_dataclass,
    in_a_model,
    some_keys,
    one_key,
)

INVOKED = (
    one_by_one,
    in_the_input,
    at_the_end,
    forgotten_at_the_end,
    branching,
    nested,
    of_one_node,
    of_the_output,
    in_a_dataclass,
    in_a_model,
    some_keys,
    one_key,
)

LEFT_OUT = {
    # LangGraph takes a state of one value only with a hint that can be hashed, which channels cannot be.
    alone: tuple(name for name in KINDS if name not in ("any", "ephemeral", "untracked", "topic_class")),
    # LangGraph ends a run "tentatively" while sent tasks are due; see deferred-waits-for-sends in differences.py.
    sending: ("finished",),
    # LangGraph loses the chunks of a step if the next one cannot be read; see nothing-is-lost-on-errors.
    in_a_model: ("barrier",),
    # With nothing to return LangGraph returns None instead of an empty mapping, channels or not.
    of_the_output: ("finished", "barrier_finished"),
}


def register(make: Any, name: str, peers: bool, call: str) -> None:
    """Add a program to the table."""
    kind = KINDS[name]
    if name in LEFT_OUT.get(make, ()):
        return

    def build(lib: Lib) -> Case:
        return make(lib, kind, annotated(lib, kind, peers))

    build.__name__ = f"channel_{make.__name__}_{name}_{call}{'_peers' if peers else ''}"
    modes = ("values", "updates", ("values", "updates", "tasks", "debug")) if call == "stream" else ("values",)
    program(modes=modes, subgraphs=(make is nested and call == "stream",), call=call)(build)


WITH_PEERS = (one_by_one, at_once, branching, waiting, nested, of_one_node, in_a_model, overwriting)
"""The programs that run with LangGraph's own classes as well."""

REPLACING = hasattr(importlib.import_module("langgraph.types"), "Overwrite")

for NAME, KIND in KINDS.items():
    if there(KIND):
        for MAKE in (*STREAMED, alone, *((overwriting,) if REPLACING and NAME in ("binop", "delta") else ())):
            register(MAKE, NAME, False, "stream")
            if MAKE in WITH_PEERS:
                register(MAKE, NAME, True, "stream")
        for MAKE in INVOKED:
            register(MAKE, NAME, False, "invoke")
