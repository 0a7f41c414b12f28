"""What the tests of the page's examples share."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from typing_extensions import TypedDict

from scenarios.page.runner import PACKAGE, engine

# langgraph 0.6, the last one for Python 3.9, makes langchain-core warn about a default.
pytestmark = (
    [pytest.mark.filterwarnings("ignore:The default value of `allowed_objects` will change")]
    if PACKAGE == "langgraph"
    else []
)

REFINED = {"refine_topic": {"topic": "ice cream and cats"}}
JOKED = {"generate_joke": {"joke": "This is a joke about ice cream and cats"}}
PROGRESS = [
    {"data": "已检索 0/100 条记录", "type": "progress"},
    {"data": "已检索 100/100 条记录", "type": "progress"},
]


class State(TypedDict, total=False):
    """The state of the graphs that the tests put where the page leaves the graph to the reader."""

    topic: str
    joke: str
    poem: str
    result: str
    answer: str


def langgraph_fails(reason: str, raises: Any, *, below_311: bool = False) -> pytest.MarkDecorator:
    """Marks what streamgraph promises beyond LangGraph; strict, so it also shows that LangGraph does fail there."""
    # Never in a run of our own package: the mark is only there when the same tests are turned on LangGraph.
    condition = PACKAGE == "langgraph" and (not below_311 or sys.version_info < (3, 11))
    return pytest.mark.xfail(condition, reason=reason, raises=raises, strict=True)


needs_context_in_async_runs = langgraph_fails(
    "below Python 3.11 `astream` loses the context: no writer, no tokens",
    (RuntimeError, KeyError, AssertionError),
    below_311=True,
)


def graph_of(*nodes: Any, state: Any = State) -> Any:
    """A graph that runs all nodes in one step, each under the name of its function."""
    graph = engine()
    builder = graph.StateGraph(state)
    for node in nodes:
        builder.add_node(node)
        builder.add_edge(graph.START, node.__name__)
    return builder.compile()


def chunks(graph: Any, inputs: Any, **options: Any) -> list[Any]:
    """All chunks of `stream`."""
    return list(graph.stream(inputs, **options))


def achunks(graph: Any, inputs: Any, **options: Any) -> list[Any]:
    """All chunks of `astream`."""

    async def collect() -> list[Any]:
        return [chunk async for chunk in graph.astream(inputs, **options)]

    return asyncio.run(collect())


def texts(messages: list[Any], **metadata: Any) -> list[str]:
    """The non-empty tokens of a `messages` stream whose metadata has these values."""
    return [
        message.content
        for message, found in messages
        if message.content and all(found[key] == value for key, value in metadata.items())
    ]


def assert_streamed(tokens: list[str], text: str) -> None:
    """The tokens are the text, and they are really several."""
    assert "".join(tokens) == text
    assert len(tokens) > 3


def without_timestamps(events: list[Any]) -> list[Any]:
    """`debug` chunks without what differs from run to run: the time and the task ids."""
    return [
        {**event, "timestamp": None, "payload": {**event["payload"], "id": None}, "step": event["step"]}
        for event in events
    ]


def items_graph(run_example: Any) -> Any:
    """The graph of the example; the page imports `get_stream_writer` in an earlier block."""
    return run_example("18_any_llm_full", get_stream_writer=engine("config").get_stream_writer)["graph"]
