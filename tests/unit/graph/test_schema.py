"""State schemas: keys, reducers, defaults, private keys, managed values."""

from __future__ import annotations

import operator
import typing
from dataclasses import dataclass, field
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Sequence, Set

import pytest
from pydantic import BaseModel, Field, ValidationError
from typing_extensions import Annotated, NotRequired, Required, TypedDict

from streamgraph import START, Command, StateGraph
from streamgraph.managed import IsLastStep, RemainingSteps
from streamgraph.types import Overwrite
from support.list_graphs import State, both, line


class Typed(TypedDict, total=False):
    x: Required[Annotated[List[str], operator.add]]
    y: NotRequired[int]


class OldTyped(typing.TypedDict):
    x: Annotated[List[str], operator.add]
    y: int


@dataclass
class Data:
    x: Annotated[List[str], operator.add] = field(default_factory=list)
    y: int = 7


class Model(BaseModel):
    x: Annotated[List[str], operator.add] = Field(default_factory=list)
    y: int = 7


SCHEMAS = [Typed, OldTyped, Data, Model]


def get(state, key):
    """A key of a dict or of an object."""
    return state[key] if isinstance(state, dict) else getattr(state, key)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.__name__)
def test_kinds(schema):
    """Each kind of schema has the same keys and reducers; nodes get its instances; what comes out is a dict."""
    seen = []

    def look(state):
        seen.append(type(state))
        return {"x": [f"y={get(state, 'y')}"], "y": get(state, "y") + 1}

    chunks = both(line(("look", look), schema=schema), {"x": ["in"], "y": 1}, stream_mode=["values", "updates"])
    assert chunks == [
        ("values", {"x": ["in"], "y": 1}),
        ("updates", {"look": {"x": ["y=1"], "y": 2}}),
        ("values", {"x": ["in", "y=1"], "y": 2}),
    ]
    assert set(seen) == {dict if schema in (Typed, OldTyped) else schema}


@pytest.mark.parametrize("schema", [Data, Model], ids=lambda schema: schema.__name__)
def test_object_as_input(schema):
    """A state object as input writes all of its fields, defaults included."""
    assert line(("n", lambda state: None), schema=schema).invoke(schema(x=["in"])) == {"x": ["in"], "y": 7}


@pytest.mark.parametrize("schema", [Data, Model], ids=lambda schema: schema.__name__)
def test_defaults_are_for_nodes(schema):
    """Defaults of a class are not put into the state, but nodes see them."""
    seen = []
    graph = line(("n", lambda state: seen.append(state.y)), schema=schema)
    assert graph.invoke({"x": ["in"]}) == {"x": ["in"]}
    assert seen == [7]


def test_dataclass_returned():
    """A dataclass that a node returns writes all of its fields."""
    graph = line(("n", lambda state: Data(x=["n"])), schema=Data)
    assert graph.invoke({"x": ["in"], "y": 1}) == {"x": ["in", "n"], "y": 7}


def test_pydantic_returned():
    """A pydantic object that a node returns writes the fields that were set, be they default values or not."""
    graph = line(("n", lambda state: Model(x=["n"])), ("m", lambda state: Command(update=Model(y=7))), schema=Model)
    assert both(graph, {"x": ["in"], "y": 1}) == [{"n": {"x": ["n"]}}, {"m": {"y": 7}}]
    assert graph.invoke({"x": ["in"], "y": 1}) == {"x": ["in", "n"], "y": 7}


def test_pydantic_validates_the_input():
    """An input that does not fit a pydantic state fails at the call; a node gets converted values."""
    seen = []
    graph = line(("n", lambda state: seen.append(state.y)), schema=Model)
    with pytest.raises(ValidationError):
        graph.stream({"y": "many"})
    graph.invoke({"y": "5"})
    assert seen == [5]


def test_pydantic_validates_what_a_node_gets():
    """A value that does not fit fails the node that would get it, and the error says which one."""
    graph = line(("a", lambda state: {"y": "many"}), ("b", lambda state: None), schema=Model)
    with pytest.raises(ValidationError) as raised:
        graph.invoke({"x": []})
    assert any("'b'" in note for note in raised.value.__notes__)


class Aliased(BaseModel):
    value: int = Field(alias="theValue")


def test_pydantic_aliases():
    """A model with aliases takes an input by alias or by name, and nodes get its instances."""
    graph = line(("n", lambda state: {"value": state.value + 1}), schema=Aliased)
    assert graph.invoke(Aliased(theValue=1)) == {"value": 2}
    assert graph.invoke({"theValue": 1}) == {"value": 2}
    assert graph.invoke({"value": 1}) == {"value": 2}


@pytest.mark.parametrize(
    ("schema", "steps"),
    [(Annotated[int, operator.add], [5, 11]), (int, [5, 6]), (Annotated[list, operator.add], None), (dict, None)],
)
def test_root(schema, steps):
    """A state of one value: input, node input, update and output are that value."""
    given, update = (5, 6) if steps else ([1], [2]) if schema is not dict else ({"a": 1}, {"b": 2})
    seen = []

    def node(state):
        seen.append(state)
        return update

    graph = line(("n", node), schema=schema)
    expected = steps or ([[1], [1, 2]] if schema is not dict else [{"a": 1}, {"b": 2}])
    assert both(graph, given, stream_mode="values") == expected
    assert both(graph, given) == [{"n": update}]
    assert graph.invoke(given) == expected[-1]
    assert seen[0] == given


def keeps(old, new):
    """A reducer that keeps the larger value."""
    return new if old is None or new > old else old


class Defaults(TypedDict):
    numbers: Annotated[List[int], operator.add]
    sequence: Annotated[Sequence[int], lambda old, new: [*old, *new]]
    mapping: Annotated[Mapping[str, int], lambda old, new: {**old, **new}]
    union: Annotated[Set[int], operator.or_]
    frozen: Annotated[FrozenSet[int], operator.or_]
    total: Annotated[int, operator.add]
    text: Annotated[str, operator.add]
    table: Annotated[Dict[str, int], lambda old, new: {**old, **new}]
    largest: Annotated[Optional[int], keeps]
    plain: int


def test_defaults_of_reducers():
    """Keys with a reducer start with what their type makes, if it makes something; others are absent."""
    seen = []
    update = {"largest": 3, "total": 2, "sequence": (1,), "union": {1}}
    graph = line(("n", lambda state: seen.append(state) or update), schema=Defaults)
    out = graph.invoke({"text": "a"})
    start = {
        "numbers": [],
        "sequence": [],
        "mapping": {},
        "union": set(),
        "frozen": frozenset(),
        "total": 0,
        "text": "a",
        "table": {},
    }
    assert seen == [start]
    assert out == {**start, "largest": 3, "total": 2, "sequence": [1], "union": {1}}
    assert list(out) == [key for key in Defaults.__annotations__ if key != "plain"]


def test_builtins_as_reducers():
    """A builtin without a signature, and one with optional parameters, work as reducers."""

    class Best(TypedDict):
        best: Annotated[int, max]
        spread: Annotated[list, lambda old, new, more=(): old + new]

    graph = line(("n", lambda state: {"best": 3, "spread": [1]}), schema=Best)
    assert graph.invoke({"best": 5}) == {"best": 5, "spread": [1]}


def test_only_the_last_mark_is_a_reducer():
    """Marks that are no functions are no reducers."""

    class Marked(TypedDict):
        a: Annotated[list, operator.add, "note"]
        b: Annotated[list, "note", operator.add]

    graph = line(("n", lambda state: {"a": [1], "b": [1]}), schema=Marked)
    assert graph.invoke({"a": [0], "b": [0]}) == {"a": [1], "b": [0, 1]}


def test_overwrite():
    """An overwrite bypasses the reducer, in an update and in the input's step."""
    graph = line(("n", lambda state: {"x": Overwrite(["new"])}), ("m", lambda state: {"x": {"__overwrite__": ["m"]}}))
    assert both(graph, {"x": ["old"]}, stream_mode="values")[1:] == [{"x": ["new"]}, {"x": ["m"]}]


class Private(TypedDict):
    secret: str


def test_private_keys():
    """A node's input annotation adds keys that the stream shows and `invoke` does not return."""

    def hide(state: State) -> Private:
        return {"secret": "s"}

    def use(state: Private) -> State:
        return {"x": [dict(state)]}

    graph = line(hide, use)
    assert both(graph, {"x": []}, stream_mode="values")[1:] == [
        {"x": [], "secret": "s"},
        {"x": [{"secret": "s"}], "secret": "s"},
    ]
    assert graph.invoke({"x": []}) == {"x": [{"secret": "s"}]}


@pytest.mark.parametrize("way", ["input_schema", "annotation", "method", "callable object", "branch"])
def test_node_input(way):
    """What a node or branch sees is what it asks for, in whatever way."""
    seen = []

    def plain(state):
        seen.append(state)

    def annotated(state: Private):
        seen.append(state)

    class Holder:
        def method(self, state: Private):
            seen.append(state)

        def __call__(self, state: Private):
            seen.append(state)

    def choose(state: Private):
        seen.append(state)
        return "__end__"

    builder = StateGraph(State).add_node("first", lambda state: {"secret": "s", "p": 1}).add_edge(START, "first")
    if way == "branch":
        builder.add_conditional_edges("first", choose)
    else:
        node = {"annotation": annotated, "method": Holder().method, "callable object": Holder()}.get(way, plain)
        options = {"input_schema": Private} if way == "input_schema" else {}
        builder.add_node("second", node, **options).add_edge("first", "second")
    builder.compile().invoke({})
    assert seen == [{"secret": "s"}]


class In(TypedDict):
    question: str


class Out(TypedDict):
    answer: str


class Whole(In, Out):
    notes: Annotated[list, operator.add]


def test_input_and_output_schemas():
    """Only the keys of the input schema are taken, only those of the output schema are returned."""
    graph = line(
        ("n", lambda state: {"answer": state.get("answer", "") + state["question"] + "!", "notes": ["n"]}),
        schema=Whole,
        input_schema=In,
        output_schema=Out,
    )
    given = {"question": "q", "answer": "ignored", "unknown": 1}
    assert graph.invoke(given) == {"answer": "q!"}
    assert both(graph, given, stream_mode="values")[-1] == {"question": "q", "answer": "q!", "notes": ["n"]}
    assert graph.invoke(given, output_keys=["notes"]) == {"notes": ["n"]}
    stream = graph.stream(given)
    list(stream)
    assert stream.output == {"answer": "q!"}


def test_managed_values():
    """Managed values are seen by nodes and never streamed."""

    class Managed(TypedDict):
        x: Annotated[list, operator.add]
        left: RemainingSteps
        last: IsLastStep

    look = lambda state: {"x": [(state["left"], state["last"])]}  # noqa: E731
    graph = line(look, look, look, schema=Managed)
    chunks = both(graph, {"x": []}, {"recursion_limit": 3}, stream_mode="values")
    assert chunks[-1] == {"x": [(2, False), (1, True), (0, True)]}


def test_keys_that_are_not_there():
    """Keys that nobody wrote are absent from a node's dict; unknown keys of updates are dropped."""
    seen = []
    graph = line(
        lambda state: seen.append(dict(state)) or {"p": None, "unknown": 1}, lambda state: seen.append(dict(state))
    )
    graph.invoke({"q": 1})
    assert seen == [{"x": [], "q": 1}, {"x": [], "p": None, "q": 1}]


def test_annotation_that_cannot_be_evaluated():
    """A node whose hints name what is not there gets the whole state, as without hints."""
    namespace: Dict[str, Any] = {}
    exec(
        "from __future__ import annotations\n"
        "def node(state: Nowhere | None) -> Elsewhere:\n    return {'p': dict(state)}",
        namespace,
    )
    assert line(namespace["node"]).invoke({"q": 1})["p"] == {"x": [], "q": 1}
