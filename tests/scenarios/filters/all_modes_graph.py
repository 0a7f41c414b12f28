"""A graph in which everything streams that can: models, writers, tools, tasks, returned messages, nested graphs."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, Iterator, List, Optional

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from typing_extensions import Annotated, TypedDict

from streamgraph import END, START, StateGraph, add_messages
from streamgraph.config import get_stream_writer
from streamgraph.func import task

DRIVERS = ("stream", "astream")
ALL = ["values", "updates", "messages", "custom", "tools", "tasks", "debug"]
GIVEN = {"topic": "cats"}
CONFIG = {"tags": ["run"]}
USAGE = UsageMetadata(input_tokens=3, output_tokens=2, total_tokens=5)

NODES = (
    "plan talk note look nested caller tasker tell end inner_talk inner_note called_talk called_deep deep_talk fetch"
).split()
"""The nodes of the scenario, those of its nested graphs and its tasks included."""

TAGS = ["run", "planning", "joke", "poem", "inner", "deep"]

KEYS = dict.fromkeys(("said", "inside it", "the end"), "messages")
KEYS.update(dict.fromkeys(("noted", "inner noted", "deep down"), "notes"))
"""The state keys of the messages that nodes return, by their texts; all other messages are tokens of models."""

FETCHERS = {"look_up": "look", "fetch_tool": "fetch", "deep_tool": "called_deep"}
"""In which node each tool is called."""


class State(TypedDict, total=False):
    """The state of the graphs."""

    topic: str
    answer: str
    messages: Annotated[List[AnyMessage], add_messages]
    notes: Annotated[List[AnyMessage], add_messages]


class CountingModel(GenericFakeChatModel):
    """A fake model that says what a call has used, with its last chunk if it streams."""

    def _stream(
        self,
        messages: List[BaseMessage],
        stop: Optional[List[str]] = None,
        run_manager: Optional[CallbackManagerForLLMRun] = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        yield from super()._stream(messages, stop, run_manager, **kwargs)
        yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=USAGE))

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        result = super()._generate(*args, **kwargs)
        result.generations[0].message.usage_metadata = USAGE
        return result


def model(text: str, *tags: str) -> Any:
    """A model that always says the same, word by word."""
    return CountingModel(messages=(AIMessage(text) for _ in itertools.count()), tags=list(tags))


def chain(state: Any = State, /, **nodes: Any) -> Any:
    """A graph that runs these nodes one after the other."""
    builder = StateGraph(state)
    for name, node in nodes.items():
        builder.add_node(name, node)
    for start, end in zip([START, *nodes], [*nodes, END]):
        builder.add_edge(start, end)
    return builder.compile()


def asks(runnable: Any, key: Optional[str] = None, name: str = "") -> Any:
    """A node that asks a model and writes its text, or under a key its message; with custom data around it."""

    def ask(state: State) -> Any:
        write = get_stream_writer()
        write({"from": name, "asks": True})
        answer = runnable.invoke("q")
        write({"from": name, "asks": False})
        return {"answer": answer.content} if key is None else {key: [answer]}

    return ask


@tool
def look_up(topic: str) -> str:
    """Look something up."""
    get_stream_writer()({"from": "look", "looked up": topic})
    return model("a poem about it", "poem").invoke(topic).content


@tool
def fetch_tool(topic: str) -> str:
    """Fetch something."""
    get_stream_writer()({"from": "fetch", "fetched": topic})
    return topic.upper()


@tool
def deep_tool(topic: str) -> str:
    """Do something deep down."""
    get_stream_writer()({"from": "called_deep", "deep": topic})
    return topic


@task
def fetch(topic: str) -> str:
    """A task that a node calls: it asks a model and calls a tool."""
    text = model("fetched it", "joke", "poem").invoke(topic).content
    return text + fetch_tool.invoke({"topic": topic})


def plain(state: State) -> Any:
    """A node that makes messages up, for two keys."""
    get_stream_writer()({"from": "note"})
    return {"messages": [AIMessage("said")], "notes": AIMessage("noted")}


async def look(state: State) -> Any:
    """A node on the loop that calls a tool."""
    await asyncio.sleep(0)
    await look_up.ainvoke({"topic": state["topic"]})
    return None


def tasker(state: State) -> Any:
    """A node that calls tasks."""
    for topic in ("one", "two"):
        fetch(topic).result()
    get_stream_writer()({"from": "tasker"})


def tell(state: State) -> Any:
    """A generator: its words are tokens of the message that it returns, its mapping is custom data."""
    yield "told "
    yield {"from": "tell"}
    yield "twice"
    return {"notes": AIMessage("told twice")}


def scenario() -> Any:
    """A step, then seven nodes at once, then a last step; with graphs as nodes, in nodes, and in those."""
    deep = chain(deep_talk=asks(model("deep down", "deep", "joke"), "notes", "deep_talk"))

    def called_deep(state: State) -> Any:
        deep_tool.invoke({"topic": "deep"})
        return {"notes": deep.invoke({"topic": "deep"})["notes"]}

    inner = chain(
        inner_talk=asks(model("inside it", "inner").with_config(tags=["poem"]), "messages", "inner_talk"),
        inner_note=lambda state: {"notes": [AIMessage("inner noted")]},
    )
    called = chain(called_talk=asks(model("called for", "inner"), None, "called_talk"), called_deep=called_deep)

    async def caller(state: State) -> Any:
        get_stream_writer()({"from": "caller"})
        return {"notes": (await called.ainvoke({"topic": "call"}))["notes"]}

    def end(state: State) -> Any:
        return {"answer": model("at last").invoke("q").content, "messages": AIMessage("the end")}

    middle = {
        "talk": asks(model("ha ha", "joke"), "messages", "talk"),
        "note": plain,
        "look": look,
        "nested": inner,
        "caller": caller,
        "tasker": tasker,
        "tell": tell,
    }
    builder = StateGraph(State)
    builder.add_node("plan", asks(model("the plan is", "planning"), "messages", "plan"))
    builder.add_node("end", end)
    builder.add_edge(START, "plan")
    for name, node in middle.items():
        builder.add_node(name, node)
        builder.add_edge("plan", name)
    builder.add_edge(list(middle), "end")
    return builder.compile()
