"""Programs about Send and Command."""

import operator
from typing import Annotated, Any

from typing_extensions import TypedDict

from differential.harness import Case, Lib, program
from differential.programs_flow import Log, graph, later, put


def worker(lib: Lib, offset: int) -> Any:
    """A node for Send tasks that finish in the order of their numbers."""

    def w(state: Any) -> dict:
        lib.after(offset + state["n"])
        return {"x": [state["n"] * 10]}

    return w


def sends(lib: Lib, *numbers: int, target: str = "w") -> list:
    """Send tasks for these numbers."""
    return [lib.Send(target, {"n": number}) for number in numbers]


@program()
def send_fan_out_with_own_input(lib: Lib) -> Case:
    builder = graph(lib, [put("r"), worker(lib, 1), put("end")], [(lib.START, "r"), ("w", "end")])
    builder.add_conditional_edges("r", lambda state: sends(lib, 0, 1, 2), ["w"])
    return Case(builder.compile(), {"x": []})


@program()
def send_results_fold_by_index_not_completion(lib: Lib) -> Case:
    builder = graph(lib, [put("r"), worker(lib, 1)], [(lib.START, "r")])
    builder.add_conditional_edges("r", lambda state: sends(lib, 2, 0, 1), ["w"])
    return Case(builder.compile(), {"x": []})


@program()
def send_from_start(lib: Lib) -> Case:
    builder = graph(lib, [worker(lib, 0)], [])
    builder.add_conditional_edges(lib.START, lambda state: sends(lib, 0, 1), ["w"])
    return Case(builder.compile(), {"x": []})


@program()
def send_to_several_targets(lib: Lib) -> Case:
    def other(state: Any) -> dict:
        lib.after(2)
        return {"x": [state]}

    builder = graph(lib, [put("r"), worker(lib, 1), other], [(lib.START, "r")])
    builder.add_conditional_edges("r", lambda state: [lib.Send("other", "text"), *sends(lib, 0)], ["w", "other"])
    return Case(builder.compile(), {"x": []})


@program()
def single_send_from_a_path(lib: Lib) -> Case:
    builder = graph(lib, [put("r"), worker(lib, 1)], [(lib.START, "r")])
    builder.add_conditional_edges("r", lambda state: sends(lib, 0)[0], ["w"])
    return Case(builder.compile(), {"x": []})


@program()
def send_beside_name_in_one_path(lib: Lib) -> Case:
    builder = graph(lib, [put("r"), worker(lib, 1), later(lib, "b", 2)], [(lib.START, "r")])
    builder.add_conditional_edges("r", lambda state: ["b", *sends(lib, 0)], ["w", "b"])
    return Case(builder.compile(), {"x": []})


@program()
def send_beside_edge_to_the_same_node(lib: Lib) -> Case:
    def w(state: Any) -> dict:
        lib.after(1 if "n" in state else 2)
        return {"x": [state.get("n", "edge")]}

    builder = graph(lib, [put("r"), w], [(lib.START, "r"), ("r", "w")])
    builder.add_conditional_edges("r", lambda state: sends(lib, 5), ["w"])
    return Case(builder.compile(), {"x": []})


@program()
def send_tasks_fold_after_plain_nodes(lib: Lib) -> Case:
    builder = graph(lib, [put("r"), worker(lib, 1), later(lib, "z", 2)], [(lib.START, "r"), ("r", "z")])
    builder.add_conditional_edges("r", lambda state: sends(lib, 0), ["w"])
    return Case(builder.compile(), {"x": []})


@program()
def send_then_single_next_step(lib: Lib) -> Case:
    nodes = [put("r"), worker(lib, 1), put("next")]
    builder = graph(lib, nodes, [(lib.START, "r"), ("w", "next")])
    builder.add_conditional_edges("r", lambda state: sends(lib, 0, 1), ["w"])
    return Case(builder.compile(), {"x": []})


@program()
def send_again_from_a_send_task(lib: Lib) -> Case:
    def w(state: Any) -> Any:
        return lib.Command(update={"x": [state["n"]]}, goto=sends(lib, 1) if state["n"] == 0 else [])

    builder = graph(lib, [put("r"), w], [(lib.START, "r")])
    builder.add_conditional_edges("r", lambda state: sends(lib, 0), ["w"])
    return Case(builder.compile(), {"x": []})


@program()
def send_two_from_two_nodes(lib: Lib) -> Case:
    builder = graph(lib, [later(lib, "b", 0), later(lib, "a", 1), worker(lib, 2)], [])
    builder.add_edge(lib.START, "a")
    builder.add_edge(lib.START, "b")
    builder.add_conditional_edges("a", lambda state: sends(lib, 1), ["w"])
    builder.add_conditional_edges("b", lambda state: sends(lib, 0), ["w"])
    return Case(builder.compile(), {"x": []})


@program()
def send_path_returns_an_empty_list(lib: Lib) -> Case:
    builder = graph(lib, [put("r"), worker(lib, 1)], [(lib.START, "r")])
    builder.add_conditional_edges("r", lambda state: [], ["w"])
    return Case(builder.compile(), {"x": []})


@program()
def node_returns_a_send(lib: Lib) -> Case:
    def r(state: Any) -> Any:
        return lib.Send("w", {"n": 1})

    return Case(graph(lib, [r, ("w", put("w"))], [(lib.START, "r")]).compile(), {"x": []})


@program()
def command_update_only(lib: Lib) -> Case:
    def a(state: Any) -> Any:
        return lib.Command(update={"x": ["a"], "y": 3})

    return Case(graph(lib, [a, put("b")], [(lib.START, "a"), ("a", "b")]).compile(), {"x": []})


@program()
def command_goto_only(lib: Lib) -> Case:
    def a(state: Any) -> Any:
        return lib.Command(goto="b")

    return Case(graph(lib, [a, put("b")], [(lib.START, "a")]).compile(), {"x": ["in"]})


@program()
def command_update_and_goto(lib: Lib) -> Case:
    def a(state: Any) -> Any:
        return lib.Command(update={"y": 2}, goto="c")

    return Case(graph(lib, [a, put("b"), put("c")], [(lib.START, "a")]).compile(), {"x": []})


@program()
def command_goto_end(lib: Lib) -> Case:
    def a(state: Any) -> Any:
        return lib.Command(update={"y": 2}, goto=lib.END)

    return Case(graph(lib, [a, put("b")], [(lib.START, "a")]).compile(), {"x": []})


@program()
def command_goto_list_of_names_and_sends(lib: Lib) -> Case:
    def a(state: Any) -> Any:
        return lib.Command(update={"y": 2}, goto=["b", *sends(lib, 0)])

    nodes = [a, later(lib, "b", 2), worker(lib, 1)]
    return Case(graph(lib, nodes, [(lib.START, "a")]).compile(), {"x": []})


@program()
def command_goto_a_send(lib: Lib) -> Case:
    def a(state: Any) -> Any:
        return lib.Command(goto=sends(lib, 0)[0])

    return Case(graph(lib, [a, worker(lib, 1)], [(lib.START, "a")]).compile(), {"x": []})


@program()
def command_beside_an_edge_goes_both_ways(lib: Lib) -> Case:
    def a(state: Any) -> Any:
        return lib.Command(update={"x": ["a"]}, goto="c")

    nodes = [a, later(lib, "b", 2), later(lib, "c", 1)]
    return Case(graph(lib, nodes, [(lib.START, "a"), ("a", "b")]).compile(), {"x": []})


@program()
def list_of_commands_and_a_dict_writing_one_key(lib: Lib) -> Case:
    def n(state: Any) -> Any:
        return [lib.Command(update={"x": ["1"]}, goto="m"), lib.Command(update={"x": ["2"]}), {"y": 5}]

    return Case(graph(lib, [n, put("m")], [(lib.START, "n")]).compile(), {"x": []})


@program()
def list_of_commands_writing_different_keys(lib: Lib) -> Case:
    def n(state: Any) -> Any:
        return [lib.Command(update={"x": ["1"]}), lib.Command(update={"y": 2})]

    return Case(graph(lib, [n], [(lib.START, "n")]).compile(), {"x": []})


@program()
def list_of_commands_with_two_gotos(lib: Lib) -> Case:
    def n(state: Any) -> Any:
        return [lib.Command(goto="b"), lib.Command(goto="a")]

    nodes = [n, later(lib, "a", 2), later(lib, "b", 1)]
    return Case(graph(lib, nodes, [(lib.START, "n")]).compile(), {"x": []})


@program()
def command_update_as_list_of_pairs(lib: Lib) -> Case:
    def n(state: Any) -> Any:
        return lib.Command(update=[("x", ["1"]), ("x", ["2"]), ("y", 3)])

    return Case(graph(lib, [n], [(lib.START, "n")]).compile(), {"x": []})


@program()
def commands_from_parallel_nodes(lib: Lib) -> Case:
    def a(state: Any) -> Any:
        lib.after(1)
        return lib.Command(update={"x": ["a"]}, goto="t")

    def b(state: Any) -> Any:
        return lib.Command(update={"x": ["b"]}, goto="t")

    return Case(graph(lib, [a, b, put("t")], [(lib.START, "a"), (lib.START, "b")]).compile(), {"x": []})


@program()
def command_in_a_cycle(lib: Lib) -> Case:
    def tick(state: Any) -> Any:
        count = state.get("y", 0) + 1
        return lib.Command(update={"y": count}, goto="tick" if count < 3 else lib.END)

    return Case(graph(lib, [tick], [(lib.START, "tick")]).compile(), {"y": 0})


class Inner(TypedDict, total=False):
    """The state of a nested graph that shares `x`."""

    x: Annotated[list, operator.add]
    z: str


@program(subgraphs=(False, True))
def command_to_the_parent(lib: Lib) -> Case:
    def leave(state: Inner) -> Any:
        return lib.Command(graph=lib.Command.PARENT, update={"x": ["left"], "y": 9}, goto="after")

    inner = graph(lib, [("first", put("first")), leave, put("never")], [], Inner)
    for source, target in [(lib.START, "first"), ("first", "leave"), ("leave", "never")]:
        inner.add_edge(source, target)
    outer = graph(lib, [("sub", inner.compile()), put("after"), put("skipped")], [(lib.START, "sub")])
    return Case(outer.compile(), {"x": ["in"]})


@program(subgraphs=(False, True))
def command_to_the_parent_from_a_graph_called_in_a_node(lib: Lib) -> Case:
    def leave(state: Inner) -> Any:
        return lib.Command(graph=lib.Command.PARENT, update={"x": ["left"]}, goto="after")

    inner = graph(lib, [leave], [(lib.START, "leave")], Inner).compile()

    def call(state: Log) -> Any:
        return inner.invoke({"x": []})

    return Case(graph(lib, [call, put("after")], [(lib.START, "call")]).compile(), {"x": ["in"]})


@program(modes=("values", "updates"))
def command_to_the_parent_at_the_root(lib: Lib) -> Case:
    def leave(state: Log) -> Any:
        return lib.Command(graph=lib.Command.PARENT, update={"x": ["left"]}, goto="after")

    return Case(graph(lib, [leave], [(lib.START, "leave")]).compile(), {"x": ["in"]})
