"""Programs about the way through a graph: edges, branches, joins, cycles, parallel steps, Send and Command."""

import operator
from typing import Annotated, Any, Literal

from typing_extensions import TypedDict

from differential.harness import Case, Lib, program


class Log(TypedDict, total=False):
    """A list that grows and a plain value."""

    x: Annotated[list, operator.add]
    y: int


def put(name: str, **more: Any) -> Any:
    """A node that appends its name."""

    def node(state: Any) -> dict:
        return {"x": [name], **more}

    node.__name__ = name
    return node


def later(lib: Lib, name: str, results: int, **more: Any) -> Any:
    """A node that finishes only after so many results have been delivered."""

    def node(state: Any) -> dict:
        lib.after(results)
        return {"x": [name], **more}

    node.__name__ = name
    return node


def graph(lib: Lib, nodes: "list[Any]", edges: "list[tuple[Any, Any]]", schema: Any = Log) -> Any:
    """A builder with these nodes and edges."""
    builder = lib.StateGraph(schema)
    for node in nodes:
        builder.add_node(*node) if isinstance(node, tuple) else builder.add_node(node)
    for source, target in edges:
        builder.add_edge(source, target)
    return builder


@program(modes=("values", "updates", "custom", "messages", "tasks", "debug", None, ("values",), ("updates", "debug")))
def linear(lib: Lib) -> Case:
    edges = [(lib.START, "a"), ("a", "b"), ("b", "c"), ("c", lib.END)]
    return Case(graph(lib, [put("a"), put("b", y=1), put("c")], edges).compile(), {"x": ["in"]})


@program(versions=("v1", "v2"))
def dead_end_without_end_edge(lib: Lib) -> Case:
    return Case(graph(lib, [put("a"), put("b")], [(lib.START, "a"), ("a", "b")]).compile(), {"x": []})


@program()
def several_edges_from_start(lib: Lib) -> Case:
    nodes = [later(lib, "b", 0), later(lib, "a", 1)]
    return Case(graph(lib, nodes, [(lib.START, "b"), (lib.START, "a")]).compile(), {"x": []})


@program()
def fan_out_and_in_by_single_edges_of_equal_length(lib: Lib) -> Case:
    nodes = [put("s"), later(lib, "zebra", 1), later(lib, "apple", 3), later(lib, "mango", 2), put("join")]
    middle = ["zebra", "apple", "mango"]
    edges = [(lib.START, "s"), *[("s", name) for name in middle], *[(name, "join") for name in middle]]
    return Case(graph(lib, nodes, edges).compile(), {"x": []})


@program()
def single_edges_of_unequal_length_run_target_twice(lib: Lib) -> Case:
    nodes = [later(lib, "short", 0), later(lib, "long1", 1), later(lib, "long2", 3), put("end")]
    edges = [(lib.START, "short"), (lib.START, "long1"), ("long1", "long2"), ("short", "end"), ("long2", "end")]
    return Case(graph(lib, nodes, edges).compile(), {"x": []})


@program()
def join_of_unequal_branches_runs_once(lib: Lib) -> Case:
    nodes = [later(lib, "short", 0), later(lib, "long1", 1), put("long2"), put("end")]
    edges = [(lib.START, "short"), (lib.START, "long1"), ("long1", "long2"), (["short", "long2"], "end")]
    return Case(graph(lib, nodes, edges).compile(), {"x": []})


@program()
def join_waits_for_branch_that_never_runs(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("b"), put("end")], [(["a", "b"], "end")])
    builder.add_conditional_edges(lib.START, lambda state: "a", ["a", "b"])
    return Case(builder.compile(), {"x": []})


@program()
def join_twice_in_a_cycle(lib: Lib) -> Case:
    def again(state: Any) -> Any:
        return "s" if len(state["x"]) < 8 else lib.END

    def slow_b(state: Any) -> dict:
        lib.after(2 if len(state["x"]) < 4 else 6)
        return {"x": ["b"]}

    def slow_a(state: Any) -> dict:
        lib.after(1 if len(state["x"]) < 4 else 5)
        return {"x": ["a"]}

    nodes = [put("s"), ("a", slow_a), ("b", slow_b), put("j")]
    builder = graph(lib, nodes, [(lib.START, "s"), ("s", "a"), ("s", "b"), (["a", "b"], "j")])
    builder.add_conditional_edges("j", again)
    return Case(builder.compile(), {"x": []})


@program()
def cycle_with_counter(lib: Lib) -> Case:
    def tick(state: Any) -> dict:
        return {"y": state.get("y", 0) + 1}

    builder = graph(lib, [tick, put("done")], [(lib.START, "tick")])
    builder.add_conditional_edges("tick", lambda state: "tick" if state["y"] < 3 else "done")
    return Case(builder.compile(), {"x": [], "y": 0})


@program()
def recursion_limit_is_an_error(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("b")], [(lib.START, "a"), ("a", "b"), ("b", "a")])
    return Case(builder.compile(), {"x": []}, {"recursion_limit": 3})


@program(modes=("values",))
def recursion_limit_below_one(lib: Lib) -> Case:
    return Case(graph(lib, [put("a")], [(lib.START, "a")]).compile(), {"x": []}, {"recursion_limit": 0})


@program()
def recursion_limit_with_room(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("b")], [(lib.START, "a"), ("a", "b")])
    return Case(builder.compile(), {"x": []}, {"recursion_limit": 3})


@program(modes=("values", "updates"), differs=("recursion-limit",))
def recursion_limit_exactly_met(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("b")], [(lib.START, "a"), ("a", "b")])
    return Case(builder.compile(), {"x": []}, {"recursion_limit": 2})


@program()
def conditional_edge_to_string(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("b"), put("c")], [(lib.START, "a")])
    builder.add_conditional_edges("a", lambda state: "c")
    return Case(builder.compile(), {"x": []})


@program()
def conditional_edge_to_end(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("b")], [(lib.START, "a")])
    builder.add_conditional_edges("a", lambda state: lib.END, ["b", lib.END])
    return Case(builder.compile(), {"x": []})


@program()
def conditional_edge_to_list(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), later(lib, "c", 1), later(lib, "b", 2)], [(lib.START, "a")])
    builder.add_conditional_edges("a", lambda state: ["c", "b"])
    return Case(builder.compile(), {"x": []})


@program()
def conditional_edge_with_dict_path_map(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("b"), put("c")], [(lib.START, "a")])
    builder.add_conditional_edges("a", lambda state: len(state["x"]) > 1, {True: "b", False: "c"})
    return Case(builder.compile(), {"x": ["one"]})


@program()
def conditional_edge_with_list_of_mapped_names(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), later(lib, "b", 1), later(lib, "c", 2)], [(lib.START, "a")])
    builder.add_conditional_edges("a", lambda state: ["two", "one"], {"one": "b", "two": "c"})
    return Case(builder.compile(), {"x": []})


@program()
def conditional_edge_with_literal_return(lib: Lib) -> Case:
    def route(state: Log) -> Literal["b", "c"]:
        return "b"

    builder = graph(lib, [put("a"), put("b"), put("c")], [(lib.START, "a")])
    builder.add_conditional_edges("a", route)
    return Case(builder.compile(), {"x": []})


@program(async_nodes=True)
def conditional_edge_by_async_function(lib: Lib) -> Case:
    async def route(state: Log) -> str:
        return "b"

    def sync_route(state: Log) -> str:
        return "b"

    builder = graph(lib, [put("a"), put("b"), put("c")], [(lib.START, "a")])
    builder.add_conditional_edges("a", lib.pick(route, sync_route), ["b", "c"])
    return Case(builder.compile(), {"x": []})


@program()
def conditional_edge_from_start(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("b")], [])
    builder.add_conditional_edges(lib.START, lambda state: "b" if state["y"] else "a", ["a", "b"])
    return Case(builder.compile(), {"y": 1})


@program()
def conditional_edge_sees_the_fresh_write(lib: Lib) -> Case:
    seen: list = []

    def route(state: Any) -> str:
        seen.append(sorted(state.items()))
        return "b"

    def show(state: Any) -> dict:
        return {"x": [list(seen)]}

    nodes = [later(lib, "a", 0, y=4), ("b", show), later(lib, "other", 1)]
    builder = graph(lib, nodes, [(lib.START, "a"), (lib.START, "other")])
    builder.add_conditional_edges("a", route, ["b"])
    return Case(builder.compile(), {"x": [], "y": 1})


@program()
def conditional_edge_beside_plain_edge(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), later(lib, "b", 1), later(lib, "c", 2)], [(lib.START, "a"), ("a", "c")])
    builder.add_conditional_edges("a", lambda state: "b", ["b"])
    return Case(builder.compile(), {"x": []})


@program()
def two_conditional_edges_from_one_node(lib: Lib) -> Case:
    def first(state: Any) -> str:
        return "b"

    def second(state: Any) -> str:
        return "c"

    builder = graph(lib, [put("a"), later(lib, "b", 1), later(lib, "c", 2)], [(lib.START, "a")])
    builder.add_conditional_edges("a", first)
    builder.add_conditional_edges("a", second)
    return Case(builder.compile(), {"x": []})


@program()
def two_sources_choose_the_same_target_once(lib: Lib) -> Case:
    nodes = [later(lib, "a", 0), later(lib, "b", 1), put("t")]
    builder = graph(lib, nodes, [(lib.START, "a"), (lib.START, "b")])
    builder.add_conditional_edges("a", lambda state: "t", ["t"])
    builder.add_conditional_edges("b", lambda state: "t", ["t"])
    return Case(builder.compile(), {"x": []})


@program()
def path_that_raises(lib: Lib) -> Case:
    def route(state: Any) -> str:
        raise LookupError("no way")

    builder = graph(lib, [put("a"), put("b")], [(lib.START, "a")])
    builder.add_conditional_edges("a", route, ["b"])
    return Case(builder.compile(), {"x": []})


@program()
def reducers_fold_by_node_name(lib: Lib) -> Case:
    nodes = [later(lib, "mid", 0), later(lib, "zslow", 2), later(lib, "fast", 1), put("last")]
    names = ["mid", "zslow", "fast"]
    builder = graph(lib, nodes, [*[(lib.START, name) for name in names], (names, "last")])
    return Case(builder.compile(), {"x": ["i"]})


@program()
def parallel_writes_to_a_plain_key(lib: Lib) -> Case:
    nodes = [later(lib, "a", 0, y=1), later(lib, "b", 1, y=2)]
    return Case(graph(lib, nodes, [(lib.START, "a"), (lib.START, "b")]).compile(), {"x": []})


@program()
def parallel_writes_of_equal_values_to_a_plain_key(lib: Lib) -> Case:
    nodes = [later(lib, "a", 0, y=1), later(lib, "b", 1, y=1)]
    return Case(graph(lib, nodes, [(lib.START, "a"), (lib.START, "b")]).compile(), {"x": []})


@program()
def deferred_node_runs_last_and_once(lib: Lib) -> Case:
    builder = graph(lib, [later(lib, "short", 0), later(lib, "long1", 1), put("long2")], [])
    builder.add_node("end", put("end"), defer=True)
    for source, target in [(lib.START, "short"), (lib.START, "long1"), ("long1", "long2")]:
        builder.add_edge(source, target)
    builder.add_edge("short", "end")
    builder.add_edge("long2", "end")
    return Case(builder.compile(), {"x": []})


@program()
def deferred_node_behind_a_join(lib: Lib) -> Case:
    builder = graph(lib, [later(lib, "a", 0), later(lib, "b", 1), put("c")], [])
    builder.add_node("end", put("end"), defer=True)
    for source, target in [(lib.START, "a"), (lib.START, "b"), ("b", "c"), (["a", "c"], "end")]:
        builder.add_edge(source, target)
    return Case(builder.compile(), {"x": []})


@program()
def deferred_node_goes_on(lib: Lib) -> Case:
    builder = graph(lib, [later(lib, "a", 0), later(lib, "b", 1), put("after")], [])
    builder.add_node("late", put("late"), defer=True)
    for source, target in [(lib.START, "a"), (lib.START, "b"), ("a", "late"), ("b", "late"), ("late", "after")]:
        builder.add_edge(source, target)
    return Case(builder.compile(), {"x": []})


@program()
def two_deferred_nodes(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("b")], [(lib.START, "a"), ("a", "b")])
    builder.add_node("d2", later(lib, "d2", 3), defer=True)
    builder.add_node("d1", later(lib, "d1", 2), defer=True)
    builder.add_edge("a", "d2")
    builder.add_edge("b", "d1")
    return Case(builder.compile(), {"x": []})


@program()
def join_and_edge_complete_in_the_same_step(lib: Lib) -> Case:
    nodes = [later(lib, "a", 0), later(lib, "b", 1), put("c")]
    edges = [(lib.START, "a"), (lib.START, "b"), ("a", "c"), (["a", "b"], "c")]
    return Case(graph(lib, nodes, edges).compile(), {"x": []})


@program(modes=("updates", "values", "tasks"), ordered=False)
def join_and_edge_into_a_node_of_a_cycle(lib: Lib) -> Case:
    edges = [(lib.START, "d"), ("d", "a"), ("d", "e"), (["d", "a"], "e")]
    builder = graph(lib, [put("d"), put("a"), put("e")], edges)
    builder.add_conditional_edges("e", lambda state: "d" if len(state["x"]) < 6 else lib.END, ["d", lib.END])
    return Case(builder.compile(), {"x": ["in"]})
