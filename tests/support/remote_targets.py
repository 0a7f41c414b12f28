"""What workers run in tests of nodes that run elsewhere."""

from __future__ import annotations

import asyncio
import os
import operator
from dataclasses import dataclass
from typing import Annotated, List

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from typing_extensions import TypedDict

from streamgraph import START, StateGraph, get_stream_writer
from streamgraph.graph import MessagesState


def model(*texts: str):
    return GenericFakeChatModel(messages=iter([AIMessage(text, id=f"m-{number}") for number, text in enumerate(texts)]))


async def talk(state):
    """Two messages with tokens, one without, custom data, and a hidden one."""
    writer = get_stream_writer()
    writer({"at": "start"})
    answer = await model("one two three").ainvoke(state["messages"], {"tags": ["joke"]})
    await model("secret words").ainvoke("x", {"tags": ["nostream"]})
    writer("end")
    return {"messages": [answer, AIMessage("whole", id="w")]}


def talk_in_a_thread(state, config):
    get_stream_writer()(sorted(config["configurable"].get("thread_id", "")))
    return {"messages": model("four five").invoke(state["messages"], config)}


class Inner(TypedDict, total=False):
    messages: Annotated[list, operator.add]
    private: str


def inner_graph():
    """A graph with a state of its own, one node that talks and one that does not."""
    builder = StateGraph(MessagesState)
    builder.add_node("talk", talk)
    builder.add_node("after", lambda state: {"messages": [AIMessage("after", id="a")]})
    builder.add_edge(START, "talk")
    builder.add_edge("talk", "after")
    return builder.compile(name="inner")
