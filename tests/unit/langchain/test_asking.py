"""Questions that the code around them catches: the task has asked all the same."""

from __future__ import annotations

import asyncio
import inspect
import operator
from typing import Any, Callable, Dict, List

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from pydantic import BaseModel, ValidationError
from typing_extensions import Annotated, TypedDict

from streamgraph import START, Command, StateGraph
from streamgraph.errors import GraphInterrupt, is_invalid_resume
from streamgraph.func import entrypoint, task
from streamgraph.graph import MessagesState
from streamgraph.prebuilt import ToolNode
from streamgraph.types import Interrupt, RetryPolicy, interrupt

memory = pytest.importorskip("langgraph.checkpoint.memory", reason="Saved runs need a saver")
InMemorySaver: Any = memory.InMemorySaver
PeerInterrupt: Any = pytest.importorskip("langgraph.types").Interrupt

CONFIG: Any = {"configurable": {"thread_id": "1"}}


class State(TypedDict, total=False):
    """A list that every node adds to."""

    x: Annotated[List[Any], operator.add]


def graph_of(node: Any, **options: Any) -> Any:
    builder = StateGraph(State).add_node("node", node, **options).add_edge(START, "node")
    return builder.compile(checkpointer=InMemorySaver())


def values_of(output: Any) -> List[Any]:
    return [question.value for question in output.get("__interrupt__", ())]


def returns(state: Any) -> Any:
    try:
        return {"x": [interrupt("sure?")]}
    except Exception:
        return {"x": ["caught"]}


def raises_another(state: Any) -> Any:
    try:
        return {"x": [interrupt("sure?")]}
    except Exception:
        raise ValueError("something went wrong") from None


def catches_by_type(state: Any) -> Any:
    try:
        return {"x": [interrupt("sure?")]}
    except GraphInterrupt:
        return {"x": ["caught"]}


def tries_again(state: Any) -> Any:
    for _ in range(3):
        try:
            return {"x": [interrupt("sure?")]}
        except Exception:  # noqa: S112  (as people write it)
            continue
    return {"x": ["given up"]}


def falls_back(state: Any) -> Any:
    """langchain's fallbacks catch all exceptions."""
    asks = RunnableLambda(lambda _: interrupt("sure?"))
    return {"x": [asks.with_fallbacks([RunnableLambda(lambda _: "fallback")]).invoke(1)]}


def repeats(state: Any) -> Any:
    """Its retries do as well."""
    return {"x": [RunnableLambda(lambda _: interrupt("sure?")).with_retry(wait_exponential_jitter=False).invoke(1)]}


def asks_something_else(state: Any) -> Any:
    try:
        return {"x": [interrupt("sure?")]}
    except Exception:
        return {"x": [interrupt("or this?")]}


def goes_elsewhere(state: Any) -> Any:
    try:
        return {"x": [interrupt("sure?")]}
    except Exception:
        return Command(goto="nowhere", update={"x": ["caught"]})


def in_a_graph(state: Any) -> Any:
    try:
        return graph_of(lambda state: {"x": [interrupt("sure?")]}).invoke({"x": []})
    except Exception:
        return {"x": ["caught"]}


def in_a_task(state: Any) -> Any:
    @task
    def asks() -> Any:
        return interrupt("sure?")

    try:
        return {"x": [asks().result()]}
    except Exception:
        return {"x": ["caught"]}


CATCHING: List[Callable[[Any], Any]] = [
    *(returns, raises_another, catches_by_type, tries_again, falls_back, repeats),
    *(asks_something_else, goes_elsewhere, in_a_graph, in_a_task),
]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("node", CATCHING, ids=lambda node: node.__name__)
def test_the_question_wins(node: Any, asynchronous: bool) -> None:
    """Whatever the code makes of the exception, the run pauses, and the answer arrives."""
    graph = graph_of(node)

    def run(given: Any) -> Any:
        return asyncio.run(graph.ainvoke(given, CONFIG)) if asynchronous else graph.invoke(given, CONFIG)

    output = run({"x": []})
    assert (values_of(output), output["x"]) == (["sure?"], [])
    assert run(Command(resume="yes")) == {"x": ["yes"]}


def test_an_async_node() -> None:
    async def node(state: Any) -> Any:
        try:
            return {"x": [interrupt("sure?")]}
        except Exception:
            await asyncio.sleep(0)
            return {"x": ["caught"]}

    graph = graph_of(node)
    assert values_of(graph.invoke({"x": []}, CONFIG)) == ["sure?"]
    assert graph.invoke(Command(resume="yes"), CONFIG) == {"x": ["yes"]}


def test_no_retry_and_no_error_handler() -> None:
    """What is raised in place of a question is no failure."""
    ran: List[str] = []

    def node(state: Any) -> Any:
        ran.append("node")
        return raises_another(state)

    graph = graph_of(
        node, retry_policy=RetryPolicy(retry_on=ValueError), error_handler=lambda state: ran.append("handler")
    )
    assert values_of(graph.invoke({"x": []}, CONFIG)) == ["sure?"]
    assert ran == ["node"]


def test_a_branch() -> None:
    def branch(state: Any) -> str:
        try:
            return str(interrupt("where?"))
        except Exception:
            return "a"

    builder = StateGraph(State).add_node("a", lambda state: {"x": ["a"]}).add_node("b", lambda state: {"x": ["b"]})
    graph = builder.add_conditional_edges(START, branch, ["a", "b"]).compile(checkpointer=InMemorySaver())
    assert values_of(graph.invoke({"x": []}, CONFIG)) == ["where?"]
    assert graph.invoke(Command(resume="b"), CONFIG) == {"x": ["b"]}


def test_no_branch_sees_what_the_node_has_made_of_it() -> None:
    """The node has not finished."""
    ran: List[str] = []
    builder = StateGraph(State).add_node("node", returns).add_edge(START, "node")
    graph = builder.add_conditional_edges("node", lambda state: ran.append("branch") or "__end__").compile()
    assert values_of(graph.invoke({"x": []})) == ["sure?"]
    assert ran == []


@pytest.mark.parametrize("names", [["ann"], ["ann", "bob"]])
def test_a_tool(names: List[str]) -> None:
    """Neither a tool that reports everything to the model nor a node that handles all errors hides the question."""

    @tool
    def greet(name: str) -> str:
        """Ask how to greet somebody."""
        try:
            return str(interrupt(f"How does {name} want to be greeted?"))
        except Exception as error:
            return f"It went wrong: {error}"

    calls = [{"name": "greet", "args": {"name": name}, "id": f"call {name}"} for name in names]
    builder = StateGraph(MessagesState).add_node("tools", ToolNode([greet], handle_tool_errors=True))
    graph = builder.add_edge(START, "tools").compile(checkpointer=InMemorySaver())
    output = graph.invoke({"messages": [AIMessage("", tool_calls=calls)]}, CONFIG)
    assert sorted(values_of(output)) == [f"How does {name} want to be greeted?" for name in names]
    answers = {question.id: f"<{question.value}>" for question in output["__interrupt__"]}
    output = graph.invoke(Command(resume=answers), CONFIG)
    assert [message.content for message in output["messages"][1:]] == [
        f"<How does {name} want to be greeted?>" for name in names
    ]


def test_a_question_that_is_changed_on_its_way() -> None:
    """Code may raise the question again with more about it; its id says which one it is."""

    def node(state: Any) -> Any:
        try:
            return {"x": [interrupt("sure?")]}
        except GraphInterrupt as error:
            (question,) = error.interrupts
            raise GraphInterrupt((Interrupt({"ask": question.value, "for": "bob"}, question.id),)) from None

    graph = graph_of(node)
    assert values_of(graph.invoke({"x": []}, CONFIG)) == [{"ask": "sure?", "for": "bob"}]
    assert graph.invoke(Command(resume="yes"), CONFIG) == {"x": ["yes"]}


def test_all_tasks_of_a_workflow_ask_at_once() -> None:
    """One answer after the other; who is not answered does not run again."""
    ran: List[int] = []

    @task
    def asks(number: int) -> Any:
        ran.append(number)
        return interrupt(number)

    @entrypoint(checkpointer=InMemorySaver())
    def flow(given: int) -> Any:
        return [future.result() for future in [asks(1), asks(2), asks(3)]]

    questions = flow.invoke(0, CONFIG)["__interrupt__"]
    assert sorted(question.value for question in questions) == [1, 2, 3]
    for left, question in zip(
        [[1, 3], [3], []], sorted(questions, key=lambda question: [2, 1, 3].index(question.value))
    ):
        ran.clear()
        output = flow.invoke(Command(resume={question.id: f"<{question.value}>"}), CONFIG)
        assert ran == [question.value]
        assert sorted(values_of(output) if left else []) == left
    assert output == ["<1>", "<2>", "<3>"]


def test_a_task_that_fails_beside_one_that_asks() -> None:
    """The workflow has failed; the question is kept."""

    @task
    def asks() -> Any:
        return interrupt("sure?")

    @task
    def fails() -> Any:
        raise ValueError("no")

    @entrypoint(checkpointer=InMemorySaver())
    def flow(given: int) -> Any:
        asking, failing = asks(), fails()
        failing.result()
        return asking.result()

    with pytest.raises(ValueError, match="no"):
        flow.invoke(0, CONFIG)


class Amount(BaseModel):
    """What an answer has to look like."""

    euros: int


@pytest.mark.parametrize("catches", [False, True])
def test_an_answer_that_does_not_fit(catches: bool) -> None:
    """It is refused, the question stays open, and the next answer counts; no handler takes it for a failure."""

    def node(state: Any) -> Any:
        try:
            return {"x": [interrupt("how much?", response_schema=Amount)]}
        except ValueError:
            if not catches:
                raise
            return {"x": ["caught"]}

    graph = graph_of(node, error_handler=lambda state: {"x": ["handled"]}, retry_policy=RetryPolicy(retry_on=Exception))
    (question,) = graph.invoke({"x": []}, CONFIG)["__interrupt__"]
    assert question.response_schema == Amount.model_json_schema()
    if catches:
        assert values_of(graph.invoke(Command(resume={"euros": "many"}), CONFIG)) == ["how much?"]
    else:
        with pytest.raises(ValidationError) as caught:
            graph.invoke(Command(resume={"euros": "many"}), CONFIG)
        assert is_invalid_resume(caught.value)
    (kept,) = graph.get_state(CONFIG).interrupts
    # LangGraph before 1.2, of whose class a stored question is if it is installed, knows no schema of answers.
    knows = "response_schema" in inspect.signature(PeerInterrupt).parameters
    assert (kept.value, kept.id) == (question.value, question.id)
    assert kept.response_schema == (question.response_schema if knows else None)
    assert graph.invoke(Command(resume={"euros": "5"}), CONFIG) == {"x": [Amount(euros=5)]}


def test_what_runs_beside_an_answer_that_does_not_fit() -> None:
    """It may have been answered as well: it finishes, and does not run again."""
    ran: List[str] = []

    def asks(state: Any) -> Any:
        return {"x": [interrupt("how much?", response_schema=Amount)]}

    async def other(state: Any) -> Any:
        answer = interrupt("which colour?")
        await asyncio.sleep(0.01)
        ran.append(answer)
        return {"x": [answer]}

    builder = StateGraph(State).add_node("asks", asks).add_node("other", other)
    graph = builder.add_edge(START, "asks").add_edge(START, "other").compile(checkpointer=InMemorySaver())
    ids: Dict[Any, str] = {one.value: one.id for one in graph.invoke({"x": []}, CONFIG)["__interrupt__"]}
    with pytest.raises(ValidationError):
        graph.invoke(Command(resume={ids["how much?"]: "much", ids["which colour?"]: "green"}), CONFIG)
    assert graph.invoke(Command(resume={"euros": 1}), CONFIG) == {"x": [Amount(euros=1), "green"]}
    assert ran == ["green"]


def test_a_tool_that_is_given_an_answer_that_does_not_fit() -> None:
    """The model cannot give a better one, so it is not told."""

    @tool
    def pay() -> str:
        """Pay."""
        return str(interrupt("how much?", response_schema=Amount).euros)

    call = {"name": "pay", "args": {}, "id": "1"}
    builder = StateGraph(MessagesState).add_node("tools", ToolNode([pay], handle_tool_errors=True))
    graph = builder.add_edge(START, "tools").compile(checkpointer=InMemorySaver())
    graph.invoke({"messages": [AIMessage("", tool_calls=[call])]}, CONFIG)
    with pytest.raises(ValidationError):
        graph.invoke(Command(resume="much"), CONFIG)
    assert graph.invoke(Command(resume={"euros": 7}), CONFIG)["messages"][-1].content == "7"
