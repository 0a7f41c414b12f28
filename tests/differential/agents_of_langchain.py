"""A program that was written for LangGraph: agents of `langchain`, or of LangGraph where langchain has none of its own.

It is run as it stands, by Python and by `python -m streamgraph`, and prints what each agent shows, a line of JSON each.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, Callable, Dict, List

import langchain.agents
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import create_react_agent
from pydantic import BaseModel

from streamgraph.testing import ScriptedModel

Agent = Callable[[], Any]
AGENTS: Dict[str, Agent] = {}
MODES = ["updates", "values", "messages", "custom"]


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    get_stream_writer()({"adding": [a, b]})
    return a + b


class Weather(BaseModel):
    """The weather of a place."""

    degrees: int
    sky: str


def asking(name: str, number: str = "1", **arguments: Any) -> AIMessage:
    """An answer of a model that calls a tool."""
    return AIMessage("let me see", tool_calls=[{"name": name, "args": arguments, "id": f"call-{number}"}])


def script(*answers: Any) -> ScriptedModel:
    """A model that gives these answers."""
    return ScriptedModel(list(answers))


def agent(make: Agent) -> Agent:
    """Have an agent run."""
    AGENTS[make.__name__] = make
    return make


@agent
def react() -> Any:
    """The agent of LangGraph itself."""
    return create_react_agent(script(asking("add", a=1, b=2), "three it is"), [add], name="react")


@agent
def react_in_a_graph() -> Any:
    """It is a node of another graph."""
    inner = create_react_agent(script(asking("add", a=1, b=2), "three it is"), [add], name="inner")
    return StateGraph(MessagesState).add_node("inner", inner).add_edge(START, "inner").compile()


if hasattr(langchain.agents, "create_agent"):
    from langchain.agents import create_agent
    from langchain.agents.middleware import (
        AgentMiddleware,
        ModelCallLimitMiddleware,
        SummarizationMiddleware,
        TodoListMiddleware,
        ToolRetryMiddleware,
        hook_config,
    )
    from langchain.agents.structured_output import ToolStrategy

    class Again(AgentMiddleware):
        """Sends the agent back to its model once: a key that holds a value for one step only says so."""

        @hook_config(can_jump_to=["model"])
        def after_agent(self, state: Any, runtime: Any) -> Any:
            """Jump if the model has answered once."""
            return {"jump_to": "model", "messages": [HumanMessage("again")]} if len(state["messages"]) < 3 else None

    @agent
    def tools() -> Any:
        """An agent with a tool."""
        return create_agent(script(asking("add", a=1, b=2), "three it is"), [add], system_prompt="calculate")

    @agent
    def structured() -> Any:
        """An agent with structured output, which is right at the second attempt."""
        answers = asking("Weather", degrees="hot"), asking("Weather", "2", degrees=30, sky="blue")
        return create_agent(script(*answers), [add], response_format=ToolStrategy(Weather))

    @agent
    def jumping() -> Any:
        """An agent whose middleware sends it back."""
        return create_agent(script("first", "second"), [add], middleware=[Again()])

    @agent
    def limited() -> Any:
        """An agent whose model calls are limited."""
        model = script(*[asking("add", str(number), a=number, b=1) for number in range(5)])
        return create_agent(model, [add], middleware=[ModelCallLimitMiddleware(run_limit=2)])

    @agent
    def planning() -> Any:
        """An agent with a list of things to do, retries and summaries."""
        model = script(asking("write_todos", todos=[{"content": "add", "status": "pending"}]), "it is planned")
        short = SummarizationMiddleware(script("a summary"), trigger=("messages", 50))
        return create_agent(model, [add], middleware=[TodoListMiddleware(), ToolRetryMiddleware(), short])


def plain(value: Any) -> Any:
    """Return what can be compared of a value."""
    if isinstance(value, BaseMessage):
        calls = [(call["name"], call["args"], call["id"]) for call in getattr(value, "tool_calls", ())]
        return [type(value).__name__, value.content, value.name, value.id, calls]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return {"model": value.model_dump()} if isinstance(value, BaseModel) else value


def shown(chunk: Any) -> List[Any]:
    """Return a chunk without what is promised to be different: empty last chunks, empty lists of tags."""
    namespace, mode, data = chunk
    if mode != "messages":
        return [[plain(namespace), mode, plain(data)]]
    message, metadata = data
    if isinstance(message, AIMessageChunk) and not message.content and not message.tool_call_chunks:
        return []
    return [[plain(namespace), mode, plain(message), metadata["langgraph_node"], metadata["langgraph_step"]]]


async def collect(graph: Any, given: Any) -> List[Any]:
    """Return what an async stream shows."""
    return [part async for chunk in graph.astream(given, stream_mode=MODES, subgraphs=True) for part in shown(chunk)]


IDS = re.compile(r"(?:lc_)?(?:run-+)?[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")


def numbered(told: Any) -> Any:
    """Return what was told with numbers for random ids."""
    seen: Dict[str, str] = {}
    return json.loads(IDS.sub(lambda found: seen.setdefault(found[0], f"id {len(seen)}"), json.dumps(told)))


def main() -> None:
    """Run each agent in four ways."""
    given = {"messages": [("user", "what is it?")]}
    for name, make in AGENTS.items():
        streamed = make().stream(given, stream_mode=MODES, subgraphs=True)
        told = {
            "invoke": plain(make().invoke(given)),
            "ainvoke": plain(asyncio.run(make().ainvoke(given))),
            "stream": [part for chunk in streamed for part in shown(chunk)],
            "astream": asyncio.run(collect(make(), given)),
        }
        print(name, json.dumps({way: numbered(what) for way, what in told.items()}), flush=True)


if __name__ == "__main__":
    main()
