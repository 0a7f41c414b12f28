"""A run that goes on shows nothing that it has shown before: messages, and the records that it begins with."""

from __future__ import annotations

import asyncio
import operator
from typing import Any, Callable, List, Tuple

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel, Field
from typing_extensions import Annotated, TypedDict

from streamgraph import START, Command, StateGraph
from streamgraph.func import entrypoint, task
from streamgraph.graph import MessagesState, add_messages
from streamgraph.types import interrupt

CONFIG: Any = {"configurable": {"thread_id": "1"}}


class Conversation(BaseModel):
    """Messages, as an object."""

    messages: Annotated[List[Any], add_messages] = Field(default_factory=list)


class Notes(TypedDict):
    """A list that every node adds to."""

    x: Annotated[List[Any], operator.add]


def says(name: str) -> Callable[[Any], Any]:
    return lambda state: {"messages": [AIMessage(name, id=name)]}


def asks(state: Any) -> Any:
    return {"messages": [HumanMessage(interrupt("sure?"), id="answer")]}


def in_line(schema: Any) -> Any:
    builder = StateGraph(schema).add_node("before", says("before")).add_node("asks", asks)
    return builder.add_edge(START, "before").add_edge("before", "asks")


def beside(schema: Any) -> Any:
    builder = StateGraph(schema).add_node("before", says("before")).add_node("asks", asks)
    return builder.add_edge(START, "before").add_edge(START, "asks")


def as_a_node(graph: Any) -> Any:
    return graph


def two_levels_down(graph: Any) -> Any:
    return StateGraph(MessagesState).add_node("inner", graph).add_edge(START, "inner").compile()


def called(graph: Any) -> Any:
    return lambda state: {"messages": graph.invoke({"messages": []})["messages"]}


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("around", [as_a_node, two_levels_down, called], ids=lambda around: around.__name__)
@pytest.mark.parametrize("inside", [in_line, beside], ids=lambda inside: inside.__name__)
@pytest.mark.parametrize("schema", [MessagesState, Conversation], ids=lambda schema: schema.__name__)
def test_messages_of_nested_graphs(schema: Any, inside: Any, around: Any, asynchronous: bool) -> None:
    """The node around them returns those of before the pause as well; they are no news."""
    builder = StateGraph(schema).add_node("node", around(inside(schema).compile())).add_edge(START, "node")
    graph = builder.add_node("last", says("last")).add_edge("node", "last").compile(checkpointer=InMemorySaver())

    async def read(given: Any) -> List[Any]:
        return [item async for item in graph.astream(given, CONFIG, stream_mode="messages")]

    def shown(given: Any) -> List[str]:
        items: List[Tuple[BaseMessage, Any]]
        if asynchronous:
            items = asyncio.run(read(given))
        else:
            items = list(graph.stream(given, CONFIG, stream_mode="messages"))
        return [str(message.id) for message, _ in items if message.content]

    assert shown({"messages": [HumanMessage("hello", id="input")]}) == ["before"]
    assert shown(Command(resume="yes")) == ["answer", "last"]


def test_records_show_questions_as_dicts() -> None:
    """So front ends read them wherever they find them."""
    builder = StateGraph(Notes).add_node("ask", lambda state: {"x": [interrupt("sure?")]}).add_edge(START, "ask")
    graph = builder.compile(checkpointer=InMemorySaver())
    (question,) = graph.invoke({"x": []}, CONFIG)["__interrupt__"]
    first: Any = next(iter(graph.stream(Command(resume="yes"), CONFIG, stream_mode="checkpoints")))
    asked = {"value": "sure?", "id": question.id, "response_schema": None}
    assert [task["interrupts"] for task in first["tasks"]] == [(asked,)]


def test_the_record_of_a_workflow_s_input() -> None:
    """What is due after it is the workflow."""

    @task
    def asking() -> Any:
        return interrupt("sure?")

    @entrypoint(checkpointer=InMemorySaver())
    def flow(given: int) -> Any:
        return asking().result()

    begun: Any = list(flow.stream(1, CONFIG, stream_mode="checkpoints"))[0]
    (due,) = flow.get_state(CONFIG).tasks
    assert (begun["next"], [each["id"] for each in begun["tasks"]]) == (["flow"], [due.id])
    assert due.name == "flow"
