"""Programs whose nodes ask questions, and programs that a `Command` starts; without saved runs."""

import operator
from typing import Annotated, Any

from typing_extensions import TypedDict

from differential.harness import Case, Lib, program
from differential.programs_flow import graph, later, put

SHAPES = ("values", "updates", "tasks", "debug", ("updates", "values"))

UNORDERED = ("updates", "tasks", "debug")
"""Modes that show the question of a task and the updates beside it in one order."""

OLD_INTERRUPTS = ("interrupts-before-1.2",)


def asks(lib: Lib, name: str = "ask", question: Any = "sure?") -> Any:
    """A node that asks."""

    def node(state: Any) -> Any:
        return {"x": [lib.interrupt(question)]}

    node.__name__ = name
    return node


@program(modes=SHAPES, differs=OLD_INTERRUPTS)
def question_ends_the_run(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), asks(lib), put("b")], [(lib.START, "a"), ("a", "ask"), ("ask", "b")])
    return Case(builder.compile(), {"x": []})


@program(call="invoke", modes=(None, "updates"), differs=OLD_INTERRUPTS)
def question_in_the_output(lib: Lib) -> Case:
    return Case(graph(lib, [asks(lib, question={"delete": [1, 2]})], [(lib.START, "ask")]).compile(), {"x": ["a"]})


@program(call="invoke", modes=(None,), differs=OLD_INTERRUPTS)
def question_in_an_output_of_one_key(lib: Lib) -> Case:
    compiled = graph(lib, [asks(lib)], [(lib.START, "ask")]).compile()
    return Case(compiled, {"x": ["a"]}, kwargs={"output_keys": "x"})


@program(call="invoke", modes=(None,), differs=OLD_INTERRUPTS)
def question_in_an_output_without_input(lib: Lib) -> Case:
    return Case(graph(lib, [asks(lib)], [(lib.START, "ask")]).compile(), {})


@program(modes=UNORDERED, differs=OLD_INTERRUPTS)
def question_beside_a_node_that_finishes(lib: Lib) -> Case:
    builder = graph(lib, [asks(lib), later(lib, "slow", 1)], [(lib.START, "ask"), (lib.START, "slow")])
    return Case(builder.compile(), {"x": []})


@program(modes=("values",), differs=("questions-in-the-values-of-the-step",))
def question_and_an_update_in_one_step(lib: Lib) -> Case:
    builder = graph(lib, [asks(lib), put("b")], [(lib.START, "ask"), (lib.START, "b")])
    return Case(builder.compile(), {"x": []})


@program(call="invoke", modes=(None,), differs=OLD_INTERRUPTS)
def questions_of_two_nodes(lib: Lib) -> Case:
    nodes = [asks(lib, "one"), asks(lib, "two", "really?"), put("three")]
    return Case(graph(lib, nodes, [(lib.START, name) for name in ("one", "two", "three")]).compile(), {"x": []})


@program(modes=("updates", "values", ("updates", "values")), subgraphs=(False, True), differs=OLD_INTERRUPTS)
def question_of_a_nested_graph(lib: Lib) -> Case:
    inner = graph(lib, [asks(lib)], [(lib.START, "ask")]).compile()
    return Case(_around(lib, inner), {"x": ["a"]})


@program(modes=("updates", "values", ("updates", "values")), subgraphs=(False, True), differs=OLD_INTERRUPTS)
def question_of_a_graph_that_is_called(lib: Lib) -> Case:
    inner = graph(lib, [asks(lib)], [(lib.START, "ask")]).compile()

    def call(state: Any) -> Any:
        return inner.invoke(state)

    return Case(_around(lib, call), {"x": ["a"]})


def _around(lib: Lib, inner: Any) -> Any:
    class State(TypedDict):
        x: Annotated[list, operator.add]

    builder = lib.StateGraph(State)
    builder.add_node("inner", inner)
    builder.add_node("after", lambda state: {"x": ["after"]})
    builder.add_edge(lib.START, "inner")
    builder.add_edge("inner", "after")
    return builder.compile()


@program(modes=("updates", "values"), differs=OLD_INTERRUPTS)
def question_of_a_send(lib: Lib) -> Case:
    builder = graph(lib, [put("r"), asks(lib)], [(lib.START, "r")])
    builder.add_conditional_edges("r", lambda state: [lib.Send("ask", {"x": []})], ["ask"])
    return Case(builder.compile(), {"x": []})


@program(modes=("updates", "values"), differs=("a-caught-question-is-asked",))
def question_that_is_caught(lib: Lib) -> Case:
    def ask(state: Any) -> Any:
        try:
            lib.interrupt("sure?")
        except Exception as error:
            return {"x": [type(error).__name__]}

    return Case(graph(lib, [ask], [(lib.START, "ask")]).compile(), {"x": []})


@program(modes=("updates",), differs=OLD_INTERRUPTS)
def question_beside_a_failure(lib: Lib) -> Case:
    def fail(state: Any) -> Any:
        raise ValueError("no")

    return Case(graph(lib, [asks(lib), fail], [(lib.START, "ask"), (lib.START, "fail")]).compile(), {"x": []})


@program()
def command_that_goes_somewhere(lib: Lib) -> Case:
    builder = graph(lib, [put("a"), put("b")], [(lib.START, "a"), ("a", "b")])
    return Case(builder.compile(), lib.Command(goto="b"))


@program()
def command_with_sends(lib: Lib) -> Case:
    builder = graph(lib, [later(lib, "a", 1), put("b")], [(lib.START, "a")])
    return Case(builder.compile(), lib.Command(goto=[lib.Send("b", {"x": ["own"]})]))


@program(modes=("updates", "values"), call="stream", differs=("command-writes-once",))
def command_with_an_update(lib: Lib) -> Case:
    builder = graph(lib, [put("a")], [(lib.START, "a")])
    return Case(builder.compile(), lib.Command(update={"x": ["given"]}))


@program(modes=("updates",))
def command_for_a_parent_that_is_not_there(lib: Lib) -> Case:
    builder = graph(lib, [put("a")], [(lib.START, "a")])
    return Case(builder.compile(), lib.Command(graph=lib.Command.PARENT, goto="a"))
