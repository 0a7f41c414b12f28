"""People in the loop as programs have them: forms that ask again, several reviewers, tools whose graphs ask."""

from __future__ import annotations

import asyncio
import operator
import random
from typing import Any, Callable, Dict, List

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel, Field, ValidationError
from typing_extensions import Annotated, TypedDict

from streamgraph.errors import is_invalid_resume
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import ToolNode
from streamgraph.types import Command, Send, interrupt

CONFIG: Any = {"configurable": {"thread_id": "1"}}
MODES = ("invoke", "ainvoke", "stream", "astream")


class State(TypedDict, total=False):
    seen: Annotated[List[Any], operator.add]


class Age(BaseModel):
    """A form."""

    age: int = Field(gt=0)


def run(graph: Any, given: Any, mode: str) -> Dict[str, Any]:
    """Run a graph in one of the modes, and return its output."""
    if mode in ("invoke", "ainvoke"):
        ended = getattr(graph, mode)(given, CONFIG)
        return asyncio.run(ended) if mode == "ainvoke" else ended
    chunks: List[Any] = []
    if mode == "stream":
        chunks += graph.stream(given, CONFIG, stream_mode="values")
    else:

        async def read() -> None:
            chunks.extend([chunk async for chunk in graph.astream(given, CONFIG, stream_mode="values")])

        asyncio.run(read())
    return chunks[-1]  # type: ignore[no-any-return]


def asking_in(place: str, ask: Callable[[], Any]) -> Any:
    """A graph that asks in a node, in a tool, or in a graph that a tool calls, each sync or async."""
    asynchronous, _, kind = place.rpartition(" ")

    def node(state: Any) -> Any:
        return {"seen": [ask()]}

    async def anode(state: Any) -> Any:
        return {"seen": [ask()]}

    inner = StateGraph(State).add_node("ask", anode if asynchronous else node).add_edge(START, "ask")
    if kind == "node":
        return inner.compile(InMemorySaver())
    graph = inner.compile()

    @tool("ask")
    def in_tool() -> str:
        """Ask."""
        return str(graph.invoke({"seen": []})["seen"][-1] if kind == "graph" else ask())

    @tool("ask")
    async def in_async_tool() -> str:
        """Ask."""
        return str((await graph.ainvoke({"seen": []}))["seen"][-1] if kind == "graph" else ask())

    tools = ToolNode([in_async_tool if asynchronous else in_tool])
    return StateGraph(MessagesState).add_node("tools", tools).add_edge(START, "tools").compile(InMemorySaver())


def given_to(place: str) -> Any:
    asked: Any = [{"name": "ask", "args": {}, "id": "1"}]
    return {"seen": []} if place.endswith("node") else {"messages": [AIMessage("", tool_calls=asked)]}


def told(output: Any) -> str:
    return str(output["seen"][-1] if "seen" in output else output["messages"][-1].content)


PLACES = ("node", "tool", "graph", "async node", "async tool", "async graph")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", PLACES)
def test_a_form_asks_again(place: str, mode: str) -> None:
    """A loop around `interrupt` goes through the answers so far, and asks until one fits."""
    checked = []

    def ask() -> int:
        question = "How old?"
        while True:
            given = interrupt(question)
            checked.append(given)
            if isinstance(given, int) and given > 0:
                return given
            question = f"{given!r} is no age. How old?"

    graph = asking_in(place, ask)
    asked = [run(graph, given_to(place), mode)["__interrupt__"][0].value]
    for wrong in ("old", -3):
        asked.append(run(graph, Command(resume=wrong), mode)["__interrupt__"][0].value)
    assert asked == ["How old?", "'old' is no age. How old?", "-3 is no age. How old?"]
    output = run(graph, Command(resume=30), mode)
    assert (told(output), "__interrupt__" in output) == ("30", False)
    assert checked == ["old", "old", -3, "old", -3, 30]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", PLACES)
def test_a_form_with_a_schema(place: str, mode: str) -> None:
    """Who gives an answer that does not fit gets the error, not the model; the same question stays open."""
    graph = asking_in(place, lambda: interrupt("How old?", response_schema=Age).age)
    [question] = run(graph, given_to(place), mode)["__interrupt__"]
    assert question.response_schema["properties"]["age"]["exclusiveMinimum"] == 0
    for _ in range(2):
        with pytest.raises(ValidationError, match="greater than 0") as caught:
            run(graph, Command(resume={"age": -3}), mode)
        assert is_invalid_resume(caught.value)
        assert [open_.id for open_ in graph.get_state(CONFIG).interrupts] == [question.id]
    assert told(run(graph, Command(resume={question.id: {"age": 30}}), mode)) == "30"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(3))
def test_several_reviewers(seed: int, mode: str) -> None:
    """They are asked at once and answer in any order; who has answered is not asked again, and all are counted once."""
    chance, names = random.Random(seed), [f"reviewer {number}" for number in range(5)]
    begun: List[str] = []
    counted: List[Any] = []

    def review(state: Any) -> Any:
        begun.append(state)
        return {"seen": [f"{state}: {interrupt(f'What says {state}?')}"]}

    def count(state: Any) -> Any:
        counted.append(list(state["seen"]))

    builder = StateGraph(State).add_node(review).add_node(count, defer=True).add_edge("review", "count")
    builder.add_conditional_edges(START, lambda state: [Send("review", name) for name in names])
    graph = builder.compile(InMemorySaver())
    waiting = list(run(graph, {"seen": []}, mode)["__interrupt__"])
    assert sorted(question.value for question in waiting) == [f"What says {name}?" for name in names]
    output: Dict[str, Any] = {}
    while waiting:
        now = chance.sample(waiting, chance.randint(1, len(waiting)))
        waiting = [question for question in waiting if question not in now]
        output = run(graph, Command(resume={question.id: f"<{question.value}>" for question in now}), mode)
        assert {question.id for question in output.get("__interrupt__", ())} == {question.id for question in waiting}
    said = [f"{name}: <What says {name}?>" for name in names]
    assert output["seen"] == said
    assert counted == [said]
    assert sorted(begun) == sorted(names * 2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_graphs_in_parallel_tool_calls(asynchronous: bool, mode: str) -> None:
    """Each call has a graph of its own that asks twice; what a graph did before its question is not done again."""
    done: List[str] = []

    class Trip(TypedDict, total=False):
        city: str
        hotel: str
        seat: str

    def search(state: Any) -> Any:
        done.append(f"search {state['city']}")

    def hotel(state: Any) -> Any:
        return {"hotel": interrupt(f"Which hotel in {state['city']}?")}

    def seat(state: Any) -> Any:
        done.append(f"seat {state['city']}")
        return {"seat": interrupt(f"Which seat to {state['city']}?")}

    book = StateGraph(Trip).add_sequence([search, hotel, seat]).add_edge(START, "search").compile()

    @tool("trip")
    def trip(city: str) -> str:
        """Book a trip."""
        booked = book.invoke({"city": city})
        return f"{city}: {booked['hotel']}, {booked['seat']}"

    @tool("trip")
    async def atrip(city: str) -> str:
        """Book a trip."""
        booked = await book.ainvoke({"city": city})
        return f"{city}: {booked['hotel']}, {booked['seat']}"

    node = ToolNode([atrip if asynchronous else trip])
    graph = StateGraph(MessagesState).add_node("tools", node).add_edge(START, "tools").compile(InMemorySaver())
    cities = ["Rome", "Oslo", "Bonn"]
    calls: Any = [{"name": "trip", "args": {"city": city}, "id": city} for city in cities]
    output = run(graph, {"messages": [AIMessage("", tool_calls=calls)]}, mode)
    chance = random.Random(mode)
    rounds = 0
    while "__interrupt__" in output:
        rounds += 1
        now = chance.sample(list(output["__interrupt__"]), 1 if rounds < 3 else len(output["__interrupt__"]))
        output = run(graph, Command(resume={question.id: f"<{question.value}>" for question in now}), mode)
    assert [message.content for message in output["messages"][1:]] == [
        f"{city}: <Which hotel in {city}?>, <Which seat to {city}?>" for city in cities
    ]
    assert sorted(item for item in done if item.startswith("search")) == sorted(f"search {city}" for city in cities)
