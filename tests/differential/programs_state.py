"""Programs about state schemas, reducers, what nodes may return, and errors."""

import operator
from dataclasses import dataclass, field
from typing import Annotated, Any, Optional

from pydantic import BaseModel
from typing_extensions import NotRequired, TypedDict

from differential.harness import Case, Lib, program
from differential.programs_flow import Log, put


class Total(TypedDict):
    """All keys required, for type checkers."""

    x: Annotated[list, operator.add]
    y: int
    z: NotRequired[str]


@dataclass
class Data:
    """A dataclass state with defaults."""

    y: int = 7
    x: Annotated[list, operator.add] = field(default_factory=list)


class Closed(TypedDict, total=False, closed=True):  # type: ignore[call-arg]
    """A TypedDict that says that there are no other keys (PEP 728)."""

    x: Annotated[list, operator.add]


class Model(BaseModel):
    """A pydantic state with defaults."""

    y: int = 7
    x: Annotated[list, operator.add] = []


def keep_longest(left: str, right: str) -> str:
    """The longer of two texts."""
    return right if len(right) > len(left) else left


def merge(left: Optional[dict], right: Optional[dict]) -> dict:
    """Both mappings."""
    return {**(left or {}), **(right or {})}


class Reduced(TypedDict, total=False):
    """One key per kind of reducer."""

    total: Annotated[int, operator.add]
    names: Annotated[set, operator.or_]
    text: Annotated[str, keep_longest]
    table: Annotated[dict, merge]
    maybe: Annotated[Optional[dict], merge]
    plain: Any


class In(TypedDict):
    """What goes in."""

    question: str


class Out(TypedDict):
    """What comes out."""

    answer: str


class Both(In, Out):
    """Everything, and a note nobody outside sees."""

    note: str


class Secret(TypedDict):
    """A private key between two nodes."""

    hidden: str


def returning(value: Any) -> Any:
    """A node that returns this value."""

    def a(state: Any) -> Any:
        return value

    return a


def one(lib: Lib, action: Any, schema: Any = Log, **more: Any) -> Any:
    """A graph of one node named `a`, then `b`."""
    builder = lib.StateGraph(schema, **more)
    builder.add_node("a", action)
    builder.add_edge(lib.START, "a")
    return builder


@program(versions=("v1", "v2"))
def total_typed_dict(lib: Lib) -> Case:
    return Case(one(lib, returning({"x": ["a"], "z": "new"}), Total).compile(), {"x": ["in"], "y": 1})


@program()
def input_with_unknown_keys(lib: Lib) -> Case:
    return Case(one(lib, put("a")).compile(), {"x": ["in"], "nope": 1})


@program()
def empty_input(lib: Lib) -> Case:
    return Case(one(lib, put("a")).compile(), {})


@program(modes=("values",))
def no_input(lib: Lib) -> Case:
    return Case(one(lib, put("a")).compile(), None)


@program(modes=("values",))
def input_of_a_wrong_type(lib: Lib) -> Case:
    return Case(one(lib, put("a")).compile(), [1])


def show_data(state: Data) -> Any:
    """A node that tells what it was given."""
    return {"x": [type(state).__name__, state.y]}


def show_model(state: Model) -> Any:
    """A node that tells what it was given."""
    return {"x": [type(state).__name__, state.y]}


@program()
def dataclass_state_from_dict(lib: Lib) -> Case:
    return Case(one(lib, show_data, Data).compile(), {"x": ["in"]})


@program()
def dataclass_state_from_object(lib: Lib) -> Case:
    return Case(one(lib, show_data, Data).compile(), Data(y=2, x=["in"]))


@program()
def dataclass_returned(lib: Lib) -> Case:
    return Case(one(lib, returning(Data(y=3, x=["a"])), Data).compile(), {"x": ["in"], "y": 1})


@program()
def pydantic_state_from_dict(lib: Lib) -> Case:
    return Case(one(lib, show_model, Model).compile(), {"x": ["in"]})


@program()
def pydantic_state_from_object(lib: Lib) -> Case:
    return Case(one(lib, show_model, Model).compile(), Model(y=2, x=["in"]))


@program()
def pydantic_returned_with_all_fields_set(lib: Lib) -> Case:
    return Case(one(lib, returning(Model(y=3, x=["a"])), Model).compile(), {"x": ["in"], "y": 1})


@program(modes=("values", "updates", ("values", "updates")))
def pydantic_state_is_validated_for_the_node(lib: Lib) -> Case:
    def a(state: Model) -> Any:
        return {"x": [state.y]}

    return Case(one(lib, a, Model).compile(), {"y": "12"})


@program(modes=("updates",))
def pydantic_state_that_does_not_validate(lib: Lib) -> Case:
    def a(state: Model) -> Any:
        return {"x": [state.y]}

    return Case(one(lib, a, Model).compile(), {"y": "twelve"})


@program(modes=("values",), call="invoke")
def invoke_with_pydantic_state(lib: Lib) -> Case:
    return Case(one(lib, show_model, Model).compile(), Model(y=2))


@program(modes=("values",), call="invoke")
def invoke_with_dataclass_state(lib: Lib) -> Case:
    return Case(one(lib, show_data, Data).compile(), {"y": 4})


@program()
def root_state(lib: Lib) -> Case:
    builder = one(lib, lambda state: state + 1, Annotated[int, operator.add])
    builder.add_node("b", lambda state: 100)
    builder.add_edge("a", "b")
    return Case(builder.compile(), 5)


@program()
def root_state_without_reducer(lib: Lib) -> Case:
    return Case(one(lib, lambda state: state + "!", str).compile(), "hey")


@program(modes=("values",), call="invoke")
def invoke_with_root_state(lib: Lib) -> Case:
    return Case(one(lib, lambda state: state + 1, Annotated[int, operator.add]).compile(), 5)


@program(versions=("v1", "v2"))
def input_and_output_schema(lib: Lib) -> Case:
    def a(state: In) -> Any:
        return {"note": "heard " + state["question"]}

    def b(state: Both) -> Out:
        return {"answer": state["note"] + "!"}

    builder = one(lib, a, Both, input_schema=In, output_schema=Out)
    builder.add_node(b)
    builder.add_edge("a", "b")
    return Case(builder.compile(), {"question": "why?", "note": "dropped?"})


@program(modes=("values", None, ("values",), ("values", "updates"), "updates"), call="invoke")
def invoke_with_output_schema(lib: Lib) -> Case:
    def a(state: In) -> Any:
        return {"note": "heard " + state["question"], "answer": "because"}

    return Case(one(lib, a, Both, input_schema=In, output_schema=Out).compile(), {"question": "why?"})


@program()
def private_key_by_annotation_of_the_node(lib: Lib) -> Case:
    def a(state: Log) -> Secret:
        return {"hidden": "psst"}

    def b(state: Secret) -> Any:
        return {"x": [dict(state)]}

    builder = one(lib, a)
    builder.add_node(b)
    builder.add_edge("a", "b")
    return Case(builder.compile(), {"x": ["in"]})


@program(modes=("values",), call="invoke")
def invoke_hides_private_key(lib: Lib) -> Case:
    def a(state: Log) -> Any:
        return {"hidden": "psst", "x": ["a"]}

    def b(state: Secret) -> Any:
        return {"x": [dict(state)]}

    builder = one(lib, a)
    builder.add_node(b)
    builder.add_edge("a", "b")
    return Case(builder.compile(), {"x": ["in"]})


@program()
def node_input_schema_narrows_the_input(lib: Lib) -> Case:
    builder = lib.StateGraph(Both)
    builder.add_node("a", lambda state: {"note": repr(sorted(state))}, input_schema=In)
    builder.add_edge(lib.START, "a")
    return Case(builder.compile(), {"question": "why?", "answer": "old"})


@program()
def reducers_and_their_initial_values(lib: Lib) -> Case:
    update = {"total": 2, "names": {"n"}, "text": "longer", "table": {"a": 1}, "maybe": {"m": 1}, "plain": (1, 2)}
    builder = one(lib, returning(update), Reduced)
    builder.add_node("b", returning({"total": 3, "text": "no", "table": {"b": 2}, "maybe": {"m": 2, "o": 3}}))
    builder.add_edge("a", "b")
    return Case(builder.compile(), {"plain": "p"})
