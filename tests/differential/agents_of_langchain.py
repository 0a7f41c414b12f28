"""A program that was written for LangGraph: agents of `langchain`, or of LangGraph where langchain has none of its own.

It is run as it stands, by Python and by `python -m streamgraph`, and prints what each agent shows, a line of JSON each.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import sys
from typing import Any, Callable, Dict, Iterator, List

import langchain.agents
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import create_react_agent
from langgraph.types import Command, Interrupt
from pydantic import BaseModel

from streamgraph.testing import ScriptedModel

Agent = Callable[[], Any]
AGENTS: Dict[str, Agent] = {}
REVIEWERS: Dict[str, List[Any]] = {}
"""What a person says to an agent, in turn: the answer to its question, or to several by the tools' names."""

MODES = ["updates", "values", "messages", "custom"]
THREAD: Any = {"configurable": {"thread_id": "1"}}


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


def reviewed(*answers: Any) -> Callable[[Agent], Agent]:
    """Have an agent run that a person answers."""

    def decorate(make: Agent) -> Agent:
        REVIEWERS[make.__name__] = list(answers)
        return agent(make)

    return decorate


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
        HumanInTheLoopMiddleware,
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

    REJECTED = {"type": "reject", "message": "too much"}
    EDITED = {"type": "edit", "edited_action": {"name": "add", "args": {"a": 3, "b": 4}}}

    def asking_person(**options: Any) -> Any:
        """An agent that asks a person before it adds, three times at once."""
        calls = [{"name": "add", "args": {"a": number, "b": 1}, "id": f"call-{number}"} for number in range(3)]
        people: Any = HumanInTheLoopMiddleware({"add": True}, **options)
        model = script(AIMessage("let me see", tool_calls=calls), "that is it")
        return create_agent(model, [add], middleware=[people], checkpointer=InMemorySaver())

    @reviewed({"decisions": [{"type": "approve"}, EDITED, REJECTED]})
    def asking_once() -> Any:
        """One question for all calls."""
        return asking_person()

    if "interrupt_mode" in inspect.signature(HumanInTheLoopMiddleware).parameters:

        @reviewed({"call-1": EDITED}, {"call-0": REJECTED, "call-2": {"type": "approve"}})
        def asking_each() -> Any:
            """A question for each call, one of which is answered before the others."""
            return asking_person(interrupt_mode="per_call")


def plain(value: Any) -> Any:
    """Return what can be compared of a value."""
    if isinstance(value, BaseMessage):
        calls = [(call["name"], call["args"], call["id"]) for call in getattr(value, "tool_calls", ())]
        return [type(value).__name__, value.content, value.name, value.id, calls]
    if isinstance(value, Interrupt):
        return ["asked", plain(value.value)]
    if isinstance(value, dict):
        asked = (
            {"__interrupt__": sorted(map(plain, value["__interrupt__"]), key=str)} if "__interrupt__" in value else {}
        )
        return {**{str(key): plain(item) for key, item in value.items()}, **asked}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return {"model": value.model_dump()} if isinstance(value, BaseModel) else value


def shown(chunk: Any) -> List[Any]:
    """Return a chunk without what is promised to be different: empty last chunks and tags, questions beside values."""
    namespace, mode, data = chunk
    if mode != "messages":
        shown_data = {key: item for key, item in data.items() if mode != "values" or key != "__interrupt__"}
        return [[plain(namespace), mode, plain(shown_data)]]
    message, metadata = data
    if isinstance(message, AIMessageChunk) and not message.content and not message.tool_call_chunks:
        return []
    return [[plain(namespace), mode, plain(message), metadata["langgraph_node"], metadata["langgraph_step"]]]


def inputs(name: str, graph: Any) -> Iterator[Any]:
    """Yield what an agent is given in turn, in the same thread."""
    yield {"messages": [("user", "what is it?")]}
    for answer in REVIEWERS.get(name, ()):
        asked = {question.value.get("tool_call_id"): question.id for question in graph.get_state(THREAD).interrupts}
        by_id = {asked[call]: given for call, given in answer.items() if call in asked}
        yield Command(resume=by_id or answer)


def invoked(name: str) -> List[Any]:
    """Return what an agent returns, each time."""
    graph = AGENTS[name]()
    return [plain(graph.invoke(given, THREAD)) for given in inputs(name, graph)]


async def ainvoked(name: str) -> List[Any]:
    """Return what an agent returns, async."""
    graph = AGENTS[name]()
    return [plain(await graph.ainvoke(given, THREAD)) for given in inputs(name, graph)]


def streamed(name: str) -> List[Any]:
    """Return what a stream shows."""
    graph = AGENTS[name]()
    streams = (graph.stream(given, THREAD, stream_mode=MODES, subgraphs=True) for given in inputs(name, graph))
    return [part for stream in streams for chunk in stream for part in shown(chunk)]


async def astreamed(name: str) -> List[Any]:
    """Return what an async stream shows."""
    graph, parts = AGENTS[name](), []
    for given in inputs(name, graph):
        async for chunk in graph.astream(given, THREAD, stream_mode=MODES, subgraphs=True):
            parts += shown(chunk)
    return parts


IDS = re.compile(r"(?:lc_)?(?:run-+)?[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")


def in_any_order(name: str, parts: List[Any]) -> List[Any]:
    """Return what a stream shows; of reviewed calls, which run side by side, sorted, once, and without random ids."""
    return sorted({IDS.sub("id", json.dumps(part)) for part in parts}) if name in REVIEWERS else parts


def numbered(told: Any) -> Any:
    """Return what was told with numbers for random ids."""
    seen: Dict[str, str] = {}
    return json.loads(IDS.sub(lambda found: seen.setdefault(found[0], f"id {len(seen)}"), json.dumps(told)))


def main() -> None:
    """Run each agent in four ways, or with `--sync` in two."""
    for name in AGENTS:
        told = {"invoke": invoked(name), "stream": in_any_order(name, streamed(name))}
        if "--sync" not in sys.argv:
            told["ainvoke"] = asyncio.run(ainvoked(name))
            told["astream"] = in_any_order(name, asyncio.run(astreamed(name)))
        print(name, json.dumps({way: numbered(what) for way, what in told.items()}), flush=True)


if __name__ == "__main__":
    main()
