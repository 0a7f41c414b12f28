"""What a reader gets equals what `stream` gives, for graphs of every kind in every mode."""

from __future__ import annotations

import asyncio
import operator
import re
from typing import Any, Callable, Dict, List, Tuple

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import Annotated, TypedDict

from streamgraph.config import get_stream_writer
from streamgraph.func import entrypoint, task
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.prebuilt import ToolNode, tools_condition
from streamgraph.testing import check_stream
from streamgraph.types import Command, Send
from support.models import scripted
from support.talking import plain

MODES = ["values", "updates", "custom", "messages", "tools", "tasks", "debug", "objects", "checkpoints"]
_THREADS = re.compile(r"'thread_id': (\"[^\"]*\"|'[^']*')")
_TIMES = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(\+00:00|Z)?")


def with_tools() -> Any:
    """An agent whose tool writes, speaks and runs a graph."""
    loud = scripted(["LOUD", "!"])
    inner = StateGraph(MessagesState).add_node("shout", lambda state: {"messages": [loud.invoke("?")]})
    shouting = inner.add_edge(START, "shout").compile()

    @tool
    def shout(what: str) -> str:
        """Shout."""
        get_stream_writer()({"what": what})
        return str(shouting.invoke({"messages": [("user", what)]})["messages"][-1].content)

    def ask(state: Any) -> Any:
        if any(message.type == "tool" for message in state["messages"]):
            return {"messages": [AIMessage("done", id="last")]}
        call = {"name": "shout", "args": {"what": "hey"}, "id": "call", "type": "tool_call"}
        return {"messages": [AIMessage("", tool_calls=[call], id="first")]}

    builder = StateGraph(MessagesState).add_node("ask", ask).add_node("tools", ToolNode([shout]))
    builder.add_edge(START, "ask").add_conditional_edges("ask", tools_condition).add_edge("tools", "ask")
    return builder.compile()


class Sums(TypedDict, total=False):
    """A state that is added up."""

    items: Annotated[List[str], operator.add]


def with_sends() -> Any:
    """A graph of graphs that are sent to, one after the other, with commands."""

    def one(state: Any) -> Any:
        get_stream_writer()(state["items"][-1])
        return Command(update={"items": ["one"]}, goto="two")

    inner = StateGraph(Sums).add_node("one", one).add_node("two", lambda state: {"items": ["two"]})
    graph = inner.add_edge(START, "one").compile()
    builder = StateGraph(Sums).add_node("inner", graph).add_node("begin", lambda state: {"items": ["begin"]})
    builder.add_edge(START, "begin")
    return builder.add_conditional_edges("begin", lambda state: [Send("inner", {"items": ["sent"]})]).compile()


def a_workflow() -> Any:
    """A workflow with tasks and a model."""
    model = scripted(["so", " it", " is"])

    @task
    def speak(what: str) -> str:
        return str(model.invoke(what).content)

    @entrypoint()
    def work(given: Any) -> Any:
        get_stream_writer()("working")
        return speak("?").result() + speak("??").result()

    return work


def saved() -> Any:
    """A graph with a saver, so that there are checkpoints."""
    builder = StateGraph(Sums).add_node("a", lambda state: {"items": ["a"]}).add_node("b", lambda state: {"items": []})
    return builder.add_edge(START, "a").add_edge("a", "b").compile(checkpointer=InMemorySaver())


GRAPHS: Dict[str, Tuple[Callable[[], Any], Any]] = {
    "tools": (with_tools, {"messages": [("user", "hi")]}),
    "sends": (with_sends, {"items": ["0"]}),
    "workflow": (a_workflow, "go"),
    "saved": (saved, {"items": ["0"]}),
}


def same(chunk: object) -> str:
    """A chunk as a text that is the same in each run.

    A tool's message gets its id when it enters the state, on the object itself: who reads `tools` late sees it.
    """
    text = _TIMES.sub("<time>", plain(chunk)).replace("name='shout', id='<id>'", "name='shout'")
    return _THREADS.sub("<thread>", text)


@pytest.mark.parametrize("kind", list(GRAPHS))
@pytest.mark.parametrize("starter", ["start", "astart"])
def test_every_mode(starter: str, kind: str) -> None:
    """Alone and all together, in both formats, with and without nested graphs."""
    make, given = GRAPHS[kind]
    graph = make()
    config: Dict[str, Any] = {"configurable": {"thread_id": "1"}}
    cases: List[Dict[str, Any]] = [
        {"stream_mode": mode, "subgraphs": subgraphs, "version": version}
        for mode in MODES
        for subgraphs in (None, True)
        for version in ("v1", "v2")
    ]
    cases += [{"stream_mode": [mode for mode in MODES if mode != "debug"], "subgraphs": True}]

    def expected(options: Dict[str, Any]) -> List[str]:
        fresh = {"configurable": {"thread_id": str(options)}}
        return list(map(same, graph.stream(given, fresh, **options)))

    async def read() -> List[List[str]]:
        run = graph.start(given, config, record=MODES)
        if starter == "astart":
            run.result()
            run = await graph.astart(given, {"configurable": {"thread_id": "2"}}, record=MODES)
        await run
        found = []
        for options in cases:
            found.append([same(chunk) async for chunk in run.astream(**options)])
        return found

    for options, found in zip(cases, asyncio.run(read())):
        assert found == expected(options), options


@pytest.mark.parametrize("kind", list(GRAPHS))
def test_readers_keep_the_rules_of_a_stream(kind: str) -> None:
    """The order and the exactly-once rules hold for a reader that is there from the first, and for a late one."""
    make, given = GRAPHS[kind]
    run = make().start(given, {"configurable": {"thread_id": "1"}}, record=MODES)
    modes = ["values", "updates", "custom", "messages", "tasks"]
    for _ in ("live", "late"):
        check_stream(list(run.stream(modes, subgraphs=True, version="v2")))
