"""Messages that are made inside a tool name the call that the tool answers, at every depth."""

from __future__ import annotations

import asyncio
from typing import Any, Dict, List, Optional, Set

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from streamgraph import START, MessagesState, StateGraph
from streamgraph.prebuilt import ToolNode

DRIVERS = ("stream", "astream")


def model(text: str) -> GenericFakeChatModel:
    """A model that streams one message, word by word."""
    return GenericFakeChatModel(messages=iter([AIMessage(text)]))


def call(number: int, name: str = "ask") -> Any:
    """A tool call."""
    return {"name": name, "args": {"topic": f"topic {number}"}, "id": f"call-{number}", "type": "tool_call"}


async def talk(state: MessagesState) -> Any:
    """A sub-agent's model."""
    return {"messages": [await model(f"about {state['messages'][-1].content}").ainvoke("?")]}


AGENT = StateGraph(MessagesState).add_node(talk).add_edge(START, "talk").compile()


@tool
async def ask(topic: str) -> str:
    """Ask a sub-agent."""
    answer = await AGENT.ainvoke({"messages": [("user", topic)]})
    return f"heard: {answer['messages'][-1].content}"


def calls_of(graph: Any, given: Any, driver: str) -> Dict[str, Set[Optional[str]]]:
    """For each message that was streamed the calls it was tied to, by its text."""
    texts: Dict[str, str] = {}
    calls: Dict[str, Set[Optional[str]]] = {}

    def take(item: Any) -> None:
        chunk, metadata = item
        texts[chunk.id] = texts.get(chunk.id, "") + str(chunk.content)
        calls.setdefault(chunk.id, set()).add(metadata.get("tool_call_id"))

    async def acollect() -> List[Any]:
        return [item async for item in graph.astream(given, stream_mode="messages")]

    for item in graph.stream(given, stream_mode="messages") if driver == "stream" else asyncio.run(acollect()):
        take(item)
    return {texts[id_]: found for id_, found in calls.items()}


@pytest.mark.parametrize("driver", DRIVERS)
def test_two_calls_of_one_tool(driver: str) -> None:
    """Two calls at once of one tool that runs one graph are told apart; what the node returns belongs to none."""
    graph = StateGraph(MessagesState).add_node(ToolNode([ask])).add_edge(START, "tools").compile()
    given = {"messages": [AIMessage("", tool_calls=[call(1), call(2)])]}
    assert calls_of(graph, given, driver) == {
        "about topic 1": {"call-1"},
        "about topic 2": {"call-2"},
        "heard: about topic 1": {None},
        "heard: about topic 2": {None},
    }


@pytest.mark.parametrize("driver", DRIVERS)
def test_model_in_a_tool(driver: str) -> None:
    """A model that the tool calls itself; before and after the tools there is no call."""

    @tool
    def think(topic: str) -> str:
        """Think."""
        return f"thought: {model(f'thinking of {topic}').invoke('?').content}"

    def around(state: MessagesState) -> Any:
        model("before or after").invoke("?")
        return {}

    graph = (
        StateGraph(MessagesState)
        .add_node("before", around)
        .add_node("tools", ToolNode([think]))
        .add_node("after", around)
        .add_edge(START, "before")
        .add_edge("before", "tools")
        .add_edge("tools", "after")
        .compile()
    )
    found = calls_of(graph, {"messages": [AIMessage("", tool_calls=[call(1, "think")])]}, driver)
    assert found == {
        "before or after": {None},
        "thinking of topic 1": {"call-1"},
        "thought: thinking of topic 1": {None},
    }
