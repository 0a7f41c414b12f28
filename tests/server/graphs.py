"""Graphs to serve."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from streamgraph.config import get_stream_writer
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import create_react_agent
from streamgraph.testing import Gate, ScriptedModel
from streamgraph.types import interrupt

HI: Dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}
WORDS = ["one ", "two ", "three ", "four"]
TEXT = "one two three four"


def one_node(node: Any, name: str = "say") -> Any:
    """A graph of one node."""
    return StateGraph(MessagesState).add_node(name, node).add_edge(START, name).compile()


def speaking(asynchronous: bool = True, gate: Optional[Gate] = None, script: Any = None) -> Any:
    """A graph whose node asks a model once, which says four words."""
    model = ScriptedModel([WORDS] if script is None else script, cycle=True, gate=gate)

    async def asay(state: Any) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def say(state: Any) -> Any:
        return {"messages": [model.invoke(state["messages"])]}

    return one_node(asay if asynchronous else say)


def full_of_events() -> Any:
    """A graph with custom data, a nested graph that speaks, and a message that is no model's."""
    model = ScriptedModel([WORDS], cycle=True)

    def write(state: Any) -> Any:
        get_stream_writer()({"at": 1})

    async def shout(state: Any) -> Any:
        return {"messages": [await model.ainvoke("?")]}

    def end(state: Any) -> Any:
        return {"messages": [("ai", "the end")]}

    inner = one_node(shout, "shout")
    builder = StateGraph(MessagesState).add_sequence([("write", write), ("inner", inner), ("end", end)])
    return builder.add_edge(START, "write").compile()


def asking() -> Any:
    """A graph that asks a person before it answers."""

    def ask(state: Any) -> Any:
        return {"messages": [("ai", f"you said {interrupt('may I?')}")]}

    return one_node(ask, "ask")


def failing(error: BaseException) -> Any:
    """A graph that fails after a word."""
    model = ScriptedModel([["well "]], cycle=True)

    async def fail(state: Any) -> Any:
        await model.ainvoke("?")
        raise error

    return one_node(fail, "fail")


def agent() -> Any:
    """An agent that calls a tool, then answers."""

    @tool
    def look_up(word: str) -> str:
        """Look a word up."""
        return f"{word} is a word"

    call = AIMessage("", tool_calls=[{"name": "look_up", "args": {"word": "ice"}, "id": "call-1"}])
    script: List[Any] = [call, ["It ", "is."]]
    return create_react_agent(ScriptedModel(script, cycle=True), [look_up])
