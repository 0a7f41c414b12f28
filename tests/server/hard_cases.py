"""Graphs whose streams are hard to show: much at once, nested, changed afterwards, asked about, run by a provider."""

import asyncio
import operator
from typing import Any, Dict, List

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.tools import tool
from typing_extensions import Annotated, TypedDict

from server.graphs import WORDS, one_node, speaking
from streamgraph.config import get_stream_writer
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import ToolRuntime, create_react_agent
from streamgraph.testing import ScriptedModel


def calls(*words: str, name: str = "look_up") -> AIMessage:
    """A message that calls a tool with each of some words at once."""
    made = [{"name": name, "args": {"word": word}, "id": f"call-{place}"} for place, word in enumerate(words, 1)]
    return AIMessage("", tool_calls=made)


def side_by_side() -> Any:
    """Three nodes that speak at the same time, and a node that asks two models at once."""

    def speaker(text: str) -> Any:
        model = ScriptedModel([[f"{text}1 ", f"{text}2"]], cycle=True)

        async def speak(state: Any) -> Any:
            return {"messages": [await model.ainvoke("?")]}

        return speak

    one, other = ScriptedModel([["d1 ", "d2"]], cycle=True), ScriptedModel([["e1 ", "e2"]], cycle=True)

    async def both(state: Any) -> Any:
        return {"messages": await asyncio.gather(one.ainvoke("?"), other.ainvoke("?"))}

    builder = StateGraph(MessagesState).add_node("both", both).add_edge(START, "both")
    for name in "abc":
        builder.add_node(name, speaker(name)).add_edge(START, name)
    return builder.compile()


def graphs_in_tools() -> Any:
    """An agent that calls a tool twice at once, in which a graph speaks and writes."""
    inner = speaking()

    @tool
    async def look_up(word: str) -> str:
        """Look a word up."""
        get_stream_writer()({"word": word})
        return str((await inner.ainvoke({"messages": [("user", word)]}))["messages"][-1].content)

    return create_react_agent(ScriptedModel([calls("ice", "tea"), ["do", "ne"]], cycle=True), [look_up])


def nested_twice() -> Any:
    """A graph in a graph in a graph, and a node that calls one twice at the same time."""
    innermost = speaking()
    inner = one_node(innermost, "inner")

    async def twice(state: Any) -> Any:
        first, _ = await asyncio.gather(innermost.ainvoke(state), innermost.ainvoke(state))
        return {"messages": first["messages"]}

    builder = StateGraph(MessagesState).add_sequence([("outer", inner), ("twice", twice)])
    return builder.add_edge(START, "outer").compile()


def reviewed(shape: str = "hitl") -> Any:
    """An agent with a tool that a person has to allow, and one that runs at once."""

    @tool
    def pay(word: str) -> str:
        """Pay somebody."""
        return f"paid {word}"

    @tool
    def look_up(word: str) -> str:
        """Look a word up."""
        return f"{word} is a word"

    message = calls("ada", "bob", name="pay")
    message.tool_calls.append({"name": "look_up", "args": {"word": "ice"}, "id": "call-3", "type": "tool_call"})
    review: Any = {"pay": {"allowed_decisions": ["approve", "reject", "edit"], "shape": shape}}
    model = ScriptedModel([message, ["do", "ne"]], cycle=True)
    return create_react_agent(model, [pay, look_up], interrupt_on=review)


def redacting() -> Any:
    """A node that changes a message that another one has streamed."""
    model = ScriptedModel([WORDS], cycle=True)

    async def say(state: Any) -> Any:
        return {"messages": [await model.ainvoke("?")]}

    def redact(state: Any) -> Any:
        return {"messages": [state["messages"][-1].model_copy(update={"content": "redacted"})]}

    return StateGraph(MessagesState).add_sequence([say, redact]).add_edge(START, "say").compile()


def with_blocks() -> Any:
    """A model whose provider searches the web, quotes what it has found, and draws a picture."""
    blocks: List[Any] = [
        [{"type": "thinking", "thinking": "hm", "index": 0}],
        [{"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}, "index": 1}],
        [{"type": "input_json_delta", "partial_json": '{"query":', "index": 1}],
        [{"type": "input_json_delta", "partial_json": ' "ice"}', "index": 1}],
        [{"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"url": "https://ice"}], "index": 2}],
        [{"type": "text", "text": "Ice ", "index": 3}],
        [{"type": "text", "text": "is.", "index": 3, "citations": [{"url": "https://ice", "title": "Ice"}]}],
        [{"type": "image", "base64": "aWNl", "mime_type": "image/png", "index": 4}],
    ]
    return speaking(script=[[AIMessageChunk(block) for block in blocks]])


class Counted(TypedDict, total=False):
    """A state with a list that grows, and without messages."""

    pages: Annotated[List[str], operator.add]
    count: int
    words: Dict[str, Any]


def counting() -> Any:
    """A graph of three steps over such a state; a model in it speaks beside the state."""
    model = ScriptedModel([WORDS], cycle=True)

    async def look(state: Counted) -> Any:
        await model.ainvoke("?")
        return {"pages": ["a page"], "count": state.get("count", 0) + 1}

    def keep(state: Counted) -> Any:
        return {"pages": ["more"], "words": {"a/b": {"~": len(state["pages"])}}}

    def change(state: Counted) -> Any:
        return {"words": {"a/b": {"~": 0}, "c": None}}

    return StateGraph(Counted).add_sequence([look, keep, change]).add_edge(START, "look").compile()


def slow_tool() -> Any:
    """An agent whose tool tells how far it is."""

    @tool
    def look_up(word: str, runtime: ToolRuntime) -> str:
        """Look a word up."""
        for piece in ("half ", "way"):
            runtime.emit_output_delta(piece)
        return word

    return create_react_agent(ScriptedModel([calls("ice"), ["done"]], cycle=True), [look_up])
