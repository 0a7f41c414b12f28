"""A thread that waits with a tool's question, beside tools that had finished, is continued by the other library."""

from __future__ import annotations

from collections import Counter
from typing import Any, Tuple

import langgraph.graph
import langgraph.prebuilt
import langgraph.types
import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

import streamgraph.graph
import streamgraph.prebuilt
import streamgraph.types

CONFIG: Any = {"configurable": {"thread_id": "1"}}


def graph_of(library: Any, saver: Any) -> Tuple[Any, Counter[str]]:
    ran: Counter[str] = Counter()

    @tool
    def quick() -> str:
        """Finishes."""
        ran["quick"] += 1
        return "quick"

    @tool
    def ask() -> str:
        """Asks."""
        ran["ask"] += 1
        return str(library.types.interrupt("go on?"))

    builder = library.graph.StateGraph(library.graph.MessagesState)
    builder.add_node("tools", library.prebuilt.ToolNode([quick, ask])).add_edge("__start__", "tools")
    return builder.compile(checkpointer=saver), ran


@pytest.mark.parametrize(
    ("first", "second", "again"),
    [
        # LangGraph passes over the results that this package has kept.
        (streamgraph, langgraph, {"quick": 1, "ask": 1}),
        (streamgraph, streamgraph, {"ask": 1}),
    ],
    ids=["langgraph continues", "alone"],
)
def test_the_other_one_goes_on(first: Any, second: Any, again: Any) -> None:
    saver = InMemorySaver()
    calls: Any = [{"name": name, "args": {}, "id": f"id {name}"} for name in ("quick", "ask")]
    asked = graph_of(first, saver)[0].invoke({"messages": [AIMessage("", tool_calls=calls)]}, CONFIG)
    assert [question.value for question in asked["__interrupt__"]] == ["go on?"]
    graph, ran = graph_of(second, saver)
    output = graph.invoke(second.types.Command(resume="yes"), CONFIG)
    assert [message.content for message in output["messages"][1:]] == ["quick", "yes"]
    assert ran == again
    assert not graph.get_state(CONFIG).next
