"""JSON schemas of input, output and context: which keys there are, of what type, and which must be given."""

# No `from __future__ import annotations`: classes inside functions would have hints that nobody can evaluate.

import dataclasses
import importlib
import json
import operator
import typing
from typing import Any, Dict, List, Optional, Union

import pytest
import typing_extensions
from langchain_core.messages import AnyMessage
from pydantic import BaseModel, Field
from pydantic.errors import PydanticUserError
from typing_extensions import Annotated, Literal, NotRequired, Required

from streamgraph.graph import add_messages
from streamgraph.managed import RemainingSteps

# What LangGraph says while it imports its own parts.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:langgraph")

INTEGER, TEXT = {"type": "integer"}, {"type": "string"}
LISTS = {"type": "array", "items": {}}


def typed_dicts(TypedDict):
    """The same states, made with the `TypedDict` of one module."""

    class Total(TypedDict):
        a: int
        b: Optional[str]
        c: Annotated[list, operator.add]

    class NotTotal(TypedDict, total=False):
        a: int
        b: Annotated[list, operator.add]

    class Marked(TypedDict):
        a: Required[int]
        b: NotRequired[str]
        c: NotRequired[Annotated[list, operator.add]]

    class MarkedNotTotal(TypedDict, total=False):
        a: Required[int]
        b: str
        c: Required[Annotated[list, operator.add]]

    class Inner(TypedDict):
        a: Annotated[NotRequired[int], "mark"]
        b: Annotated[Required[str], "mark"]

    class InnerNotTotal(TypedDict, total=False):
        a: Annotated[Annotated[Required[Annotated[list, "in"]], "mark"], "out"]
        b: Annotated[NotRequired[int], "mark"]

    class Inheriting(Total, total=False):
        d: int
        e: Required[int]

    class Kinds(TypedDict):
        a: Literal["x", "y"]
        b: Union[int, str]
        c: Any
        d: Dict[str, List[int]]

    class Item(TypedDict):
        n: int

    class Items(TypedDict):
        one: Item
        many: Annotated[List[Item], operator.add]
        maybe: Optional[Item]
        named: Dict[str, Item]

    class MarkedItem(TypedDict):
        n: int
        m: NotRequired[str]

    class MarkedItems(TypedDict):
        many: List[MarkedItem]

    class ItemNotTotal(TypedDict, total=False):
        n: Required[int]
        m: str

    class ItemsNotTotal(TypedDict):
        one: ItemNotTotal

    return {item.__name__: item for item in locals().values() if isinstance(item, type)}


OLD, NEW = typed_dicts(typing.TypedDict), typed_dicts(typing_extensions.TypedDict)
STATES = [
    pytest.param(made[name], id=f"{name}-{module}") for module, made in (("old", OLD), ("new", NEW)) for name in made
]

REQUIRED = {
    "Total": ["a", "b", "c"],
    "NotTotal": [],
    "Marked": ["a"],
    "MarkedNotTotal": ["a", "c"],
    "Inner": ["b"],
    "InnerNotTotal": ["a"],
    "Inheriting": ["a", "b", "c", "e"],
    "Kinds": ["a", "b", "c", "d"],
    "Item": ["n"],
    "Items": ["many", "maybe", "named", "one"],
    "MarkedItem": ["n"],
    "MarkedItems": ["many"],
    "ItemNotTotal": ["n"],
    "ItemsNotTotal": ["one"],
}


def graph_of(library, state, **options):
    """A compiled graph of a library with this state."""
    made = importlib.import_module(f"{library}.graph")
    builder = made.StateGraph(state, **options)
    builder.add_node("a", lambda state: None)
    builder.add_edge(made.START, "a")
    return builder.compile()


def ours(state, **options):
    """A compiled graph with this state."""
    return graph_of("streamgraph", state, **options)


def all_three(library, state):
    """The schemas of input, output and context."""
    graph = graph_of(library, state, context_schema=state)
    return [graph.get_input_jsonschema(), graph.get_output_jsonschema(), graph.get_context_jsonschema()]


def kinds(schema):
    """The properties of a schema without their titles."""
    return {key: {name: item[name] for name in item if name != "title"} for key, item in schema["properties"].items()}


def test_all_states_are_told():
    """Every state below says which keys it requires, in both of its forms."""
    assert set(REQUIRED) == set(OLD) == set(NEW)


@pytest.mark.parametrize("state", STATES)
def test_required_keys(state):
    """Keys are required by the totality of their class and by their marks, however these are nested."""
    for schema in all_three("streamgraph", state):
        assert sorted(schema.get("required", [])) == REQUIRED[state.__name__]
        assert (schema["title"], schema["type"]) == (state.__name__, "object")
        assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("state", STATES)
def test_as_langgraph(state):
    """Where LangGraph can make the schema, which is not from every `TypedDict` on every Python, it is the same."""
    made = all_three("streamgraph", state)
    try:
        theirs = all_three("langgraph", state)
    except PydanticUserError:
        theirs = all_three("langgraph", NEW[state.__name__])
    assert made == theirs


@pytest.mark.parametrize("made", [OLD, NEW], ids=["old", "new"])
def test_types_of_keys(made):
    """Reducers, marks and `TypedDict`s inside do not hide the types."""
    assert kinds(ours(made["Total"]).get_input_jsonschema()) == {
        "a": INTEGER,
        "b": {"anyOf": [TEXT, {"type": "null"}]},
        "c": LISTS,
    }
    assert kinds(ours(made["Inner"]).get_input_jsonschema()) == {"a": INTEGER, "b": TEXT}
    assert kinds(ours(made["Kinds"]).get_input_jsonschema()) == {
        "a": {"enum": ["x", "y"], "type": "string"},
        "b": {"anyOf": [INTEGER, TEXT]},
        "c": {},
        "d": {"type": "object", "additionalProperties": {"type": "array", "items": INTEGER}},
    }
    items = ours(made["Items"]).get_input_jsonschema()
    reference = {"$ref": "#/$defs/Item"}
    assert kinds(items) == {
        "one": reference,
        "many": {"type": "array", "items": reference},
        "maybe": {"anyOf": [reference, {"type": "null"}]},
        "named": {"type": "object", "additionalProperties": reference},
    }
    assert items["$defs"]["Item"]["required"] == ["n"]


@pytest.mark.parametrize("made", [OLD, NEW], ids=["old", "new"])
def test_required_keys_inside(made):
    """The marks of a `TypedDict` inside the state count as those of the state itself do."""
    assert ours(made["MarkedItems"]).get_input_jsonschema()["$defs"]["MarkedItem"]["required"] == ["n"]
    assert ours(made["ItemsNotTotal"]).get_input_jsonschema()["$defs"]["ItemNotTotal"]["required"] == ["n"]


@pytest.mark.parametrize("made", [OLD, NEW], ids=["old", "new"])
def test_validation_inside(made):
    """The model of the input takes what the types say may be missing."""
    model = ours(made["MarkedItems"]).get_input_schema()
    assert model.model_validate({"many": [{"n": 1}, {"n": 2, "m": "x"}]})
    with pytest.raises(ValueError, match="many"):
        model.model_validate({"many": [{"m": "x"}]})


class OldQuoted(typing.TypedDict):
    a: "Required[int]"
    b: "NotRequired[Annotated[list, operator.add]]"


class NewQuoted(typing_extensions.TypedDict, total=False):
    a: "Required[int]"
    b: "NotRequired[Annotated[list, operator.add]]"


@pytest.mark.parametrize("state", [OldQuoted, NewQuoted])
def test_quoted_marks(state):
    """Marks in quotes, as in a module with postponed annotations, count as well."""
    for made in all_three("streamgraph", state):
        assert made["required"] == ["a"]
        assert kinds(made) == {"a": INTEGER, "b": LISTS}


class Described(typing_extensions.TypedDict):
    """What it is for."""

    size: Annotated[int, Field(ge=1, description="At least one.")]


def test_descriptions():
    """What pydantic's `Field` says of a key, and what the class says of itself, is in the schema."""
    made = ours(Described).get_input_jsonschema()
    assert made["properties"]["size"] == {
        "title": "Size",
        "type": "integer",
        "minimum": 1,
        "description": "At least one.",
    }
    assert made["description"] == "What it is for."
    assert made == graph_of("langgraph", Described).get_input_jsonschema()


class Managed(typing_extensions.TypedDict):
    a: int
    left: RemainingSteps


def test_managed_keys():
    """Keys that the run computes are not asked for."""
    assert set(ours(Managed).get_input_jsonschema()["properties"]) == {"a"}


class Conversation(typing_extensions.TypedDict):
    messages: Annotated[List[AnyMessage], add_messages]


def test_messages():
    """A conversation is a list of any kind of message."""
    made = ours(Conversation).get_input_jsonschema()
    assert made["required"] == ["messages"]
    assert made["properties"]["messages"]["type"] == "array"
    assert {"AIMessage", "HumanMessage", "ToolMessage"} <= set(made["$defs"])


# --- dataclasses, pydantic models, values -----------------------------------------------------------------------


@dataclasses.dataclass
class Data:
    a: int
    b: Optional[str]
    c: int = 3
    d: Optional[int] = None
    e: List[int] = dataclasses.field(default_factory=list)
    f: Annotated[list, operator.add] = dataclasses.field(default_factory=list)


def without_defaults(schema):
    """A schema without what LangGraph shows of defaults that are made anew, and without the name of the whole."""
    properties = {
        key: {name: item[name] for name in item if name != "default" or item[name] not in (None, [])}
        for key, item in schema["properties"].items()
    }
    return {**{key: item for key, item in schema.items() if key != "title"}, "properties": properties}


def test_dataclass():
    """Fields with a default need not be given; nor, in the input, those that may be `None`, as in LangGraph."""
    graph = ours(Data)
    for made in (graph.get_input_jsonschema(), graph.get_output_jsonschema()):
        assert made["required"] == ["a"]
        assert made["properties"]["c"] == {"default": 3, "title": "C", "type": "integer"}
        assert kinds(made)["b"] == {"anyOf": [TEXT, {"type": "null"}]}
        assert kinds(made)["e"]["items"] == INTEGER
        assert made["title"] == "Data"
    theirs = graph_of("langgraph", Data)
    assert without_defaults(theirs.get_input_jsonschema()) == without_defaults(graph.get_input_jsonschema())
    assert without_defaults(theirs.get_output_jsonschema()) == without_defaults(graph.get_output_jsonschema())


def test_dataclass_as_context():
    """A context is made by calling the class: what it cannot do without is required, as in LangGraph."""
    state = NEW["Total"]
    made = ours(state, context_schema=Data).get_context_jsonschema()
    assert made == graph_of("langgraph", state, context_schema=Data).get_context_jsonschema()
    assert made["required"] == ["a", "b"]


class Submodel(BaseModel):
    n: int


class Model(BaseModel):
    """A state."""

    a: int
    b: Optional[str] = None
    c: Annotated[list, operator.add] = []
    d: str = Field("x", alias="dd", description="By another name.")
    sub: Submodel


def test_pydantic():
    """A pydantic model's schema is pydantic's, and LangGraph's."""
    made = all_three("streamgraph", Model)
    assert made == [Model.model_json_schema()] * 3 == all_three("langgraph", Model)
    assert made[0]["required"] == ["a", "sub"]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (int, INTEGER),
        (Annotated[int, operator.add], INTEGER),
        (Annotated[list, operator.add], LISTS),
        (List[str], {"type": "array", "items": TEXT}),
        (dict, {"type": "object", "additionalProperties": True}),
    ],
    ids=str,
)
def test_value(state, expected):
    """A state of one value has the schema of its type; LangGraph adds that it may be left out, which it may not."""
    graph, theirs = ours(state), graph_of("langgraph", state)
    for name, title in (("input", "LangGraphInput"), ("output", "LangGraphOutput")):
        made = getattr(graph, f"get_{name}_jsonschema")()
        assert made == {**expected, "title": title}
        assert getattr(theirs, f"get_{name}_jsonschema")() == {**made, "default": None}


# --- which schema -----------------------------------------------------------------------------------------------


def test_of_input_and_output():
    """Input, output and context are each of their own class."""
    graph = ours(
        NEW["Total"], input_schema=NEW["Item"], output_schema=OLD["Marked"], context_schema=NEW["MarkedNotTotal"]
    )
    assert graph.get_input_jsonschema()["title"] == "Item"
    assert graph.get_output_jsonschema()["required"] == ["a"]
    assert graph.get_context_jsonschema()["required"] == ["a", "c"]


def test_no_context():
    """A graph that takes no context has no schema of one."""
    assert ours(NEW["Total"]).get_context_jsonschema() is None


def test_config_is_accepted():
    """A config may be given, as to any Runnable."""
    graph = ours(NEW["Marked"])
    assert graph.get_input_jsonschema({"tags": ["t"]}) == graph.get_input_jsonschema()
    assert graph.get_output_jsonschema(config={}) == graph.get_output_jsonschema()
