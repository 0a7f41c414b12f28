"""States that are pydantic models: what is checked when, what nodes see, and what they write."""

from __future__ import annotations

import asyncio
import operator
from typing import Any, Dict, List, Optional

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from typing_extensions import Annotated

from streamgraph import START, Send, StateGraph
from streamgraph.errors import location_of
from streamgraph.graph import add_messages
from streamgraph.types import Command, GraphOutput
from support.list_graphs import both, line

CALLS = ["stream", "astream", "invoke", "ainvoke"]


class Sub(BaseModel):
    """A model inside the state."""

    n: int = 0
    names: List[str] = []


class Plain(BaseModel):
    """A state with a key of each kind."""

    name: str
    count: int = 1
    x: Annotated[List[str], operator.add] = []
    items: List[int] = Field(default_factory=list)
    sub: Sub = Field(default_factory=Sub)
    table: Dict[str, int] = {}
    maybe: Optional[int] = None


def called(kind, graph, given, **options):
    """Call a method of a graph; streams are not pulled."""
    made = getattr(graph, kind)(given, **options)
    return asyncio.run(made) if kind == "ainvoke" else made


def outputs(graph, given, **options):
    """The final state, of both kinds of run."""
    final = graph.invoke(given, **options)
    assert final == asyncio.run(graph.ainvoke(given, **options))
    return final


def looking(schema, *nodes, **options):
    """A graph whose first node notes what it sees."""
    seen = []
    return line(("look", lambda state: seen.append(state)), *nodes, schema=schema, **options), seen


# --- the input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize(
    ("given", "key"), [({}, "name"), ({"count": 3}, "name"), ({"name": "a", "count": "many"}, "count")], ids=repr
)
def test_input_is_validated_at_the_call(kind, given, key):
    """A wrong input is an error of the call, before anything runs or is pulled."""
    graph, seen = looking(Plain)
    with pytest.raises(ValidationError) as raised:
        called(kind, graph, given)
    assert [error["loc"][0] for error in raised.value.errors()] == [key]
    assert seen == []


def test_what_the_state_holds():
    """The state holds what was given, and nodes get it as an instance, validated, with the defaults."""
    graph, seen = looking(Plain)
    given = {"name": "a", "count": "3", "sub": {"n": "4"}}
    assert outputs(graph, given) == {**given, "x": []}
    for state in seen:
        assert isinstance(state, Plain)
        assert (state.name, state.count, state.items, state.sub) == ("a", 3, [], Sub(n=4))


def test_input_may_be_an_instance():
    """An instance of the model is an input as well."""
    graph, seen = looking(Plain)
    assert outputs(graph, Plain(name="a", sub=Sub(n=2)))["name"] == "a"
    assert {(state.name, state.sub.n, state.count) for state in seen} == {("a", 2, 1)}


def test_unknown_keys_are_ignored():
    """Keys that the model does not have are left out, of the input and of updates."""
    graph = line(lambda state: {"count": 2, "zzz": 1}, schema=Plain)
    assert outputs(graph, {"name": "a", "other": 1}) == {"name": "a", "count": 2, "x": []}


class Strict(BaseModel):
    """A model that wants no other keys."""

    model_config = ConfigDict(extra="forbid")

    name: str
    x: Annotated[List[str], operator.add] = []


@pytest.mark.parametrize("kind", CALLS)
def test_forbidden_keys(kind):
    """With `extra="forbid"` another key in the input is an error of the call."""
    graph, seen = looking(Strict)
    with pytest.raises(ValidationError, match="zzz"):
        called(kind, graph, {"name": "a", "zzz": 1})
    assert seen == []
    assert outputs(graph, {"name": "a"}) == {"name": "a", "x": []}


# --- aliases ----------------------------------------------------------------------------------------------------


class Alias(BaseModel):
    """Keys with other names outside."""

    name: str = Field(alias="theName")
    x: Annotated[List[str], operator.add] = Field(default=[], alias="theList")
    y: int = Field(default=0, validation_alias="theNumber")
    z: int = Field(default=0, validation_alias=AliasChoices("firstZ", "secondZ"))


@pytest.mark.parametrize(
    "given",
    [
        {"theName": "a", "theList": ["in"], "theNumber": 5},
        {"name": "a", "x": ["in"], "y": 5},
        {"theName": "a", "x": ["in"], "theNumber": 5},
    ],
    ids=repr,
)
def test_aliases(given):
    """Input may come under the names of the fields or under their aliases; the state has the names of the fields."""
    graph, seen = looking(Alias, ("add", lambda state: {"x": ["add"], "y": state.y + 1}))
    assert outputs(graph, given) == {"name": "a", "x": ["in", "add"], "y": 6}
    assert {(state.name, tuple(state.x), state.y) for state in seen} == {("a", ("in",), 5)}


@pytest.mark.parametrize("alias", ["firstZ", "secondZ", "z"])
def test_alias_choices(alias):
    """Any of several aliases will do."""
    graph, seen = looking(Alias)
    assert outputs(graph, {"theName": "a", alias: 7})["z"] == 7
    assert {state.z for state in seen} == {7}


def test_reducer_key_by_its_alias_is_folded_once():
    """A list given under its alias is in the state once, in every chunk."""
    graph = line(lambda state: {"x": ["node"]}, schema=Alias)
    chunks = both(graph, {"theName": "a", "theList": ["in"]}, stream_mode="values")
    assert [chunk["x"] for chunk in chunks] == [["in"], ["in", "node"]]


# --- validators -------------------------------------------------------------------------------------------------


class Validated(BaseModel):
    """A model that changes and checks what it gets."""

    name: str
    total: int = 0
    x: Annotated[List[str], operator.add] = []

    @field_validator("name", mode="after")
    @classmethod
    def _stripped(cls, value: str) -> str:
        return value.strip()

    @field_validator("total", mode="before")
    @classmethod
    def _counted(cls, value: Any) -> Any:
        return len(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _checked(self) -> Validated:
        if self.total > 10:
            raise ValueError("too many")
        return self


def test_validators_are_seen_by_nodes():
    """Nodes see what the validators made of the values."""
    graph, seen = looking(Validated)
    outputs(graph, {"name": "  a ", "total": [1, 2, 3]})
    assert {(state.name, state.total) for state in seen} == {("a", 3)}


def test_validators_are_seen_by_branches():
    """So do the functions of conditional edges."""
    seen = []
    builder = StateGraph(Validated).add_node("a", lambda state: {"name": " b "}).add_edge(START, "a")
    builder.add_conditional_edges("a", lambda state: seen.append((type(state), state.name)) or "__end__")
    outputs(builder.compile(), {"name": " a "})
    assert seen == [(Validated, "b")] * 2


@pytest.mark.parametrize("kind", CALLS)
def test_validators_of_the_whole_model(kind):
    """What the model as a whole refuses is refused at the call."""
    graph, seen = looking(Validated)
    with pytest.raises(ValidationError, match="too many"):
        called(kind, graph, {"name": "a", "total": 11})
    assert seen == []


def test_wrong_update():
    """A wrong update is an error where the next node would see it, with the name of that node."""
    graph = line(("a", lambda state: {"total": 11}), ("b", lambda state: None), schema=Validated)
    stream = graph.stream({"name": "a"})
    assert next(stream) == {"a": {"total": 11}}
    with pytest.raises(ValidationError, match="too many") as raised:
        next(stream)
    assert location_of(raised.value).node == "b"


# --- messages ---------------------------------------------------------------------------------------------------


class Chat(BaseModel):
    """A conversation as a model."""

    messages: Annotated[List[AnyMessage], add_messages]
    turns: int = 0


@pytest.mark.parametrize(
    "given",
    [
        [("user", "hi")],
        [{"role": "user", "content": "hi"}],
        ["hi"],
        "hi",
        ("user", "hi"),
        {"role": "user", "content": "hi"},
        HumanMessage("hi"),
        [HumanMessage("hi")],
    ],
    ids=repr,
)
def test_messages(given):
    """Messages may be given in every form that the reducer takes."""
    graph, seen = looking(Chat, ("answer", lambda state: {"messages": [AIMessage("hello")], "turns": 1}))
    final = graph.invoke({"messages": given})
    assert [(type(item), item.content) for item in final["messages"]] == [(HumanMessage, "hi"), (AIMessage, "hello")]
    asyncio.run(graph.ainvoke({"messages": given}))
    for state in seen:
        assert [(type(item), item.content) for item in state.messages] == [(HumanMessage, "hi")]


def test_messages_in_no_form():
    """What the reducer does not take is an error."""
    graph, seen = looking(Chat)
    with pytest.raises(TypeError, match="got type <class 'int'>") as raised:
        graph.invoke({"messages": [5]})
    assert "In the reducer of key 'messages'" in str(raised.value.__context__.__notes__)
    assert seen == []


# --- what nodes write -------------------------------------------------------------------------------------------


def returning(change):
    """The updates of a node that changes the state object it gets and returns it, for a state of a name alone."""

    def node(state):
        return change(state) or state

    (update,) = both(line(("a", node), schema=Plain), {"name": "in"})
    return update["a"]


@pytest.mark.parametrize(
    ("change", "written"),
    [
        (lambda state: state.items.append(1), {"items": [1]}),
        (lambda state: state.sub.names.append("n"), {"sub": Sub(names=["n"])}),
        (lambda state: setattr(state.sub, "n", 5), {"sub": Sub(n=5)}),
        (lambda state: state.table.update(a=1), {"table": {"a": 1}}),
        (lambda state: setattr(state, "count", 2), {"count": 2}),
        (lambda state: setattr(state, "count", 1), {"count": 1}),
        (lambda state: setattr(state, "maybe", None), {"maybe": None}),
    ],
    ids=["list", "list of submodel", "submodel", "dict", "plain", "plain as by default", "none as by default"],
)
def test_changed_in_place(change, written):
    """A node that changes a default in place, or sets a field, and returns the object writes that field."""
    update = returning(change)
    assert {key: value for key, value in update.items() if key not in ("name", "x")} == written


def test_untouched_defaults():
    """Defaults that nobody touched are not written, nor do they reach the state."""
    assert set(returning(lambda state: None)) <= {"name", "x"}
    assert outputs(line(lambda state: Plain(name="new"), schema=Plain), {"name": "in", "count": 5}) == {
        "name": "new",
        "count": 5,
        "x": [],
    }


def test_default_of_the_class_is_not_changed():
    """What a node changes in place is its own: the next run starts from the default."""
    graph = line(lambda state: state.items.append(1) or state.table.update(a=1) or state, schema=Plain)
    for _ in range(2):
        final = outputs(graph, {"name": "in"})
        assert (final["items"], final["table"]) == ([1], {"a": 1})
    assert Plain(name="x").table == {}


class Frozen(BaseModel):
    """A model that cannot be changed."""

    model_config = ConfigDict(frozen=True)

    name: str
    count: int = 1
    x: Annotated[List[str], operator.add] = []


def test_frozen():
    """A frozen model stays what it is; copies of it are updates."""
    graph = line(
        lambda state: Frozen(name=f"{state.name}!"),
        lambda state: state.model_copy(update={"count": state.count + 1, "x": []}),
        schema=Frozen,
    )
    assert outputs(graph, {"name": "a"}) == {"name": "a!", "count": 2, "x": []}

    def node(state):
        state.name = "changed"

    with pytest.raises(ValidationError, match="frozen"):
        line(node, schema=Frozen).invoke({"name": "a"})


def test_nested_models():
    """Models inside are models for nodes; given as dicts they stay dicts in the state, instances stay instances."""
    graph, seen = looking(Plain)
    assert outputs(graph, {"name": "a", "sub": {"n": 3}})["sub"] == {"n": 3}
    assert outputs(graph, {"name": "a", "sub": Sub(n=3)})["sub"] == Sub(n=3)
    assert {(type(state.sub), state.sub.n) for state in seen} == {(Sub, 3)}


def test_command_and_send():
    """An object may be a command's update, and the argument of a `Send`."""
    builder = StateGraph(Plain)
    builder.add_node("a", lambda state: Command(update=Plain(name="b"), goto=[Send("s", Plain(name="sent", x=["s"]))]))
    builder.add_node("s", lambda state: {"x": [type(state).__name__, state.name]})
    assert outputs(builder.add_edge(START, "a").compile(), {"name": "a"}) == {"name": "b", "x": ["Plain", "sent"]}


# --- typed outputs ----------------------------------------------------------------------------------------------


def test_version_2():
    """`version="v2"` gives the state as an instance, complete and validated, in `invoke` and in `values`."""
    graph = line(lambda state: {"count": 2}, schema=Plain)
    out = outputs(graph, {"name": "a", "sub": {"n": 3}}, version="v2")
    assert out == GraphOutput(Plain(name="a", count=2, sub=Sub(n=3)))
    parts = both(graph, {"name": "a"}, stream_mode=["values", "updates"], version="v2")
    assert [part["data"] for part in parts] == [Plain(name="a"), {"n0": {"count": 2}}, Plain(name="a", count=2)]


def test_version_2_with_aliases():
    """So it does for a model with aliases."""
    out = outputs(line(lambda state: {"y": 2}, schema=Alias), {"theName": "a"}, version="v2")
    assert out.value == Alias(theName="a", theNumber=2)


class Answer(BaseModel):
    """Some of the keys."""

    count: int


def test_version_2_with_an_output_schema():
    """The instance is one of the output's model."""
    graph = line(lambda state: {"count": 2}, schema=Plain, output_schema=Answer)
    assert outputs(graph, {"name": "a"}, version="v2").value == Answer(count=2)
    assert outputs(graph, {"name": "a"}) == {"count": 2}


def test_input_schema():
    """The input is checked by the model of the input, not by that of the state."""
    graph = line(lambda state: {"name": "set"}, schema=Plain, input_schema=Answer)
    with pytest.raises(ValidationError, match="count"):
        graph.invoke({})


def rising(current, update):
    """A reducer that refuses what the type of its key allows."""
    if update < 0:
        raise ArithmeticError("negative")
    return current + update


class Counter(BaseModel):
    """A state with one key, which only grows."""

    count: Annotated[int, rising] = 0


def test_refused_by_the_reducer_alone():
    """Input that the model would take and the reducer does not is refused at the call, with the key."""
    ran = []
    graph = StateGraph(Counter).add_node("node", ran.append).add_edge(START, "node").compile()
    with pytest.raises(ArithmeticError, match="negative") as raised:
        graph.stream({"count": -1})
    assert "In the reducer of key 'count'" in str(raised.value.__notes__)
    assert ran == []
