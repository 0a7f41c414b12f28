"""Graphs whose first attempt fails after it has shown something, and that think before they speak."""

from __future__ import annotations

from typing import Any, List

from langchain_core.messages import AIMessageChunk

from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.testing import ScriptedModel
from streamgraph.types import RetryPolicy


def retrying(cycle: bool = False) -> Any:
    """A node that speaks wrong words, fails, and is tried again; with `cycle` in every run."""
    model = ScriptedModel([["wrong ", "words"], ["right ", "words"]], cycle=cycle)
    tried: List[int] = []

    async def say(state: Any) -> Any:
        answer = await model.ainvoke("?")
        tried.append(1)
        if len(tried) == 1 or (cycle and len(tried) % 2):
            raise ConnectionError("gone")
        return {"messages": [answer]}

    policy = RetryPolicy(initial_interval=0.001, retry_on=ConnectionError)
    return StateGraph(MessagesState).add_node("say", say, retry_policy=policy).add_edge(START, "say").compile()


def thinking() -> Any:
    """A model that thinks, then speaks."""
    thoughts = [AIMessageChunk("", additional_kwargs={"reasoning_content": text}) for text in ("hm ", "so")]
    model = ScriptedModel([[*thoughts, "it ", "is"]], cycle=True)

    async def say(state: Any) -> Any:
        return {"messages": [await model.ainvoke("?")]}

    return StateGraph(MessagesState).add_node("say", say).add_edge(START, "say").compile()
