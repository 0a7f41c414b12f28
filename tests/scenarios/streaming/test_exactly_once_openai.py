"""Each message is shown exactly once, through a real ChatOpenAI: whatever its ids are, and however a node returns it.

Both APIs of the loopback server answer; the Responses API in both forms that ChatOpenAI makes of it.
"""

from __future__ import annotations

import asyncio
import re
from functools import reduce
from itertools import product
from operator import add
from typing import Any, Callable, Dict, List, Tuple

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langchain_openai import ChatOpenAI
from typing_extensions import Annotated

from scenarios.streaming.exactly_once_cases import (
    APIS,
    FORMS,
    IDS,
    REPLIES,
    STATES,
    TOOL_CALLS,
    Case,
    Models,
    alternating,
    cases_of,
    check_each_once,
    check_tokens,
    check_usage,
    copied,
    covering,
    essence,
    history,
    speaker,
    text_of,
)
from scenarios.streaming.exactly_once_cases import models as models
from scenarios.streaming.model_call_graphs import asker, graph_of
from scenarios.streaming.provider import collect
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import ToolNode, create_react_agent
from streamgraph.types import Command

HEADS = [*product(FORMS, IDS, APIS)]
CASES = covering(HEADS)
SAME = covering([("the same object", *rest) for rest in product(IDS, APIS)] * 2)


def test_all_pairs_are_covered() -> None:
    """There is a case for any two values; form, ids and API are combined in all ways anyhow."""
    possible = [case for head in HEADS for case in cases_of(head)]
    assert set().union(*(case.pairs for case in CASES)) == set().union(*(case.pairs for case in possible))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_once(models: Models, case: Case) -> None:
    """The tokens add up to the model's message, nothing else is shown, and the state has it once."""
    seen: List[Any] = []
    ask = asker(models(case.api, case.ids), case.call)
    graph = graph_of(STATES.get(case.form, MessagesState), talk=speaker(ask, FORMS[case.form], seen))

    chunks = collect(graph, {"messages": history(case.reply)}, case.driver, stream_mode=["messages", "values"])

    (final,) = seen
    shown = [data for mode, data in chunks if mode == "messages"]
    check_tokens(shown, final)
    check_usage(final, case.reply)
    assert text_of(final) == REPLIES[case.reply].text
    assert [call["id"] for call in final.tool_calls] == [call.id for call in REPLIES[case.reply].tool_calls]
    *before, stored = chunks[-1][1]["messages"]
    assert before == history(case.reply)
    assert (type(stored), text_of(stored)) == (AIMessage, REPLIES[case.reply].text)
    # ChatOpenAI gives the message an id that comes in with a later chunk only in these.
    if case.api != "responses v0" and (case.api, case.ids) != ("chat", "last"):
        assert shown[0][0].id == final.id


@pytest.mark.parametrize(("reply", "api", "ids", "driver"), alternating(["text", "calls"], [*APIS], IDS))
def test_yielded(models: Models, reply: str, api: str, ids: str, driver: str) -> None:
    """A node that yields the chunks of the model it streams, and then returns their sum, shows them once."""
    model = models(api, ids)
    seen: List[Any] = []

    def talk(state: MessagesState) -> Any:
        chunks = []
        for chunk in model.stream(state["messages"]):
            chunks.append(chunk)
            yield chunk
        seen.append(reduce(add, chunks))
        return {"messages": seen}

    async def atalk(state: MessagesState) -> Any:
        chunks = []
        async for chunk in model.astream(state["messages"]):
            chunks.append(chunk)
            yield chunk
        seen.append(reduce(add, chunks))
        yield {"messages": seen}

    graph = graph_of(MessagesState, talk=atalk if driver == "astream" else talk)

    check_tokens(collect(graph, {"messages": history(reply)}, driver, stream_mode="messages"), seen[0])


# A message that was changed

CHANGES: Dict[str, Callable[[Any], BaseMessage]] = {
    "in place of it": lambda message: copied(message, content=text_of(message) + " Ha!"),
    "beside it": lambda message: copied(message, content=text_of(message) + " Ha!", id="mine"),
    "in a new message": lambda message: AIMessage(text_of(message) + " Ha!"),
    "with a call": lambda message: copied(message, tool_calls=[{"name": "f", "args": {}, "id": "1"}]),
    "without its calls": lambda message: AIMessage(text_of(message), id=message.id),
}


@pytest.mark.parametrize(("change", "api", "ids", "driver"), alternating([*CHANGES], [*APIS], IDS))
def test_changed(models: Models, change: str, api: str, ids: str, driver: str) -> None:
    """A message with other content or calls is shown once more, whole."""
    seen: List[Any] = []
    reply = "calls" if change == "without its calls" else "text"
    ask = asker(models(api, ids), "invoke" if driver == "stream" else "ainvoke")
    graph = graph_of(MessagesState, talk=speaker(ask, lambda message, _: {"messages": CHANGES[change](message)}, seen))

    chunks = collect(graph, {"messages": history(reply)}, driver, stream_mode=["messages", "values"])

    *tokens, (shown, _) = [data for mode, data in chunks if mode == "messages"]
    check_tokens(tokens, seen[0])
    stored = chunks[-1][1]["messages"][-1]
    assert (type(shown), shown.id, essence(shown)) == (type(stored), stored.id, essence(stored))
    assert essence(shown) == essence(CHANGES[change](seen[0]))


# The state and the modes

MODES: List[Any] = [
    "messages",
    "updates",
    "values",
    ["messages", "updates", "values", "custom", "tasks", "debug"],
    None,
]


def output_of(graph: Any, given: Any, driver: str, mode: Any) -> Any:
    """The state after a run in a mode, or after `invoke`."""
    if driver == "stream":
        if mode is None:
            return graph.invoke(given)
        stream = graph.stream(given, stream_mode=mode)
        list(stream)
        return stream.output

    async def run() -> Any:
        if mode is None:
            return await graph.ainvoke(given)
        stream = graph.astream(given, stream_mode=mode)
        async for _ in stream:
            pass
        return stream.output

    return asyncio.run(run())


def in_essence(message: Any) -> Tuple[Any, ...]:
    """What there is to a message in the state, whether it came as a stream or not."""
    return (
        type(message),
        text_of(message),
        getattr(message, "tool_calls", None),
        getattr(message, "usage_metadata", None),
    )


def in_full(message: Any) -> str:
    """All there is to a message but ids and times."""
    dumped = repr(message.model_dump(exclude={"id"}))
    return re.sub(r"run-+[-0-9a-f]{36}|[0-9a-f]{32,}|(?<='created_at': )[\d.]+", "…", dumped)


@pytest.mark.parametrize("case", SAME, ids=str)
def test_modes_do_not_change_the_state(models: Models, case: Case) -> None:
    """The state after the run is the same whatever was asked for, and has the usage."""
    ask = asker(models(case.api, case.ids), case.call)
    graph = graph_of(MessagesState, talk=speaker(ask, FORMS[case.form], []))

    given = {"messages": history(case.reply)}
    states = [output_of(graph, given, case.driver, mode)["messages"] for mode in MODES]

    for messages in states:
        check_usage(messages[-1], case.reply)
        assert [*map(in_essence, messages)] == [*map(in_essence, states[0])]
        if case.call in ("stream", "astream"):  # else ChatOpenAI's own messages differ
            assert [*map(in_full, messages)] == [*map(in_full, states[0])]


# Where models are asked

PLACES = ["graph as node", "graph in graph as node", "graph in node"]


@pytest.mark.parametrize(("place", "api", "ids", "driver"), alternating(PLACES, [*APIS], IDS))
def test_nested(models: Models, place: str, api: str, ids: str, driver: str) -> None:
    """What a nested graph shows is not shown again by the node around it, with and without namespaces."""
    seen: List[Any] = []
    reply = "calls" if ids in ("every", "changing") else "reasoning"
    call = "invoke" if driver == "stream" else "ainvoke"
    inner = graph_of(MessagesState, talk=speaker(asker(models(api, ids), call), FORMS["a copy"], seen))

    async def arun(state: Any) -> Any:
        return {"messages": (await inner.ainvoke(state))["messages"]}

    def run(state: Any) -> Any:
        return {"messages": inner.invoke(state)["messages"]}

    outer = {
        "graph as node": inner,
        "graph in graph as node": graph_of(MessagesState, middle=inner),
        "graph in node": arun if driver == "astream" else run,
    }[place]
    graph = graph_of(MessagesState, outer=outer)
    given = {"messages": history(reply)}

    check_tokens(collect(graph, given, driver, stream_mode="messages"), seen[-1])
    check_tokens([data for _, data in collect(graph, given, driver, stream_mode="messages", subgraphs=True)], seen[-1])


def tool_of(model: ChatOpenAI, seen: List[Any], driver: str, *, commands: bool = False) -> Any:
    """A tool that asks the model, and answers with the text or, in a command, with the message as well."""

    def result(message: Any, call_id: str) -> Any:
        seen.append(message)
        if not commands:
            return text_of(message)
        return Command(update={"messages": [ToolMessage(text_of(message), tool_call_id=call_id), copied(message)]})

    if driver == "astream":

        @tool("ask")
        async def aask(topic: str, call_id: Annotated[str, InjectedToolCallId]) -> Any:
            """Ask."""
            return result(await model.ainvoke(topic), call_id)

        return aask

    @tool
    def ask(topic: str, call_id: Annotated[str, InjectedToolCallId]) -> Any:
        """Ask."""
        return result(model.invoke(topic), call_id)

    return ask


@pytest.mark.parametrize(("answers", "api", "ids", "driver"), alternating(["text", "command"], [*APIS], IDS))
def test_in_tools(models: Models, answers: str, api: str, ids: str, driver: str) -> None:
    """Two tools at once ask the model: their tokens are shown once, and once their answers."""
    seen: List[Any] = []
    node = ToolNode([tool_of(models(api, ids), seen, driver, commands=answers == "command")])
    made = [{"name": call.name, "args": call.arguments, "id": call.id} for call in TOOL_CALLS]
    given = {"messages": [AIMessage("", tool_calls=made, id="asking")]}

    shown = collect(graph_of(MessagesState, tools=node), given, driver, stream_mode="messages")

    check_each_once(shown, seen, ["call_1", "call_2"])
    assert sorted(map(text_of, seen)) == sorted([REPLIES["text"].text, REPLIES["reasoning"].text])


@pytest.mark.parametrize(("api", "ids", "driver"), [*product(APIS, IDS, ("stream", "astream"))])
def test_agent(models: Models, api: str, ids: str, driver: str) -> None:
    """An agent that calls two such tools at once: each message once, and in the state what was shown."""
    seen: List[Any] = []
    agent = create_react_agent(models(api, ids), [tool_of(models(api, ids), seen, driver)])
    given = {"messages": [HumanMessage("calls", id="question")]}

    chunks = collect(agent, given, driver, stream_mode=["messages", "values"])

    stored = chunks[-1][1]["messages"]
    assert [message.type for message in stored] == ["human", "ai", "tool", "tool", "ai"]
    own = [message for message in stored if isinstance(message, AIMessage)]
    check_each_once([data for mode, data in chunks if mode == "messages"], [*own, *seen], ["call_1", "call_2"])
    for message, reply in zip(own, ("calls", "summary")):
        check_usage(message, reply)


@pytest.mark.parametrize(("api", "ids", "driver"), [*product(APIS, IDS, ("stream", "astream"))])
def test_two_nodes(models: Models, api: str, ids: str, driver: str) -> None:
    """Two nodes at once get the same answer, and a third one returns both again: that is two messages, each once."""
    seen: Dict[str, List[Any]] = {"one": [], "other": []}
    ask = asker(models(api, ids), "invoke" if driver == "stream" else "ainvoke")
    builder = StateGraph(MessagesState)
    for name, finals in seen.items():
        builder.add_node(name, speaker(ask, FORMS["a list"], finals))
        builder.add_edge(START, name).add_edge(name, "again")
    builder.add_node("again", lambda state: {"messages": [copied(message) for message in state["messages"]]})

    shown = collect(builder.compile(), {"messages": history("text")}, driver, stream_mode="messages")

    groups = {name: [item for item in shown if item[1]["langgraph_node"] == name] for name in seen}
    assert len(shown) == sum(map(len, groups.values()))
    assert len({group[0][0].id for group in groups.values()}) == len(groups)
    for name, (final,) in seen.items():
        check_tokens(groups[name], final)
