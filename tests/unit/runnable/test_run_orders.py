"""Orders of runs as text, for workers in other processes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.runs import MemoryLog, RunOrder, read_order
from streamgraph.serialization import SerializationError
from streamgraph.types import Command, Send

CONFIG = {"configurable": {"thread_id": "t"}, "run_id": "9f1c2f8e-5a1b-4b63-9d0c-6a4d2f3b1a00"}
OPTIONS = {"record": ("values", "messages"), "subgraphs": True}


@pytest.mark.parametrize(
    "given",
    [None, {"messages": [HumanMessage("hi", id="m")]}, Command(resume={"q": 1}, goto=(Send("say", {"a": 1}),))],
)
def test_an_order_is_read_as_it_was_written(given: Any) -> None:
    order = RunOrder("9f1c2f8e-5a1b-4b63-9d0c-6a4d2f3b1a00", "agent", "t", given, CONFIG, OPTIONS)
    assert read_order(order.to_json()) == order
    assert read_order(order.to_json().encode()) == order


def test_a_worker_starts_the_run_of_an_order() -> None:
    graph = StateGraph(MessagesState).add_node(
        "say",
        lambda state: {
            "messages": [
                (
                    "ai",
                    "ho",
                )
            ]
        },
    )
    compiled: Any = graph.add_edge(START, "say").compile()
    text = RunOrder(CONFIG["run_id"], "agent", None, {"messages": [HumanMessage("hi")]}, CONFIG, OPTIONS).to_json()

    async def work() -> Any:
        order = read_order(text)
        run = await compiled.astart(order.given, order.config, log=MemoryLog(), **order.options)
        return run.id, (await run)["messages"][-1].content

    assert asyncio.run(work()) == (CONFIG["run_id"], "ho")


def test_what_is_no_order_is_refused() -> None:
    with pytest.raises(SerializationError):
        read_order("{")
