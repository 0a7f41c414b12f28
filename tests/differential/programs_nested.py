"""Programs about graphs inside graphs."""

import operator
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from typing_extensions import TypedDict

from differential.harness import SPOKEN, Case, Lib, program
from differential.programs_flow import Log, graph, later, put

BOTH = (False, True)


class Other(TypedDict, total=False):
    """A nested state that shares nothing with `Log`."""

    z: Annotated[list, operator.add]


def writing(lib: Lib, name: str, key: str = "x") -> Any:
    """A node that writes to `custom` and appends its name."""

    def node(state: Any) -> dict:
        lib.get_stream_writer()(f"in {name}")
        return {key: [name]}

    node.__name__ = name
    return node


def line(lib: Lib, *nodes: Any, schema: Any = Log) -> Any:
    """A compiled graph of these nodes, one after the other."""
    names = [node[0] if isinstance(node, tuple) else node.__name__ for node in nodes]
    return graph(lib, list(nodes), [(lib.START, names[0]), *zip(names, names[1:])], schema).compile()


@program(modes=SPOKEN, subgraphs=BOTH, versions=("v1", "v2"))
def graph_as_node(lib: Lib) -> Case:
    inner = line(lib, writing(lib, "i1"), writing(lib, "i2"))
    return Case(line(lib, writing(lib, "a"), ("sub", inner), writing(lib, "b")), {"x": ["in"]})


@program(subgraphs=BOTH)
def graph_as_only_node(lib: Lib) -> Case:
    return Case(line(lib, ("sub", line(lib, put("i1")))), {"x": []})


@program(modes=SPOKEN, subgraphs=BOTH)
def graph_called_in_a_node(lib: Lib) -> Case:
    inner = line(lib, writing(lib, "i1", "z"), writing(lib, "i2", "z"), schema=Other)

    def call(state: Any, config: RunnableConfig) -> dict:
        return {"x": inner.invoke({"z": ["from outside"]}, config)["z"]}

    return Case(line(lib, put("a"), ("call", call), put("b")), {"x": []})


@program(modes=SPOKEN, subgraphs=BOTH, async_nodes=True)
def graph_called_in_an_async_node(lib: Lib) -> Case:
    inner = line(lib, writing(lib, "i1", "z"), schema=Other)

    async def call(state: Any) -> dict:
        return {"x": (await inner.ainvoke({"z": ["from outside"]}))["z"]}

    def sync_call(state: Any) -> dict:
        return {"x": inner.invoke({"z": ["from outside"]})["z"]}

    return Case(line(lib, ("call", lib.pick(call, sync_call))), {"x": []})


@program(modes=SPOKEN, subgraphs=BOTH)
def graph_called_twice_in_one_node(lib: Lib) -> Case:
    first = line(lib, writing(lib, "i1", "z"), schema=Other)
    second = line(lib, writing(lib, "j1", "z"), schema=Other)

    def call(state: Any) -> dict:
        found = [g.invoke({"z": [str(n)]})["z"] for n, g in enumerate([first, second, first])]
        return {"x": found}

    return Case(line(lib, ("call", call)), {"x": []})


@program(modes=SPOKEN, subgraphs=BOTH)
def graph_called_in_two_steps_counts_anew(lib: Lib) -> Case:
    inner = line(lib, writing(lib, "i1", "z"), schema=Other)

    def call(state: Any) -> dict:
        return {"x": inner.invoke({"z": []})["z"]}

    return Case(line(lib, ("c1", call), ("c2", call)), {"x": []})


@program(modes=SPOKEN, subgraphs=BOTH)
def three_levels(lib: Lib) -> Case:
    deepest = line(lib, writing(lib, "deep"))
    middle = line(lib, writing(lib, "m1"), ("deepest", deepest))
    return Case(line(lib, ("middle", middle), put("last")), {"x": []})


@program(modes=SPOKEN, subgraphs=BOTH)
def three_levels_by_calls(lib: Lib) -> Case:
    deepest = line(lib, writing(lib, "deep", "z"), schema=Other)

    def down(state: Any) -> dict:
        return {"z": deepest.invoke({"z": []})["z"]}

    middle = line(lib, ("down", down), schema=Other)

    def call(state: Any) -> dict:
        return {"x": middle.invoke({"z": []})["z"]}

    return Case(line(lib, ("call", call)), {"x": []})


@program(subgraphs=BOTH)
def nested_graph_in_a_nested_step_counter(lib: Lib) -> Case:
    def step(state: Any, config: RunnableConfig) -> dict:
        meta = config["metadata"]
        return {"x": [(meta["langgraph_step"], meta["langgraph_node"], meta["langgraph_path"])]}

    return Case(line(lib, ("a", step), ("sub", line(lib, ("i1", step), ("i2", step))), ("b", step)), {"x": []})


@program(subgraphs=BOTH)
def nested_graph_shares_one_key_only(lib: Lib) -> Case:
    class Own(TypedDict, total=False):
        x: Annotated[list, operator.add]
        own: str

    def i1(state: Any) -> dict:
        return {"x": [sorted(state)], "own": "mine"}

    return Case(line(lib, ("sub", line(lib, i1, put("i2"), schema=Own))), {"x": ["in"], "y": 3})


@program(subgraphs=BOTH)
def nested_graph_sharing_a_plain_key(lib: Lib) -> Case:
    inner = line(lib, ("i1", lambda state: {"y": state["y"] + 1}))
    return Case(line(lib, ("sub", inner), ("b", lambda state: {"y": state["y"] * 10})), {"y": 1})


@program(subgraphs=BOTH)
def nested_graph_with_output_schema(lib: Lib) -> Case:
    builder = lib.StateGraph(Log, output_schema=TypedDict("Narrow", {"y": int}))
    builder.add_node("i1", put("i1", y=5))
    builder.add_edge(lib.START, "i1")
    return Case(line(lib, ("sub", builder.compile())), {"x": ["in"]})


@program(subgraphs=BOTH, modes=("values", "updates", "custom", ("updates", "custom")))
def nested_graph_fails(lib: Lib) -> Case:
    def bad(state: Any) -> dict:
        lib.get_stream_writer()("before")
        raise ValueError("deep boom")

    return Case(line(lib, put("a"), ("sub", line(lib, put("i1"), bad))), {"x": []})


@program(subgraphs=BOTH)
def nested_graph_failure_is_caught(lib: Lib) -> Case:
    def bad(state: Any) -> dict:
        raise ValueError("deep boom")

    inner = line(lib, put("i1"), bad)

    def call(state: Any) -> dict:
        try:
            inner.invoke({"x": []})
        except ValueError as error:
            return {"x": [str(error)]}
        return {"x": ["no error"]}

    return Case(line(lib, ("call", call), put("b")), {"x": []})


@program(modes=SPOKEN, subgraphs=BOTH, ordered=False)
def parallel_nested_graphs(lib: Lib) -> Case:
    nodes = [(name, line(lib, writing(lib, f"{name}1"), writing(lib, f"{name}2"))) for name in ("q", "p")]
    return Case(graph(lib, nodes, [(lib.START, "q"), (lib.START, "p")]).compile(), {"x": []})


@program(modes=SPOKEN, subgraphs=BOTH, ordered=False)
def send_to_a_nested_graph(lib: Lib) -> Case:
    builder = graph(lib, [put("r"), ("sub", line(lib, writing(lib, "i1")))], [(lib.START, "r")])
    builder.add_conditional_edges("r", lambda state: [lib.Send("sub", {"x": [n]}) for n in (1, 2)], ["sub"])
    return Case(builder.compile(), {"x": []})


@program(subgraphs=BOTH, ordered=False)
def nested_parallel_nodes(lib: Lib) -> Case:
    inner = graph(lib, [put("q"), put("p"), put("j")], [(lib.START, "q"), (lib.START, "p"), (["p", "q"], "j")])
    return Case(line(lib, ("sub", inner.compile())), {"x": []})


@program(subgraphs=BOTH, modes=("values", "updates", "custom", ("values", "updates", "custom")), ordered=False)
def inner_stream_is_forwarded_by_hand(lib: Lib) -> Case:
    inner = line(lib, writing(lib, "i1", "z"), writing(lib, "i2", "z"), schema=Other)

    def call(state: Any) -> dict:
        write = lib.get_stream_writer()
        for chunk in inner.stream({"z": []}, stream_mode="updates", subgraphs=False):
            write(chunk)
        return {"x": ["done"]}

    return Case(line(lib, ("call", call)), {"x": []})


@program(subgraphs=BOTH, modes=("custom", "updates"))
def inner_custom_stream_is_taken_by_its_consumer(lib: Lib) -> Case:
    inner = line(lib, writing(lib, "i1", "z"), schema=Other)

    def call(state: Any) -> dict:
        found = list(inner.stream({"z": []}, stream_mode="custom", subgraphs=False))
        return {"x": found}

    return Case(line(lib, ("call", call)), {"x": []})


@program(subgraphs=BOTH)
def nested_graph_with_recursion_limit_of_its_own(lib: Lib) -> Case:
    inner = line(lib, put("i1"), put("i2"), put("i3"))

    def call(state: Any, config: RunnableConfig) -> dict:
        return inner.invoke({"x": []}, {"recursion_limit": 2})

    return Case(line(lib, ("call", call)), {"x": []})


@program(subgraphs=BOTH)
def nested_graph_inherits_the_recursion_limit(lib: Lib) -> Case:
    inner = line(lib, put("i1"), put("i2"), put("i3"), put("i4"), put("i5"))
    return Case(line(lib, ("sub", inner)), {"x": []}, {"recursion_limit": 4})


@program(subgraphs=BOTH, modes=(*SPOKEN, None))
def nested_conditional_edge_writes(lib: Lib) -> Case:
    def route(state: Any) -> str:
        lib.get_stream_writer()("routing inside")
        return "i2"

    builder = graph(lib, [writing(lib, "i1"), writing(lib, "i2")], [(lib.START, "i1")])
    builder.add_conditional_edges("i1", route, ["i2"])
    return Case(line(lib, ("sub", builder.compile())), {"x": []})


@program(subgraphs=BOTH, ordered=False)
def nested_graph_between_ordered_siblings(lib: Lib) -> Case:
    inner = line(lib, later(lib, "i1", 1))
    nodes = [later(lib, "first", 0), ("sub", inner)]
    return Case(graph(lib, nodes, [(lib.START, "first"), (lib.START, "sub")]).compile(), {"x": []})
