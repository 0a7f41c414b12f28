"""Wrong input: an error at the earliest moment, of the right class, with the wrong and the closest right name."""

from __future__ import annotations

import asyncio
from typing import Any, Dict

import pytest
from typing_extensions import Annotated, Literal, TypedDict

from streamgraph import END, START, StateGraph
from streamgraph import errors as E
from streamgraph.managed import RemainingSteps
from support.list_graphs import State, both, line


def plain(state):
    """A node that appends to `x`."""
    return {"x": ["plain"]}


def writer(state):
    """Another one."""
    return {"x": ["writer"]}


def graph():
    """A compiled graph of two nodes."""
    return line(("plain", plain), ("writer", writer))


def builder(schema=State):
    """A builder with the same two nodes."""
    return StateGraph(schema).add_node(plain).add_node(writer).add_edge(START, "plain")


def says(error, *words):
    """Whether the text of an error has all of these."""
    return [word for word in words if word not in str(error)] == []


# --- at the call ------------------------------------------------------------------------------------------------

CALLS = ["stream", "astream", "invoke", "ainvoke"]


def call(name, *args, **options):
    """Call a method of a graph, without pulling anything of a stream."""
    made = getattr(graph(), name)(*args, **options)
    return asyncio.run(made) if name == "ainvoke" else made


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("options", "words", "right"),
    [
        ({"stream_mode": "value"}, ["'value'"], "values"),
        ({"stream_mode": "Updates"}, ["'Updates'"], "updates"),
        ({"stream_mode": ["values", "mesages"]}, ["'mesages'"], "messages"),
        ({"stream_mode": ("costum",)}, ["'costum'"], "custom"),
        ({"stream_mode": []}, ["empty", "values", "messages"], None),
        ({"stream_mode": ()}, ["empty"], None),
        ({"stream_mode": set()}, ["empty"], None),
        ({"version": "v3"}, ["'v3'", "'v1'", "'v2'"], None),
        ({"version": "2"}, ["'2'"], "v2"),
        ({"version": None}, ["None", "v1", "v2"], None),
        ({"output_keys": "xs"}, ["'xs'"], "x"),
        ({"output_keys": ["x", "zzz"]}, ["'zzz'", "'x'", "'p'"], None),
        ({"config": {"recursion_limit": 0}}, ["recursion_limit", "0"], None),
        ({"config": {"recursion_limit": -3}}, ["recursion_limit", "-3"], None),
        ({"config": {"max_concurrency": 0}}, ["max_concurrency", "0"], None),
    ],
)
def test_unknown_option(name, options, words, right):
    """A mode, version, key or limit that does not exist is refused at the call, before anything runs."""
    with pytest.raises(E.UnknownOptionError) as raised:
        call(name, {}, **options)
    assert isinstance(raised.value, ValueError)
    assert says(raised.value, *words)
    assert raised.value.suggestion == right
    assert right is None or says(raised.value, f"Did you mean {right!r}?")


@pytest.mark.parametrize("name", ["stream", "astream"])
@pytest.mark.parametrize("value", ["yes", 5, "False"])
def test_subgraphs(name, value):
    """`subgraphs` is true, false or none."""
    with pytest.raises(E.UnknownOptionError, match="subgraphs"):
        call(name, {}, subgraphs=value)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("wrong", "right"), [("stream_modes", "stream_mode"), ("output_key", "output_keys"), ("subgraph", "subgraphs")]
)
def test_unknown_keyword_of_a_run(name, wrong, right):
    """A keyword that does not exist is a `TypeError` at the call, with the method's name and the right keyword."""
    with pytest.raises(E.UnknownKeywordError) as raised:
        call(name, {}, **{wrong: "values"})
    assert isinstance(raised.value, TypeError)
    assert says(raised.value, f"{name}()", repr(wrong), f"Did you mean {right!r}?")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: StateGraph(State, output_shema=State), ["'output_shema'", "'output_schema'"]),
        (lambda: builder().add_node("n", plain, defered=True), ["add_node()", "'defered'", "'defer'"]),
        (lambda: builder().add_node("n", plain, metdata={}), ["add_node()", "'metdata'", "'metadata'"]),
        (lambda: builder().add_edge("plain", end="writer"), ["add_edge()", "'end'"]),
        (lambda: builder().add_edge(start="plain", end_key="writer"), ["add_edge()", "'start'"]),
        (lambda: builder().add_conditional_edges("plain", plain, pathmap={}), ["'pathmap'", "'path_map'"]),
        (lambda: builder().add_conditional_edges("plain", plain, then="writer"), ["'then'"]),
        (lambda: builder().add_sequence(node=[]), ["add_sequence()", "'node'", "'nodes'"]),
        (lambda: builder().compile(naem="x"), ["compile()", "'naem'", "'name'"]),
        (lambda: builder().compile(stroe=1), ["compile()", "'stroe'", "'store'"]),
    ],
)
def test_unknown_keyword_of_the_builder(make, words):
    """The builder's methods refuse keywords that do not exist, too."""
    with pytest.raises(E.UnknownKeywordError) as raised:
        make()
    assert isinstance(raised.value, TypeError)
    assert says(raised.value, *words)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (None, E.EmptyInputError, ["no input", "__start__"]),
        (5, E.InvalidUpdateError, ["5", "int", "'x'"]),
        ("text", E.InvalidUpdateError, ["'text'", "str", "'x'"]),
        ([("x", [1])], E.InvalidUpdateError, ["list", "'x'"]),
        ([{"x": [1]}], E.InvalidUpdateError, ["list", "'x'"]),
    ],
)
def test_input(name, given, kind, words):
    """An input that is nothing, or neither a mapping nor a state object, is refused at the call."""
    with pytest.raises(kind) as raised:
        call(name, given)
    assert says(raised.value, *words)


@pytest.mark.parametrize("modes", [("values", "updates"), {"values", "updates"}, frozenset(("values", "updates"))])
def test_any_collection_of_modes(modes):
    """A tuple or set of modes counts as a list."""
    assert both(graph(), {}, stream_mode=modes) == both(graph(), {}, stream_mode=["values", "updates"])
    assert {mode for mode, _ in both(graph(), {}, stream_mode=modes)} == {"values", "updates"}


# --- while building ---------------------------------------------------------------------------------------------


class Nothing:
    """A class without hints."""


def no_argument():
    """A function that takes nothing."""
    return []


class NoArgument:
    """A callable object that takes nothing."""

    def __call__(self):
        return {}


UNRESOLVABLE: Dict[str, Any] = {}
exec(
    "from __future__ import annotations\n"
    "from typing_extensions import TypedDict\n"
    "class Newer(TypedDict):\n    x: Nowhere | None\n",
    UNRESOLVABLE,
)


def keyed(hint):
    """A schema with one key."""
    return TypedDict("keyed", {"x": hint})


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (Nothing, ["Nothing", "no annotated keys", "TypedDict"]),
        (UNRESOLVABLE["Newer"], ["Newer", "cannot be evaluated"]),
        (keyed(Annotated[list, lambda one: one]), ["reducer", "two arguments", "'x'"]),
        (keyed(Annotated[list, no_argument]), ["reducer", "two arguments", "'x'"]),
        (keyed(Annotated[list, lambda one, two, three: one]), ["reducer", "two arguments", "'x'"]),
    ],
)
@pytest.mark.parametrize("place", ["state", "input", "output", "node"])
def test_schema(schema, words, place):
    """A schema that cannot be used is refused where it is given."""
    with pytest.raises(E.StateSchemaError) as raised:
        if place == "state":
            StateGraph(schema)
        elif place == "node":
            StateGraph(State).add_node("n", plain, input_schema=schema)
        else:
            StateGraph(State, **{f"{place}_schema": schema})
    assert isinstance(raised.value, (ValueError, TypeError))
    assert says(raised.value, *words)


@pytest.mark.parametrize("place", ["input", "output"])
def test_computed_keys_at_the_ends(place):
    """What is computed for each step can be neither given nor returned; the schema of the state itself is fine."""

    class Managed(TypedDict):
        x: list
        left: RemainingSteps

    with pytest.raises(E.StateSchemaError, match=r"managed channels detected in Managed: left\. .*Input/Output"):
        StateGraph(State, **{f"{place}_schema": Managed})
    assert StateGraph(Managed, **{f"{place}_schema": Managed}).managed.keys() == {"left"}


@pytest.mark.parametrize("schema", [{"x": int}, ["x"], {"x"}])
def test_values_as_schemas(schema):
    """A value in place of a type is refused; it would be a state of one value."""
    with pytest.raises(E.StateSchemaError, match="which is no type"):
        StateGraph(schema)


NODES = [
    (("n", 5), TypeError, ["'n'", "not callable", "5"]),
    (("n",), TypeError, ["'n'", "not callable"]),
    (("n", None), TypeError, ["'n'", "not callable"]),
    (("n", {}), TypeError, ["'n'", "not callable"]),
    (("n", {"a": 5}), TypeError, ["'n'", "not callable"]),
    ((5,), TypeError, ["not callable", "5"]),
    ((plain, plain), TypeError, ["name"]),
    (("n", no_argument), TypeError, ["'n'", "no argument"]),
    (("n", NoArgument()), TypeError, ["'n'", "no argument"]),
    (("n", lambda *, config: {}), TypeError, ["'n'", "no argument"]),
    (({"a": plain},), E.NodeNameError, ["name", "add_node(name, node)"]),
    (("", plain), E.NodeNameError, ["name"]),
    ((START, plain), E.NodeNameError, ["Node `__start__` is reserved"]),
    ((END, plain), E.NodeNameError, ["Node `__end__` is reserved"]),
    (("a|b", plain), E.NodeNameError, ["'|' is a reserved character and is not allowed in the node names", "'a|b'"]),
    (("a:b", plain), E.NodeNameError, ["':' is a reserved character and is not allowed in the node names", "'a:b'"]),
    (("plain", writer), E.NodeNameError, ["Node `plain` already present"]),
    ((plain,), E.NodeNameError, ["Node `plain` already present"]),
]


def seen(made):
    """Everything that a builder holds."""
    hidden = {name: value for name, value in vars(made).items() if name not in ("_schema", "_input", "_output")}
    return repr(hidden)


@pytest.mark.parametrize(("args", "kind", "words"), NODES, ids=lambda value: repr(value)[:30].split(" at ")[0])
def test_node(args, kind, words):
    """A node that cannot be called or has no good name is refused when it is added, and the builder stays as it was."""
    made = builder()
    before = seen(made)
    with pytest.raises(kind) as raised:
        made.add_node(*args)
    assert says(raised.value, *words)
    assert seen(made) == before
    made.compile()


def test_nothing_half_done():
    """A node whose input schema does not fit adds no keys either."""

    class Private(TypedDict):
        secret: int
        p: Annotated[list, lambda one, two: one]

    made = builder()
    before = seen(made)
    with pytest.raises(E.StateSchemaError, match="'p'"):
        made.add_node("n", plain, input_schema=Private)
    assert seen(made) == before
    with pytest.raises(E.StateSchemaError):
        made.add_node("n", plain, input_schema=UNRESOLVABLE["Newer"])
    assert seen(made) == before


def test_sequence_is_added_whole_or_not():
    """A sequence with a wrong node adds nothing."""
    made = builder()
    before = seen(made)
    for nodes in ([("new", plain), ("n", 5)], [("new", plain), ("new", plain)], []):
        with pytest.raises((TypeError, E.GraphBuildError)):
            made.add_sequence(nodes)
        assert seen(made) == before


@pytest.mark.parametrize(
    ("edge", "words"),
    [
        ((END, "plain"), ["END", "start"]),
        (("plain", START), ["START", "end"]),
        (([], "plain"), ["'plain'", "no start"]),
        ((["plain", START], "writer"), ["START"]),
        ((["plain", END], "writer"), ["END"]),
    ],
)
def test_edge(edge, words):
    """Edges that make no sense are refused when they are added, and the builder stays as it was."""
    made = builder()
    before = seen(made)
    with pytest.raises(E.UnknownNodeError) as raised:
        made.add_edge(*edge)
    assert says(raised.value, *words)
    assert seen(made) == before


def test_branch():
    """A branch must be callable and have a name of its own at its source."""
    made = builder()
    made.add_conditional_edges("plain", writer)
    before = seen(made)
    with pytest.raises(TypeError, match="'plain'"):
        made.add_conditional_edges("plain", 5)
    with pytest.raises(E.GraphBuildError, match="Branch with name `writer` already exists for node `plain`"):
        made.add_conditional_edges("plain", writer)
    with pytest.raises(E.UnknownNodeError, match="END"):
        made.add_conditional_edges(END, plain)
    assert seen(made) == before


# --- compiling --------------------------------------------------------------------------------------------------


def to_literal(state) -> Literal["wrtier"]:
    """A branch whose annotation has a typo."""
    return "wrtier"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda made: made.add_edge("plain", "wrtier"), ["'plain'", "ending at unknown node `wrtier`"]),
        (lambda made: made.add_edge("wrtier", "plain"), ["'wrtier'"]),
        (lambda made: made.add_edge(START, "wrtier"), ["'__start__'", "ending at unknown node `wrtier`"]),
        (lambda made: made.set_finish_point("wrtier"), ["'wrtier'"]),
        (lambda made: made.add_edge(["plain", "wrtier"], "plain"), ["'wrtier'"]),
        (lambda made: made.add_edge(["plain"], "wrtier"), ["'plain'", "ending at unknown node `wrtier`"]),
        (lambda made: made.add_conditional_edges("wrtier", plain), ["'wrtier'"]),
        (lambda made: made.add_conditional_edges("plain", plain, {"go": "wrtier"}), ["'plain'", "'wrtier'"]),
        (lambda made: made.add_conditional_edges("plain", plain, ["wrtier"]), ["'plain'", "'wrtier'"]),
        (lambda made: made.add_conditional_edges("plain", to_literal), ["to_literal", "'plain'", "'wrtier'"]),
        (lambda made: made.set_conditional_entry_point(to_literal), ["to_literal", "'__start__'", "'wrtier'"]),
    ],
)
def test_unknown_node(change, words):
    """An edge or branch from or to an unknown node is found by `compile`, with the closest right name."""
    made = change(builder())
    with pytest.raises(E.UnknownNodeError) as raised:
        made.compile()
    assert isinstance(raised.value, ValueError)
    assert says(raised.value, *words, "Did you mean 'writer'?")
    assert (raised.value.name, raised.value.suggestion) == ("wrtier", "writer")


def test_no_entry_point():
    """A graph that nothing leads into is found by `compile`."""
    with pytest.raises(E.GraphBuildError, match=r"must have an entrypoint.*add_edge\(START"):
        StateGraph(State).add_node(plain).compile()
