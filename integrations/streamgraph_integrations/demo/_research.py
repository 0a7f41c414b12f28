"""One researcher of the desk: a nested graph of a model and a tool."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated, Dict, List, Sequence

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import BaseTool, tool
from typing_extensions import TypedDict

from streamgraph.graph import START, CompiledStateGraph, StateGraph, add_messages
from streamgraph.prebuilt import ToolNode, tools_condition
from streamgraph.types import StreamWriter
from streamgraph_integrations.demo._story import RESEARCH, SHELF, asked, passages

_PER_BOOK = 0.3
"""Seconds that looking into a book takes."""


class Task(TypedDict):
    """What one researcher is asked."""

    question: str
    task: str


class Found(TypedDict):
    """What one researcher hands in."""

    notes: Annotated[List[str], operator.add]


class Research(Task, Found):
    """The state of one researcher."""

    messages: Annotated[List[AnyMessage], add_messages]


def shelf_tool(pace: float) -> BaseTool:
    """Return the tool that searches the shelf.

    Args:
        pace: By how much its pauses are longer than they are made for.
    """

    @tool
    async def search_shelf(query: str, writer: StreamWriter) -> str:
        """Search the books on the desk's shelf for a few words, and return what they say."""
        for number, (title, _) in enumerate(SHELF, 1):
            writer({"searching": f"{title} for {query}", "book": f"{number} of {len(SHELF)}"})
            await asyncio.sleep(_PER_BOOK * pace)
        found = [f"{title}: {text}" for title, text in passages(query)]
        return "\n\n".join(found) or "No book on the shelf says anything about this."

    return search_shelf


def researcher(model: BaseChatModel, pace: float) -> CompiledStateGraph:
    """Return the graph of one researcher: it asks its model, which searches once and then takes notes.

    Args:
        model: The model; its tokens have the tag `notes`.
        pace: By how much the pauses of the tool are longer than they are made for.
    """
    search = shelf_tool(pace)
    # It has to search: a small model would rather make something up.
    searching = model.bind_tools([search], tool_choice="any").with_config(tags=["search"])
    noting = model.with_config(tags=["notes"])

    async def ask(state: Research) -> Dict[str, object]:
        so_far: Sequence[BaseMessage] = state.get("messages", [])
        request = asked(state["question"], task=state["task"])
        prompt: List[BaseMessage] = [SystemMessage(RESEARCH), HumanMessage(request), *so_far]
        if not any(isinstance(message, ToolMessage) for message in so_far):
            return {"messages": [_searches(await searching.ainvoke(prompt), state["task"])]}
        note = await noting.ainvoke(prompt)
        return {"messages": [note], "notes": [str(note.content).strip()]}

    builder = StateGraph(Research, input_schema=Task, output_schema=Found)
    builder.add_node("ask", ask).add_node("tools", ToolNode([search]))
    builder.add_edge(START, "ask").add_conditional_edges("ask", tools_condition).add_edge("tools", "ask")
    return builder.compile(name="researcher")


def _searches(answer: BaseMessage, task: str) -> BaseMessage:
    """Return an answer that calls the tool: small models cannot always be made to, and then the task is looked for."""
    if isinstance(answer, AIMessage) and answer.tool_calls:
        return answer
    call = {"name": "search_shelf", "args": {"query": task}, "id": f"search-{answer.id}", "type": "tool_call"}
    return AIMessage(answer.content, id=answer.id, tool_calls=[call])
