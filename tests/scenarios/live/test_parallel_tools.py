"""In 200 runs of parallel tool calls that ask, each call gets its own answers, whoever is answered first."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any, List

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import ToolNode
from streamgraph.types import ainterrupt, interrupt

RUNS = 50


@tool("greet")
def greet(name: str) -> str:
    """Ask how to greet somebody, twice."""
    return f"{name}: {interrupt(f'first {name}')}, {interrupt(f'second {name}')}"


@tool("greet")
async def awaits(name: str) -> str:
    """Ask how to greet somebody, twice."""
    return f"{name}: {await ainterrupt(f'first {name}')}, {await ainterrupt(f'second {name}')}"


@tool("greet")
async def plain(name: str) -> str:
    """Ask how to greet somebody, twice, with a function that cannot be awaited."""
    return f"{name}: {interrupt(f'first {name}')}, {interrupt(f'second {name}')}"


def compiled(function: Any) -> Any:
    return StateGraph(MessagesState).add_node("tools", ToolNode([function])).add_edge(START, "tools").compile()


def given(names: List[str]) -> Any:
    asked: Any = [{"name": "greet", "args": {"name": name}, "id": f"call {name}"} for name in names]
    return {"messages": [AIMessage("", tool_calls=asked)]}


def check(output: Any, names: List[str]) -> None:
    said = [message.content for message in output["messages"][1:]]
    assert said == [f"{name}: <first {name}>, <second {name}>" for name in names]


@pytest.mark.parametrize(("function", "asynchronous"), [(greet, False), (greet, True), (awaits, True), (plain, True)])
def test_no_answer_is_swapped(function: Any, asynchronous: bool) -> None:
    graph, random = compiled(function), Random(function.description)
    options: Any = {"version": "v2", "interrupts": "live"}

    def answer(stream: Any) -> None:
        asked = stream.questions  # as they are now: tools go on asking meanwhile
        for question in random.sample(asked, len(asked)):
            if random.random() < 0.6 or len(asked) == 1:
                stream.answer(question.id, f"<{question.value}>")

    def sync_run(names: List[str]) -> Any:
        stream = graph.stream(given(names), heartbeat=0.001, **options)
        for _ in stream:
            answer(stream)
        return stream.output

    async def async_run(names: List[str]) -> Any:
        stream = graph.astream(given(names), heartbeat=0.001, **options)
        async for _ in stream:
            answer(stream)
        return stream.output

    async def async_runs() -> None:
        for names in all_names:
            check(await async_run(names), names)

    all_names = [random.sample("abcdefgh", random.randint(2, 8)) for _ in range(RUNS)]
    if asynchronous:
        asyncio.run(async_runs())
    for names in () if asynchronous else all_names:
        check(sync_run(names), names)
