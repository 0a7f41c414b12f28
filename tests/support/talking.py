"""A graph that shows something in every mode, and what is equal in two runs of it."""

from __future__ import annotations

import re
from typing import Any, Dict

from streamgraph.config import get_stream_writer
from streamgraph.graph import START, MessagesState, StateGraph
from support.models import scripted

GIVEN: Dict[str, Any] = {"messages": [("user", "hello")]}

_IDS = re.compile(r"(lc_)?(run-*)?[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}(-0)?")


def talking(asynchronous: bool = False) -> Any:
    """A graph of a writing node, a speaking node, a nested graph that speaks, and one that returns a message."""
    quiet, loud = scripted(["quiet", " words"], tags=["quiet"]), scripted(["LOUD", " WORDS", "!"], tags=["loud"])

    def write(state: Any) -> Any:
        writer = get_stream_writer()
        writer({"at": 1})
        writer("two")

    def speak(state: Any) -> Any:
        return {"messages": [quiet.invoke("?")]}

    async def aspeak(state: Any) -> Any:
        return {"messages": [await quiet.ainvoke("?")]}

    def shout(state: Any) -> Any:
        get_stream_writer()("below")
        return {"messages": [loud.invoke("?")]}

    def end(state: Any) -> Any:
        return {"messages": [("ai", "the end")]}

    inner = StateGraph(MessagesState).add_node("shout", shout).add_edge(START, "shout").compile()
    builder = StateGraph(MessagesState)
    nodes = {"write": write, "speak": aspeak if asynchronous else speak, "inner": inner, "end": end}
    before = START
    for name, node in nodes.items():
        builder.add_node(name, node).add_edge(before, name)
        before = name
    return builder.compile()


def plain(chunk: object) -> str:
    """A chunk as a text that is the same in each run."""
    return _IDS.sub("<id>", repr(chunk))
