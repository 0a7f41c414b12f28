"""Wrong input: an error at the earliest moment, of the right class, with the wrong and the closest right name."""

from __future__ import annotations

import asyncio
import copy
from typing import Any, Dict

import pytest
from typing_extensions import Annotated, Literal, TypedDict

from graph.fakes import State, both, collected, line
from streamgraph import END, START, Command, Send, StateGraph
from streamgraph import errors as E
from streamgraph.types import Overwrite


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
        ({"version": "v3"}, ["'v3'"], "v2"),
        ({"version": "2"}, ["'2'", "v2"], None),
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
    if right not in (None, "v2", "x"):
        assert raised.value.suggestion == right
        assert says(raised.value, f"Did you mean {right!r}?")


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
        (keyed(Annotated[list, lambda: []]), ["reducer", "two arguments", "'x'"]),
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


NODES = [
    (("n", 5), TypeError, ["'n'", "not callable", "5"]),
    (("n",), TypeError, ["'n'", "not callable"]),
    (("n", None), TypeError, ["'n'", "not callable"]),
    (("n", {}), TypeError, ["'n'", "not callable"]),
    (("n", {"a": 5}), TypeError, ["'n'", "not callable"]),
    ((5,), TypeError, ["not callable", "5"]),
    ((plain, plain), TypeError, ["name"]),
    (("n", lambda: {}), TypeError, ["'n'", "no argument"]),
    (("n", NoArgument()), TypeError, ["'n'", "no argument"]),
    (("n", lambda *, config: {}), TypeError, ["'n'", "no argument"]),
    (({"a": plain},), E.NodeNameError, ["name", "add_node(name, node)"]),
    (("", plain), E.NodeNameError, ["name"]),
    ((START, plain), E.NodeNameError, ["'__start__'", "reserved"]),
    ((END, plain), E.NodeNameError, ["'__end__'", "reserved"]),
    (("a|b", plain), E.NodeNameError, ["'|'", "'a|b'", "reserved"]),
    (("a:b", plain), E.NodeNameError, ["':'", "'a:b'", "reserved"]),
    (("plain", writer), E.NodeNameError, ["'plain'", "already"]),
    ((plain,), E.NodeNameError, ["'plain'", "already"]),
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
    assert says(raised.value, *words) or (words[-1:] == ["already"] and says(raised.value, words[0], "there already"))
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
    with pytest.raises(E.GraphBuildError, match="'writer' from 'plain'"):
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
        (lambda made: made.add_edge("plain", "wrtier"), ["'plain'", "'wrtier'"]),
        (lambda made: made.add_edge("wrtier", "plain"), ["'wrtier'"]),
        (lambda made: made.add_edge(START, "wrtier"), ["'__start__'", "'wrtier'"]),
        (lambda made: made.set_finish_point("wrtier"), ["'wrtier'"]),
        (lambda made: made.add_edge(["plain", "wrtier"], "plain"), ["'wrtier'"]),
        (lambda made: made.add_edge(["plain"], "wrtier"), ["'plain'", "'wrtier'"]),
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
    with pytest.raises(E.GraphBuildError, match=r"entry point.*add_edge\(START"):
        StateGraph(State).add_node(plain).compile()


# --- running ----------------------------------------------------------------------------------------------------


def error_of(made, given=None, config=None):
    """The error of a run, which both drivers give."""
    found = []
    for run in (lambda: list(made.stream({} if given is None else given, config)), lambda: collected(made, given or {}, config)):
        with pytest.raises(Exception) as raised:
            run()
        found.append(raised.value)
    assert type(found[0]) is type(found[1])
    assert str(found[0]) == str(found[1])
    return found[0]


@pytest.mark.parametrize("result", [5, "text", [{"x": [1]}], [], object, 0.5], ids=repr)
def test_return_value(result):
    """What a node may not return is an error that names the node, the type and the keys."""
    error = error_of(line(("wrong", lambda state: result)))
    assert isinstance(error, E.InvalidUpdateError)
    assert says(error, "'wrong'", "'x', 'p', 'q'", type(result).__name__)
    assert E.location_of(error).node == "wrong"


def parallel(**nodes):
    """A graph whose nodes all run in the first step."""
    made = StateGraph(State)
    for name, update in nodes.items():
        made.add_node(name, lambda state, update=update: update).add_edge(START, name)
    return made.compile()


def test_two_writes():
    """Two nodes that write one plain key in one step are both named, and the key."""
    error = error_of(parallel(one={"p": 1}, two={"p": 2}))
    assert isinstance(error, E.InvalidUpdateError)
    assert says(error, "'one'", "'two'", "'p'", "Annotated")


def test_two_overwrites():
    """Two overwrites of one key in one step, likewise."""
    error = error_of(parallel(one={"x": Overwrite([1])}, two={"x": Overwrite([2])}))
    assert isinstance(error, E.InvalidUpdateError)
    assert says(error, "'one'", "'two'", "'x'")


def routed(answer, path_map=None):
    """A graph whose node `plain` is followed by a branch with this answer."""
    return builder().add_conditional_edges("plain", lambda state: answer, path_map).compile()


@pytest.mark.parametrize(
    ("make", "right"),
    [
        (lambda: routed("wrtier"), "writer"),
        (lambda: routed(["writer", "wrtier"]), "writer"),
        (lambda: routed(Send("wrtier", 1)), "writer"),
        (lambda: routed("contineu", {"continue": "writer"}), "continue"),
        (lambda: line(("plain", lambda state: Command(goto="wrtier")), ("writer", writer)), "writer"),
        (lambda: line(("plain", lambda state: Command(goto=[Send("wrtier", 1)])), ("writer", writer)), "writer"),
        (lambda: line(("plain", lambda state: Send("wrtier", 1)), ("writer", writer)), "writer"),
        (lambda: line(("plain", lambda state: [Send("wrtier", 1)]), ("writer", writer)), "writer"),
    ],
)
def test_unknown_route(make, right):
    """A route to nowhere names its node, the wrong name and the closest right one."""
    error = error_of(make())
    assert isinstance(error, E.UnknownRouteError)
    assert isinstance(error, ValueError)
    assert says(error, "'plain'", repr(error.name), f"Did you mean {right!r}?")
    assert error.name in ("wrtier", "contineu")


@pytest.mark.parametrize("make", [lambda: routed(Send(END, 1)), lambda: line(("plain", lambda state: Send(END, 1)))])
def test_send_to_the_end(make):
    """The end cannot be sent to."""
    error = error_of(make())
    assert isinstance(error, E.UnknownRouteError)
    assert says(error, "END", "'plain'")


@pytest.mark.parametrize("path_map", [None, {"go": "writer"}])
def test_branch_that_returns_nothing(path_map):
    """A branch must say where to go."""
    error = error_of(routed(None, path_map))
    assert isinstance(error, E.UnknownRouteError)
    assert says(error, "None", "'plain'", "<lambda>")


def test_recursion_limit():
    """The error names the limit and the nodes still to run, after the chunks of the steps that were run."""
    made = builder().add_edge("plain", "writer").add_edge("writer", "plain").compile()
    error = error_of(made, config={"recursion_limit": 3})
    assert isinstance(error, E.GraphRecursionError)
    assert isinstance(error, RecursionError)
    assert says(error, "limit of 3 ", "'writer'", "recursion_limit")
    pulled = made.stream({}, {"recursion_limit": 3})
    assert [list(next(pulled)) for _ in range(3)] == [["plain"], ["writer"], ["plain"]]
    with pytest.raises(E.GraphRecursionError):
        next(pulled)


def test_exactly_at_the_limit():
    """A run that ends exactly at the recursion limit succeeds."""
    assert graph().invoke({}, {"recursion_limit": 2}) == {"x": ["plain", "writer"]}


def test_parent_of_a_root_graph():
    """A command for the parent, where there is none, is an error that says so."""
    error = error_of(line(("n", lambda state: Command(graph=Command.PARENT, update={"x": [1]}))))
    assert isinstance(error, E.ParentCommand)
    assert says(error, "parent")
    assert error.command.update == {"x": [1]}


def test_async_only_nodes_in_a_sync_run():
    """A node that can only be awaited simply works in `stream` and `invoke`."""

    async def slow(state):
        await asyncio.sleep(0)
        return {"x": ["async"]}

    assert both(line(slow, plain), {}) == [{"n0": {"x": ["async"]}}, {"n1": {"x": ["plain"]}}]
    assert line(slow).invoke({}) == {"x": ["async"]}


def test_errors_of_nodes_keep_their_type():
    """What a node raises is raised as it is, with the place attached."""

    class Mine(Exception):
        pass

    error = Mine("mine")

    def fail(state):
        raise error

    with pytest.raises(Mine) as raised:
        line(("fail", fail)).invoke({})
    assert raised.value is error
    assert E.location_of(error) == E.ErrorLocation("fail", 1)
    assert copy.copy(E.location_of(error)).namespace == ()
