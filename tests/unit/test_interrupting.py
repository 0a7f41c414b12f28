"""`interrupt()`: what the question is, and where the run ends."""

from __future__ import annotations

import asyncio
import operator
import threading
from dataclasses import dataclass
from typing import List

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from typing_extensions import Annotated, TypedDict

from streamgraph import START, Command, StateGraph
from streamgraph.errors import GraphInterrupt, NodeInterrupt, NotSupportedError
from streamgraph.func import entrypoint, task
from streamgraph.graph import MessagesState
from streamgraph.prebuilt import ToolNode
from streamgraph.types import GraphOutput, Interrupt, RetryPolicy, Send, interrupt
from streamgraph.warnings import LangGraphDeprecatedSinceV11
from support.waiting import PATIENCE

QUESTION = "__interrupt__"


class State(TypedDict):
    """A list that every node adds to."""

    x: Annotated[List[str], operator.add]


def ask(state):
    """A node with a question."""
    return {"x": [interrupt("sure?")]}


def other(state):
    """A node without one."""
    return {"x": ["other"]}


def graph_of(*nodes, **named):
    """A graph whose nodes all run in the first step."""
    builder = StateGraph(State)
    for name, node in {**{node.__name__: node for node in nodes}, **named}.items():
        builder.add_node(name, node).add_edge(START, name)
    return builder.compile()


def values_of(output):
    """The questions in an output."""
    return [one.value for one in output[QUESTION]]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_output_has_the_question(asynchronous):
    """The run ends where the node has asked, and what follows it does not run."""
    builder = StateGraph(State).add_node(ask).add_node(other).add_edge(START, "ask").add_edge("ask", "other")
    graph = builder.compile()
    output = asyncio.run(graph.ainvoke({"x": ["a"]})) if asynchronous else graph.invoke({"x": ["a"]})
    assert output["x"] == ["a"]
    assert values_of(output) == ["sure?"]
    assert isinstance(output[QUESTION], list)


def test_the_stream_shows_the_question():
    """It is an update, in the values, and in the result of the task."""
    chunks = list(graph_of(ask).stream({"x": ["a"]}, stream_mode=["values", "updates", "tasks"]))
    (asked,) = chunks[2][1][QUESTION]
    assert chunks[0] == ("values", {"x": ["a"]})
    assert chunks[2] == ("updates", {QUESTION: (asked,)})
    shown = {"value": "sure?", "id": asked.id, "response_schema": None}
    assert chunks[3][1]["interrupts"] == [shown]
    assert chunks[3][1]["error"] is None
    assert chunks[4] == ("values", {"x": ["a"], QUESTION: (asked,)})
    assert len(chunks) == 5


def test_typed_parts_have_the_question_apart():
    """With version 2, the state is the state, and the questions are beside it."""
    graph = graph_of(ask)
    *_, last = graph.stream({"x": ["a"]}, stream_mode="values", version="v2")
    assert last["data"] == {"x": ["a"]}
    assert [one.value for one in last["interrupts"]] == ["sure?"]
    output = graph.invoke({"x": ["a"]}, version="v2")
    assert output.value == {"x": ["a"]}
    assert [one.value for one in output.interrupts] == ["sure?"]


def test_typed_output_of_a_dataclass():
    """The state that a run has ended with is of its class, whether it has asked or not."""

    @dataclass
    class Kept:
        x: str = ""

    graph = StateGraph(Kept).add_node("ask", lambda state: interrupt("sure?")).add_edge(START, "ask").compile()
    output = graph.invoke({"x": "a"}, version="v2")
    assert output.value == Kept("a")
    assert [one.value for one in output.interrupts] == ["sure?"]


@pytest.mark.parametrize("keys", ["x", ["x"]])
def test_output_keys(keys):
    """A single key has no place for the question beside it, so the question is all there is."""
    output = graph_of(ask).invoke({"x": ["a"]}, output_keys=keys)
    assert values_of(output) == ["sure?"]
    assert ("x" in output) == (keys == ["x"])


def test_siblings_finish():
    """What runs beside the node is not cancelled: it finishes after the question, and its update is kept."""
    gate = threading.Event()

    def slow(state):
        assert gate.wait(PATIENCE)
        return {"x": ["slow"]}

    chunks = []
    for chunk in graph_of(ask, slow).stream({"x": ["a"]}, stream_mode=["updates", "values"]):
        chunks.append(chunk)
        if QUESTION in chunk[1]:
            gate.set()
    assert [kind for kind, _ in chunks] == ["values", "updates", "updates", "values"]
    assert chunks[2] == ("updates", {"slow": {"x": ["slow"]}})
    assert chunks[3][1]["x"] == ["a", "slow"]
    assert values_of(chunks[3][1]) == ["sure?"]


def test_waiting_siblings_run():
    """A question does not keep tasks from running that a concurrency limit has kept waiting."""
    output = graph_of(ask, other).invoke({"x": []}, {"max_concurrency": 1})
    assert output["x"] == ["other"]
    assert values_of(output) == ["sure?"]


def test_two_questions():
    """All questions of a step are in the output, each with an id of its own."""
    output = graph_of(ask, ask_too=lambda state: interrupt("really?")).invoke({"x": []})
    assert sorted(values_of(output)) == ["really?", "sure?"]
    assert len({one.id for one in output[QUESTION]}) == 2


def test_the_order_of_two_questions():
    """They are in the output as they were asked. Which of two threads asks first is open, unlike of two coroutines."""

    async def first(state):
        return interrupt("sure?")

    async def second(state):
        return interrupt("really?")

    output = asyncio.run(graph_of(first, second=second).ainvoke({"x": []}))
    assert values_of(output) == ["sure?", "really?"]


def test_a_failure_beside_a_question_fails_the_run():
    """The run has failed, whoever has asked."""

    def fail(state):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        graph_of(ask, fail).invoke({"x": []})


@pytest.mark.parametrize("how", ["node", "call"])
def test_a_nested_graph_hands_its_question_on(how):
    """The graph around it ends with the same question; the nested one is not a result of its node."""
    inner = graph_of(ask, other)
    seen = []

    def call(state):
        seen.append("before")
        inner.invoke({"x": []})
        seen.append("after")

    outer = graph_of(inner=inner if how == "node" else call)
    output = outer.invoke({"x": ["a"]})
    assert values_of(output) == ["sure?"]
    assert output["x"] == ["a"]
    assert "after" not in seen


def test_a_nested_graph_shows_its_question_in_its_namespace():
    """Both graphs show it, each in its own."""
    outer = graph_of(inner=graph_of(ask))
    chunks = list(outer.stream({"x": ["a"]}, stream_mode="updates", subgraphs=True))
    (inner_ns, first), (outer_ns, second) = chunks
    assert inner_ns[0].startswith("inner:")
    assert outer_ns == ()
    assert first == second == {QUESTION: first[QUESTION]}


def test_a_tool_asks():
    """A tool node reports exceptions to the model, but no questions."""

    @tool
    def delete(path: str) -> str:
        """Delete a file."""
        return interrupt(f"delete {path}?")

    call = {"name": "delete", "args": {"path": "a"}, "id": "1"}
    builder = StateGraph(MessagesState).add_node("tools", ToolNode([delete], handle_tool_errors=True))
    graph = builder.add_edge(START, "tools").compile()
    output = graph.invoke({"messages": [AIMessage("", tool_calls=[call])]})
    assert values_of(output) == ["delete a?"]
    assert len(output["messages"]) == 1


def test_a_branch_asks():
    """The node before it has not led anywhere."""
    builder = StateGraph(State).add_node(other).add_edge(START, "other")
    graph = builder.add_conditional_edges("other", lambda state: interrupt("where?"), ["other"]).compile()
    assert values_of(graph.invoke({"x": []})) == ["where?"]


def test_the_entry_asks():
    """A conditional entry point may ask before anything runs."""
    builder = StateGraph(State).add_node(other)
    graph = builder.add_conditional_edges(START, lambda state: interrupt("where?"), ["other"]).compile()
    output = graph.invoke({"x": ["a"]})
    assert (output["x"], values_of(output)) == (["a"], ["where?"])


def test_a_workflow_asks():
    """So may a workflow and its tasks; a task that runs beside the one that asks finishes."""
    finished = []

    @task
    def asks(topic):
        return interrupt(topic)

    @task
    def works():
        finished.append(1)

    @entrypoint()
    def flow(topic):
        working = works()
        answer = asks(topic).result()
        return answer, working.result()

    assert values_of(flow.invoke("ice")) == ["ice"]
    assert finished == [1]


def test_a_question_is_no_failure():
    """It is not tried again, no error handler runs, and it is not kept as a result."""
    tries = []

    def asks(state):
        tries.append(1)
        return {"x": [interrupt("sure?")]}

    builder = StateGraph(State).add_node(
        "asks", asks, retry_policy=RetryPolicy(retry_on=Exception), error_handler=lambda state: {"x": ["handled"]}
    )
    output = builder.add_edge(START, "asks").compile().invoke({"x": []})
    assert (tries, output["x"]) == ([1], [])
    assert values_of(output) == ["sure?"]


def test_the_exception_that_langgraph_had_first():
    """A node may raise the question, under a warning."""

    def asks(state):
        with pytest.warns(DeprecationWarning, match="NodeInterrupt"):
            error = NodeInterrupt("sure?")
        raise error

    assert values_of(graph_of(asks).invoke({"x": []})) == ["sure?"]


def test_the_question_says_what_an_answer_looks_like():
    """A class becomes its JSON schema, a JSON schema stays one."""

    @dataclass
    class Answer:
        yes: bool

    (one,) = graph_of(ask=lambda s: interrupt("sure?", response_schema=Answer)).invoke({"x": []})[QUESTION]
    assert one.response_schema["properties"] == {"yes": {"title": "Yes", "type": "boolean"}}
    schema = {"type": "boolean"}
    (one,) = graph_of(ask=lambda s: interrupt("sure?", response_schema=schema)).invoke({"x": []})[QUESTION]
    assert one.response_schema == schema


def test_outside_of_a_run():
    """A question that nobody would see is an error."""
    with pytest.raises(RuntimeError, match="outside of a graph run"):
        interrupt("sure?")


@pytest.mark.parametrize(
    "command", [Command(resume="yes"), Command(resume=0), Command(resume={"id": "yes"}, goto="ask")]
)
def test_an_answer_is_refused(command):
    """Nothing is saved, so nothing waits for an answer: it is refused as an input, and from a node."""
    with pytest.raises(RuntimeError, match="Cannot use Command\\(resume=...\\) without checkpointer"):
        graph_of(ask).invoke(command)
    with pytest.raises(NotSupportedError, match="resume=.*no run that waits"):
        graph_of(node=lambda state: command).invoke({"x": []})


def test_an_answer_is_refused_by_a_workflow():
    """A command without an answer is a value like any other there."""

    @entrypoint()
    def flow(given):
        return given

    with pytest.raises(RuntimeError, match="without checkpointer"):
        flow.invoke(Command(resume="yes"))
    assert flow.invoke(Command(goto="x")) == Command(goto="x")


def test_caught_and_raised_again():
    """Code that catches all exceptions may look at the question and has to let it pass."""
    seen = []

    def asks(state):
        try:
            interrupt("sure?")
        except GraphInterrupt as error:
            seen.append(error.interrupts[0].value)
            raise

    assert values_of(graph_of(asks).invoke({"x": []})) == ["sure?"]
    assert seen == ["sure?"]


def test_a_question_of_a_send():
    """A task made by a `Send` asks like any other."""
    builder = StateGraph(State).add_node(ask)
    graph = builder.add_conditional_edges(START, lambda state: [Send("ask", {}), Send("ask", {})]).compile()
    assert values_of(graph.invoke({"x": []})) == ["sure?", "sure?"]


def test_reading_an_output_like_a_mapping():
    """Code from before version 2 goes on, under a warning."""
    output = GraphOutput({"x": 1}, (Interrupt("sure?", "1"),))
    with pytest.warns(LangGraphDeprecatedSinceV11, match=r"Use `result.value`") as caught:
        assert output["x"] == 1
    assert caught[0].filename == __file__
    with pytest.warns(LangGraphDeprecatedSinceV11):
        assert output[QUESTION] == (Interrupt("sure?", "1"),)
    with pytest.warns(LangGraphDeprecatedSinceV11) as caught:
        assert "x" in output
    assert caught[0].filename == __file__
    with pytest.warns(LangGraphDeprecatedSinceV11):
        assert "y" not in output
    with pytest.warns(LangGraphDeprecatedSinceV11):
        assert QUESTION in output
    with pytest.warns(LangGraphDeprecatedSinceV11), pytest.raises(KeyError, match="y"):
        output["y"]


def test_reading_an_output_of_an_object():
    """The keys of a state object are its attributes."""
    output = GraphOutput(Interrupt("sure?", "1"))
    with pytest.warns(LangGraphDeprecatedSinceV11):
        assert output["value"] == "sure?"
    with pytest.warns(LangGraphDeprecatedSinceV11):
        assert "value" in output
    with pytest.warns(LangGraphDeprecatedSinceV11):
        assert QUESTION not in output
    with pytest.warns(LangGraphDeprecatedSinceV11), pytest.raises(KeyError, match="nothing"):
        output["nothing"]
