"""A small agent, as applications have it: a model that asks for tools, tools that write, and a loop between them."""

import asyncio
from typing import Any, List

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from typing_extensions import Literal

from streamgraph.config import get_stream_writer
from streamgraph.graph import END, START, MessagesState, StateGraph
from streamgraph_integrations.openai_server import OpenAIServer, Reply, ToolCall


@tool
def look_up(city: str) -> str:
    """Look up the weather of a city."""
    writer = get_stream_writer()
    writer({"looking up": city})
    return f"Sunny in {city}."


def answer(body: Any) -> Reply:
    """Ask for two tools at once, then sum up what they said."""
    said = [message for message in body["messages"] if message["role"] == "tool"]
    if said:
        return Reply("In short: " + " ".join(message["content"] for message in said))
    return Reply(tool_calls=[ToolCall("look_up", {"city": "Rome"}), ToolCall("look_up", {"city": "Oslo"})])


def agent(model: Any, asynchronous: bool) -> Any:
    """The graph: agent -> tools -> agent … -> end."""
    speaking = model.bind_tools([look_up])

    def think(state: MessagesState):
        return {"messages": [speaking.invoke(state["messages"])]}

    async def athink(state: MessagesState):
        return {"messages": [await speaking.ainvoke(state["messages"])]}

    def act(state: MessagesState):
        return {"messages": [look_up.invoke(call) for call in state["messages"][-1].tool_calls]}

    async def aact(state: MessagesState):
        return {"messages": await asyncio.gather(*map(look_up.ainvoke, state["messages"][-1].tool_calls))}

    def goes_on(state: MessagesState) -> Literal["act", "__end__"]:
        return "act" if state["messages"][-1].tool_calls else END

    builder = StateGraph(MessagesState)
    builder.add_node("think", athink if asynchronous else think).add_node("act", aact if asynchronous else act)
    builder.add_edge(START, "think").add_conditional_edges("think", goes_on).add_edge("act", "think")
    return builder.compile()


def events(graph: Any, driver: str) -> List[Any]:
    """The chunks of a run, short."""
    start = {"messages": [HumanMessage("How is the weather?", id="question")]}
    options = {"stream_mode": ["messages", "custom", "updates"]}
    if driver == "stream":
        chunks = list(graph.stream(start, **options))
    else:

        async def collect() -> List[Any]:
            return [chunk async for chunk in graph.astream(start, **options)]

        chunks = asyncio.run(collect())
    return [_short(mode, data) for mode, data in chunks]


def _short(mode: str, data: Any) -> Any:
    if mode == "custom":
        return data["looking up"]
    if mode == "updates":
        return f"{next(iter(data))} done"
    message, metadata = data
    if isinstance(message, ToolMessage):
        return f"tool: {message.content}"
    return (metadata["langgraph_node"], message.content, [call.get("args") for call in message.tool_call_chunks])


@pytest.mark.parametrize("driver", ["stream", "astream"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_agent(driver: str, asynchronous: bool) -> None:
    """Call deltas, tool writes, tool messages and the final tokens come in order, each once, under the right node."""
    with OpenAIServer(answer, delay=0) as server:
        model = ChatOpenAI(model="gpt-4o-mini", base_url=server.base_url, api_key="none")
        seen = events(agent(model, asynchronous), driver)

    marks = [event for event in seen if isinstance(event, str)]
    cities = marks[1:3]
    assert marks[0] == "think done"
    assert sorted(cities) == ["Oslo", "Rome"]
    assert marks[3:] == ["tool: Sunny in Rome.", "tool: Sunny in Oslo.", "act done", "think done"]
    deltas = [event for event in seen[: seen.index("think done")] if event[2]]
    assert "".join(text for _, _, args in deltas for text in args if text) == '{"city": "Rome"}{"city": "Oslo"}'
    last = [event for event in seen[seen.index("act done") :] if not isinstance(event, str)]
    assert {node for node, _, _ in last} == {"think"}
    assert "".join(text for _, text, _ in last) == "In short: Sunny in Rome. Sunny in Oslo."
    assert [request.streamed for request in server.requests] == [True, True]
