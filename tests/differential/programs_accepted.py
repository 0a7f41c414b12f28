"""Programs that both libraries accept and that are easily read in two ways: names, annotations, inputs, returns."""

import dataclasses
import enum
import functools
import operator
from typing import Annotated, Any, List, Optional

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda, RunnablePassthrough
from pydantic import BaseModel, Field, field_validator
from typing_extensions import NotRequired, Required, TypedDict

from differential.harness import QUIET, Case, Lib, program
from differential.programs_flow import Log, graph, put
from differential.programs_nested import BOTH, line
from differential.programs_policies import since_1_2

# Names of nodes and targets.


class Names(str, enum.Enum):
    """Names of nodes."""

    A = "a"
    B = "b"


@program()
def names_in_an_enum(lib: Lib) -> Case:
    builder = lib.StateGraph(Log)
    builder.add_node(Names.A, put("a"))
    builder.add_node(Names.B, put("b"))
    builder.add_edge(lib.START, Names.A)
    builder.add_conditional_edges(Names.A, lambda state: Names.B)
    return Case(builder.compile(), {"x": []})


@program()
def names_of_runnables_in_a_sequence(lib: Lib) -> Case:
    builder = lib.StateGraph(Log)
    builder.add_sequence([put("a"), RunnableLambda(lambda state: {"x": ["b"]}, name="by another name")])
    builder.add_edge(lib.START, "a")
    return Case(builder.compile(), {"x": []})


@program(ordered=False)
def targets_that_are_no_strings(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("b"), put("c")], [(lib.START, "a")])
    builder.add_conditional_edges("a", lambda state: [True, 2], {True: "b", 2: "c", False: lib.END})
    return Case(builder.compile(), {"x": []})


@program()
def one_target_by_several_ways(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("b")], [(lib.START, "a"), ("a", "b"), ("a", "b")])
    builder.add_conditional_edges("a", lambda state: ("b", "b", lib.END))
    return Case(builder.compile(), {"x": []})


# Annotations.


@since_1_2()
def reducers_inside_other_marks(lib: Lib) -> Case:
    class State(TypedDict):
        documented: Annotated[Annotated[list, operator.add], "text"]
        by_required: Annotated[Required[list], operator.add]
        in_required: Required[Annotated[int, operator.add]]
        not_required: NotRequired[Annotated[list, operator.add]]
        optional: Optional[Annotated[list, operator.add]]

    def a(state: Any) -> dict:
        return {"documented": [1], "by_required": [1], "in_required": 1, "not_required": [1], "optional": [1]}

    return Case(line(lib, a, schema=State), {"documented": [0], "in_required": 4})


@program()
def reducers_that_are_no_functions(lib: Lib) -> Case:
    class Adds:
        def __call__(self, left: int, right: int) -> int:
            return left + right

        def method(self, left: int, right: int) -> int:
            return left + 10 * right

    def scaled(left: int, right: int, *, by: int = 1) -> int:
        return left + right * by

    class State(TypedDict):
        called: Annotated[int, Adds()]
        method: Annotated[int, Adds().method]
        partial: Annotated[int, functools.partial(scaled, by=3)]

    return Case(line(lib, ("a", lambda state: dict.fromkeys(State.__annotations__, 1)), schema=State), {"called": 5})


@program()
def first_values_by_type(lib: Lib) -> Case:
    class State(TypedDict):
        a: Annotated[int, operator.add]
        b: Annotated[str, operator.add]
        c: Annotated[dict, operator.or_]
        d: Annotated[bool, operator.or_]
        e: Annotated[tuple, operator.add]
        f: Annotated[Any, lambda left, right: right]
        g: Annotated[List[int], operator.add]

    def n(state: Any) -> dict:
        return {"a": 1, "b": "x", "c": {1: 1}, "d": True, "e": (1,), "f": 4, "g": [1]}

    return Case(line(lib, n, schema=State), {})


@since_1_2()
def class_with_annotations_only(lib: Lib) -> Case:
    class State:
        x: Annotated[list, operator.add]
        y: int

    return Case(line(lib, ("a", lambda state: {"x": [type(state).__name__], "y": 2}), schema=State), {"x": []})


@program()
def node_that_names_a_model(lib: Lib) -> Case:
    class Asked(BaseModel):
        x: list
        y: int = 5

    def a(state: Asked) -> dict:
        return {"x": [type(state).__name__, state.y]}

    return Case(line(lib, a), {"x": ["1"]})


# Inputs.


@program()
def model_as_input_with_an_unset_none(lib: Lib) -> Case:
    def joined(left: Optional[list], right: list) -> list:
        return (left or []) + right

    class State(BaseModel):
        x: Annotated[Optional[list], joined] = None
        y: int = 3
        z: Optional[str] = None

    return Case(line(lib, ("a", lambda state: {"x": [state.z]}), schema=State), State(y=4))


@program()
def model_that_converts_what_nodes_see(lib: Lib) -> Case:
    class State(BaseModel):
        n: int = Field(0, alias="number")
        m: int = 0

        @field_validator("m")
        @classmethod
        def twice(cls, value: int) -> int:
            return value * 2

        model_config = {"populate_by_name": True}

    def a(state: Any) -> dict:
        return {"n": str(state.n + 1), "m": state.m + 1}

    def b(state: Any) -> dict:
        return {"n": [type(state.n).__name__, state.m]}

    return Case(line(lib, a, b, schema=State), {"n": "41", "m": 1})


@program(modes=("values", "updates"), ordered=False)
def send_as_input(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), ("b", lambda state: {"x": [state]})], [(lib.START, "a")])
    return Case(builder.compile(), lib.Send("b", 3))


@program(modes=("values", "updates"), ordered=False)
def command_as_input(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("b"), ("c", lambda state: {"x": [state]})], [(lib.START, "a")])
    return Case(builder.compile(), lib.Command(goto=["b", lib.Send("c", 3), lib.Send("c", 4)]))


@program(ordered=False)
def sends_of_anything(lib: Lib) -> Case:
    def seen(state: Any) -> dict:
        return {"x": [type(state).__name__]}

    builder = graph(lib, [("b", seen)], [])
    builder.add_conditional_edges(
        lib.START, lambda state: [lib.Send("b", given) for given in (None, 0, "", [], {}, (1, 2), {"other": 1})], ["b"]
    )
    return Case(builder.compile(), {"x": []})


@program(ordered=False)
def sends_to_a_node_that_names_a_model(lib: Lib) -> Case:
    class State(BaseModel):
        x: Annotated[list, operator.add] = []
        y: int = 7

    def b(state: State) -> dict:
        return {"x": [type(state).__name__, getattr(state, "y", state)]}

    builder = graph(lib, [b], [], State)
    given = ({"y": 1}, State(y=2), {"y": "3"})
    builder.add_conditional_edges(lib.START, lambda state: [lib.Send("b", item) for item in given], ["b"])
    return Case(builder.compile(), {"x": []})


@program(ordered=False)
def sends_to_a_node_that_names_a_dataclass(lib: Lib) -> Case:
    @dataclasses.dataclass
    class State:
        x: Annotated[list, operator.add]
        y: int = 7

    def b(state: State) -> dict:
        return {"x": [type(state).__name__, state["y"] if isinstance(state, dict) else state.y]}

    builder = graph(lib, [b], [], State)
    given = ({"x": [], "y": 1}, State(x=[], y=2), {"y": "3"})
    builder.add_conditional_edges(lib.START, lambda state: [lib.Send("b", item) for item in given], ["b"])
    return Case(builder.compile(), {"x": []})


# What nodes return.


@program()
def node_that_returns_a_runnable(lib: Lib) -> Case:
    def a(state: Any) -> Any:
        return RunnablePassthrough() | (lambda state: RunnableLambda(lambda state: {"x": [len(state["x"])]}))

    return Case(line(lib, a), {"x": ["in"]})


@program(subgraphs=BOTH)
def node_that_returns_a_graph(lib: Lib) -> Case:
    inner = line(lib, put("i"))
    return Case(line(lib, ("a", lambda state: inner)), {"x": ["in"]})


@program()
def branch_that_returns_a_runnable(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("b")], [(lib.START, "a")])
    builder.add_conditional_edges("a", lambda state: RunnableLambda(lambda state: "b"), ["b"])
    return Case(builder.compile(), {"x": []})


@program(modes=("values", "updates"))
def no_messages_at_all(lib: Lib) -> Case:
    return Case(line(lib, ("a", lambda state: {"messages": []}), schema=lib.MessagesState), {"messages": []})


@program(modes=("values",))
def none_as_messages(lib: Lib) -> Case:
    builder = lib.StateGraph(lib.MessagesState)
    builder.add_node("a", lambda state: {"messages": None})
    builder.add_edge(lib.START, "a")
    return Case(builder.compile(), {"messages": [AIMessage("one", id="a1")]})


@program()
def configs_of_two_levels(lib: Lib) -> Case:
    def told(state: Any, config: RunnableConfig) -> dict:
        return {"x": [config["configurable"].get("c"), config["metadata"].get("m"), config["recursion_limit"]]}

    inner = line(lib, ("i", told)).with_config({"metadata": {"m": "in"}, "configurable": {"c": "in"}})
    config = {"metadata": {"m": "out"}, "configurable": {"c": "out"}, "recursion_limit": 8}
    return Case(line(lib, ("sub", inner), ("told", told)), {"x": []}, config)


@program(modes=QUIET)
def keys_shown_by_name(lib: Lib) -> Case:
    nodes = [("a", lambda state: {"x": [1], "y": 2}), ("b", lambda state: {"y": 3}), ("c", lambda state: {"x": [4]})]
    return Case(line(lib, *nodes), {"x": [1]}, kwargs={"output_keys": "y"})
