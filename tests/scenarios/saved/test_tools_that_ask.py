"""Several tools of one node ask side by side: each gets its own answer, whoever asks first (langgraph #6626)."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any, Dict, List

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import ToolNode
from streamgraph.types import Command, interrupt

NAMES = ("ann", "bob", "cyd")
CONFIG: Any = {"configurable": {"thread_id": "1"}}


@tool
def greet(name: str) -> str:
    """Ask how to greet somebody, twice."""
    time.sleep(random.random() / 500)
    first = interrupt(f"first for {name}")
    time.sleep(random.random() / 500)
    return f"{name}: {first}, {interrupt(f'second for {name}')}"


@tool
async def agreet(name: str) -> str:
    """Ask how to greet somebody, twice, from a coroutine."""
    await asyncio.sleep(random.random() / 500)
    first = interrupt(f"first for {name}")
    await asyncio.sleep(random.random() / 500)
    return f"{name}: {first}, {interrupt(f'second for {name}')}"


def graph_of(function: Any) -> Any:
    builder = StateGraph(MessagesState).add_node("tools", ToolNode([function])).add_edge(START, "tools")
    return builder.compile(checkpointer=InMemorySaver())


def calls(function: Any) -> Dict[str, Any]:
    asked = [{"name": function.name, "args": {"name": name}, "id": f"call {name}"} for name in NAMES]
    return {"messages": [AIMessage("", tool_calls=asked)]}


def answered(questions: List[Any]) -> Command:
    return Command(resume={question.id: f"<{question.value}>" for question in questions})


WANTED = [f"{name}: <first for {name}>, <second for {name}>" for name in NAMES]


@pytest.mark.parametrize("seed", range(20))
def test_each_gets_its_own_answer(seed: int) -> None:
    random.seed(seed)
    graph = graph_of(greet)
    output = graph.invoke(calls(greet), CONFIG)
    assert sorted(question.value for question in output["__interrupt__"]) == [f"first for {name}" for name in NAMES]
    output = graph.invoke(answered(output["__interrupt__"]), CONFIG)
    assert sorted(question.value for question in output["__interrupt__"]) == [f"second for {name}" for name in NAMES]
    output = graph.invoke(answered(output["__interrupt__"]), CONFIG)
    assert [message.content for message in output["messages"][1:]] == WANTED


@pytest.mark.parametrize("seed", range(20))
def test_one_after_the_other(seed: int) -> None:
    """Answers are kept while other questions wait, in whatever order they are given."""
    random.seed(seed)

    async def main() -> List[str]:
        graph = graph_of(agreet)
        output = await graph.ainvoke(calls(agreet), CONFIG)
        while "__interrupt__" in output:
            output = await graph.ainvoke(answered([random.choice(output["__interrupt__"])]), CONFIG)
        return [message.content for message in output["messages"][1:]]

    assert asyncio.run(main()) == WANTED
