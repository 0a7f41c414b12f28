"""`astream_events`: the events of a graph, and of a chain that contains one, are those of LangGraph.

Left out on both sides is what follows from how a Runnable that is a node is called: we invoke it, LangGraph streams
it, so it has one event more there and shows its input later.
"""

from __future__ import annotations

import asyncio
import importlib
import operator
from typing import Any, Dict, List, Tuple

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import tool
from typing_extensions import Annotated, TypedDict

from differential.harness import ASYNC_REFERENCE

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:langgraph"),
]


class State(TypedDict):
    """A state with a list and a number."""

    x: Annotated[list, operator.add]
    y: int


@tool
def shout(q: str) -> str:
    """Shout."""
    return f"{q}!"


def model() -> GenericFakeChatModel:
    """A model that streams one message, word by word."""
    return GenericFakeChatModel(messages=iter([AIMessage("hello world")] * 3))


async def talks(state: Any, config: RunnableConfig) -> Any:
    """Call a model and a tool."""
    message = await model().ainvoke("a", config)
    await shout.ainvoke({"q": "z"}, config)
    return {"x": [message.content]}


def counts(state: Any) -> Any:
    """Write a number."""
    return {"y": 2}


def nothing(state: Any) -> None:
    """Write nothing."""


def plain(graph: Any, types: Any) -> Any:
    """Nodes one after the other."""
    made = graph.StateGraph(State).add_node("talks", talks).add_node("counts", counts).add_node("nothing", nothing)
    made.add_edge("__start__", "talks").add_edge("talks", "counts").add_edge("counts", "nothing")
    return made.compile()


def branching(graph: Any, types: Any) -> Any:
    """A conditional edge, a `Command`, and metadata of a node."""

    def jumps(state: Any) -> Any:
        return types.Command(update={"y": 3}, goto="nothing")

    def route(state: Any) -> str:
        return "jumps"

    made = graph.StateGraph(State).add_node("counts", counts, metadata={"of": "node"}).add_node("jumps", jumps)
    made.add_node("nothing", nothing).add_edge("__start__", "counts")
    made.add_conditional_edges("counts", route, ["jumps", "nothing"])
    return made.compile()


def nested(graph: Any, types: Any) -> Any:
    """A graph as a node, two deep, with a model at the bottom."""
    made = plain(graph, types)
    for _ in range(2):
        made = graph.StateGraph(State).add_node("inner", made).add_edge("__start__", "inner").compile()
    return made


def sent(graph: Any, types: Any) -> Any:
    """`Send`s from a conditional edge of the start."""
    made = graph.StateGraph(State).add_node("counts", counts)
    made.add_conditional_edges("__start__", lambda state: [types.Send("counts", {"y": 1})])
    return made.compile()


def runnable(graph: Any, types: Any) -> Any:
    """Runnables as nodes."""
    made = graph.StateGraph(State).add_node("lambda", RunnableLambda(counts)).add_edge("__start__", "lambda")
    return made.compile()


GRAPHS = (plain, branching, nested, sent, runnable)


def shape(event: Any) -> Tuple[Any, ...]:
    """What an event says, without ids and order of keys.

    How deep a run is in the tree LangGraph knows from Python 3.11 on; that we know it everywhere is a test of its own.
    """
    metadata = {
        key: value for key, value in event["metadata"].items() if key in ("langgraph_node", "langgraph_step", "of")
    }
    data: Dict[str, Any] = {}
    for key, value in event["data"].items():
        data[key] = getattr(value, "content", repr(sorted(value.items())) if isinstance(value, dict) else repr(value))
    return (
        event["event"],
        event["name"],
        sorted(event["tags"]),
        metadata,
        len(event["parent_ids"]) if ASYNC_REFERENCE else None,
        data,
    )


def kept(event: Any) -> bool:
    """Whether an event is compared."""
    if event["metadata"].get("langgraph_node") == "__start__":
        return False  # the hidden task of the start's branches is no run with us
    within = "seq:step:1" in event["tags"]
    return not (within and event["event"] in ("on_chain_stream", "on_chain_start"))


def events(package: str, build: Any, *, chained: bool) -> List[Tuple[Any, ...]]:
    """The events of a graph, or of a chain that begins with it."""
    made: Any = build(importlib.import_module(f"{package}.graph"), importlib.import_module(f"{package}.types"))
    if chained:
        made = RunnableLambda(lambda given: given) | made
    config: Any = {"tags": ["of run"], "metadata": {"of": "run"}}

    async def collect() -> List[Tuple[Any, ...]]:
        stream = made.astream_events({"x": [], "y": 0}, config, version="v2")
        return [shape(event) async for event in stream if kept(event)]

    return asyncio.run(collect())


@pytest.mark.parametrize("chained", [False, True], ids=["graph", "chain"])
@pytest.mark.parametrize("build", GRAPHS, ids=lambda build: build.__name__)
def test_events(build: Any, chained: bool) -> None:
    """The same events, in the same order, with the same names, tags, metadata, parents and data."""
    theirs, ours = events("langgraph", build, chained=chained), events("streamgraph", build, chained=chained)
    if chained:
        # The sum of our chunks is the final state (Q11); langchain-core shows the last chunk, which carries it.
        theirs, ours = theirs[:-1], [event for event in ours[:-1] if event[-1].get("chunk") != "[]"]
    assert ours == theirs


@pytest.mark.parametrize("chained", [False, True], ids=["graph", "chain"])
def test_each_token_once(chained: bool) -> None:
    """Each token is one event, three graphs deep as well."""
    shown = events("streamgraph", nested, chained=chained)
    assert [event[-1]["chunk"] for event in shown if event[0] == "on_chat_model_stream"] == ["hello", " ", "world"]


def test_depth() -> None:
    """A run has its parents on every Python: the graph, the node, the graph inside, its node, and so on."""

    async def collect() -> Dict[str, int]:
        made = nested(importlib.import_module("streamgraph.graph"), None)
        shown = made.astream_events({"x": [], "y": 0}, version="v2")
        return {event["name"]: len(event["parent_ids"]) async for event in shown if "start" in event["event"]}

    depths = asyncio.run(collect())
    assert (depths["talks"], depths["GenericFakeChatModel"], depths["shout"], depths["counts"]) == (5, 6, 6, 5)
