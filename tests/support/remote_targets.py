"""What workers run in tests of nodes that run elsewhere, and the graphs around it."""

from __future__ import annotations

import asyncio
import operator
import os
import re
import time
from dataclasses import dataclass
from typing import Annotated, Any, Iterator, List

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from pydantic import BaseModel

from streamgraph import START, StateGraph, get_stream_writer
from streamgraph.config import get_config
from streamgraph.func import task
from streamgraph.graph import MessagesState
from streamgraph.prebuilt import create_react_agent
from streamgraph.runtime import get_runtime
from streamgraph.testing import ScriptedModel
from streamgraph.types import Command, Send, interrupt

HERE = "support.remote_targets"

GIVEN = {"messages": [("user", "hi")]}


class State(MessagesState, total=False):
    """The state of the graphs around the nodes."""

    value: Any
    log: str


def model(*texts: str) -> GenericFakeChatModel:
    return GenericFakeChatModel(messages=iter([AIMessage(text, id=f"m-{text[:3]}") for text in texts]))


def graph_of(node, **options):
    """A graph with one node, and others that only a route leads to."""
    builder = StateGraph(State)
    builder.add_node("n", node, **options)
    builder.add_node("other", lambda state: {"log": "other"})
    builder.add_node("sent", lambda given: {"value": f"sent {given}"})
    builder.add_edge(START, "n")
    return builder


def normal(chunk: object) -> str:
    """A chunk as text, without what no two runs have in common."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[^'\"]+", "TIME", repr(chunk))
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(lc_)?run--?[-0-9a-f]+", "ID", text)
    # A process notes the versions of the packages that it has imported.
    text = re.sub(r"'lc_versions': \{[^}]*\}", "'lc_versions': {}", text)
    # A tool's message gets its id when it enters the state: the event was shown before, and may be read after it.
    return re.sub(r"('event': 'tool-finished'.*) id='ID',", r"\1", text)


# What is the same, wherever it runs.


async def talk(state):
    """Tokens, a message without, custom data, and a hidden message."""
    writer = get_stream_writer()
    writer({"at": "start"})
    answer = await model("one two three").ainvoke(state["messages"], {"tags": ["joke"]})
    hidden = await model("secret words").ainvoke("x", {"tags": ["nostream"]})
    writer("end")
    return {"messages": [answer, hidden, AIMessage("whole", id="w")]}


def talk_in_a_thread(state, config):
    get_stream_writer()((config["configurable"]["thread_id"], config["tags"], config["metadata"]["mine"]))
    return {"messages": model("four five").invoke(state["messages"], config)}


def chain():
    said = RunnableLambda(lambda messages: model("six seven"))
    return RunnableLambda(lambda state: state["messages"]) | said | (lambda said: {"messages": [said]})


def inner_graph():
    """A graph with a state of its own."""

    class Inner(MessagesState, total=False):
        private: str

    builder = StateGraph(Inner)
    builder.add_node("talk", talk)
    builder.add_node("after", lambda state: {"messages": [AIMessage("after", id="a")], "private": "p"})
    builder.add_edge(START, "talk")
    builder.add_edge("talk", "after")
    return builder.compile(name="inner")


@task
def doubled(number: int) -> int:
    return 2 * number


@tool
def weigh(thing: str) -> str:
    """Weigh a thing."""
    get_stream_writer()({"weighing": thing})
    return f"{thing}: 3 kg"


def agent():
    """An agent with a tool, which streams its tool events."""
    call = {"name": "weigh", "args": {"thing": "egg"}, "id": "call-1"}
    said = AIMessage("", id="m-call", tool_calls=[call])
    return create_react_agent(ScriptedModel([said, AIMessage("It is heavy.", id="m-said")], cycle=True), [weigh])


def calls_tasks(state):
    return {"value": [doubled(1).result(), doubled(2).result()]}


async def generates(state):
    yield "a "
    yield "b"
    yield {"custom": 1}
    yield {"log": "generated"}


def routes(state):
    return [Command(update={"messages": [AIMessage("routed", id="r")]}, goto="other")]


def sends(state):
    return [Command(update={"log": "sends"}), Send("sent", {"number": 1})]


class Plan(BaseModel):
    """A pydantic model in the state."""

    steps: List[str] = []


@dataclass
class Point:
    """A dataclass in the state."""

    x: int


def returns_objects(state):
    return {"value": (Plan(steps=["a"]), Point(1), {1, 2}, b"\x00")}


class OwnError(Exception):
    """An exception with a constructor of its own."""

    def __init__(self, code: int, *, place: str) -> None:
        super().__init__(f"{code} at {place}")
        self.code = code


async def fails(state):
    get_stream_writer()("before")
    try:
        raise KeyError("inside")
    except KeyError as error:
        raise OwnError(7, place="here") from error


ALIKE = {
    "talk": talk,
    "talk_in_a_thread": talk_in_a_thread,
    "chain()": chain,
    "inner_graph()": inner_graph,
    "agent()": agent,
    "calls_tasks": calls_tasks,
    "generates": generates,
    "routes": routes,
    "sends": sends,
    "returns_objects": returns_objects,
}
"""Nodes by the names of their references."""


def local(name: str):
    """What a reference names, here."""
    found = ALIKE[name]
    return found() if name.endswith("()") else found


# What is not.


async def asks(state):
    """Two questions, with words before and after."""
    await model("before words").ainvoke("x")
    first = interrupt({"q": 1})
    second = interrupt("two")
    return {"value": [first, second], "messages": await model("after words").ainvoke("x")}


def asking_graph():
    """A graph that asks twice, and counts in a file how often its first node runs."""
    builder = StateGraph(State)
    builder.add_node("count", counts)
    builder.add_node("ask", lambda state: {"value": interrupt("inner")})
    builder.add_node("again", lambda state: {"value": [state["value"], interrupt("once more")]})
    builder.add_edge(START, "count")
    builder.add_edge("count", "ask")
    builder.add_edge("ask", "again")
    return builder.compile()


def remembering_graph():
    """A graph that remembers its state from one task to the next."""

    class Own(State, total=False):
        known: Annotated[List[str], operator.add]

    builder = StateGraph(Own)
    builder.add_node("learn", lambda state: {"known": [state["log"]]})
    builder.add_node("tell", lambda state: {"value": state["known"]})
    builder.add_edge(START, "learn")
    builder.add_edge("learn", "tell")
    return builder.compile(checkpointer=True)


def counts(state):
    with open(os.environ.get("STREAMGRAPH_COUNT") or state["log"], "a") as file:
        file.write("x")
    return {"log": "counted"}


async def sleeps(state):
    """Runs until it is cancelled, and leaves a word about it in a file."""
    get_stream_writer()("asleep")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await asyncio.sleep(0.05)  # cleaning up
        with open(state["log"], "a") as file:
            file.write("cancelled")
        raise


class Endless(GenericFakeChatModel):
    """A model that counts its tokens in a file, without an end."""

    path: str

    async def _astream(self, messages, stop=None, run_manager=None, **kwargs):
        from langchain_core.messages import AIMessageChunk
        from langchain_core.outputs import ChatGenerationChunk

        for number in range(100_000):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=f"{number} ", id="endless"))
            with open(self.path + ".new", "w") as file:
                file.write(str(number))
            os.replace(self.path + ".new", self.path)
            if run_manager is not None:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk
            await asyncio.sleep(0)


async def pours(state):
    return {"messages": await Endless(messages=iter([]), path=state["log"]).ainvoke("x")}


def pours_in_a_thread(state):
    writer, number = get_stream_writer(), 0
    try:
        for number in range(100_000):
            writer(number)
    finally:
        with open(state["log"] + ".new", "w") as file:
            file.write(str(number))
        os.replace(state["log"] + ".new", state["log"])


class Dying(GenericFakeChatModel):
    """A model that tells each attempt apart, and ends its process in the middle of the first one."""

    attempt: int
    dies: str

    async def _astream(self, messages, stop=None, run_manager=None, **kwargs):
        from langchain_core.messages import AIMessageChunk
        from langchain_core.outputs import ChatGenerationChunk

        for number in range(6):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=f"{self.attempt}.{number} "))
            if run_manager is not None:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk
            if number == 3 and (self.dies == "always" or self.attempt == 1):
                await asyncio.sleep(0.3)  # what was said so far is on its way
                if self.dies == "raise":
                    raise ConnectionError("broken")
                if self.dies == "waits":
                    await asyncio.sleep(60)
                os.kill(os.getpid(), 9)


async def dies(state):
    attempt = get_runtime().execution_info.node_attempt
    return {"messages": await Dying(messages=iter([]), attempt=attempt, dies=state["log"]).ainvoke("x")}


def sees(state, config, runtime):
    """What of its surroundings a node sees."""
    info = runtime.execution_info
    return {
        "value": {
            "context": runtime.context,
            "configurable": {
                key: config["configurable"][key] for key in {"thread_id", "lock"} & {*config["configurable"]}
            },
            "tags": config.get("tags"),
            "metadata": {key: value for key, value in config["metadata"].items() if key != "langgraph_checkpoint_ns"},
            "attempt": info.node_attempt,
            "thread": info.thread_id,
            "same_config": get_config()["configurable"]["thread_id"],
        }
    }


def returns_a_lock(state):
    import threading

    return {"value": threading.Lock()}


def writes_a_lock(state):
    import threading

    get_stream_writer()(threading.Lock())
    return {}


def reads_the_state(state, config):
    return {"value": config["configurable"]["__pregel_read"](["log", "messages"])}


async def ticks(state):
    """Gives a sign of life from time to time, longer than its idle timeout."""
    for _ in range(6):
        await asyncio.sleep(0.1)
        get_runtime().heartbeat()
    return {"log": "alive"}


class Clock(GenericFakeChatModel):
    """A model whose tokens are the time at which they were made."""

    count: int
    pause: float

    async def _astream(self, messages, stop=None, run_manager=None, **kwargs):
        from langchain_core.messages import AIMessageChunk
        from langchain_core.outputs import ChatGenerationChunk

        due = time.monotonic()
        for _ in range(self.count):
            if self.pause:
                due += self.pause
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=f"{time.time():.6f}", id="clock"))
            if run_manager is not None:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


async def tells_the_time(state):
    count, pause = state["value"]
    await Clock(messages=iter([]), count=count, pause=pause).ainvoke("x")
    return {"log": "over"}


async def remembers(state, store):
    """Uses the store of the run, as it does it in an async node."""
    await store.aput(("a",), "key", {"value": 1})
    found = await store.aget(("a",), "key")
    rest = [item.key for item in await store.asearch(("a",))]
    try:
        store.get(("a",), "key")
    except Exception as error:
        rest.append(type(error).__name__)
    return {"value": [found.value, rest]}


def remembers_in_a_thread(state, store):
    store.put(("a",), "key", {"value": 2})
    return {"value": store.get(("a",), "key").value}


@task
def counted_task(number):
    counts({})
    return number


def asks_after_a_task(state):
    return {"value": [counted_task(1).result(), interrupt("sure?")]}


def tokens_in_the_stream(chunks: Iterator[Any]) -> List[str]:
    """What messages a reader has at the end, with those that were taken back left out, in the order of their ids."""
    texts = {}
    for message, _ in chunks:
        if message.type == "remove":
            texts.pop(message.id, None)
        else:
            texts[message.id] = texts.get(message.id, "") + message.content
    return list(texts.values())


def worker_pid(state):
    time.sleep(0.01)
    return {"value": os.getpid()}


def takes_number(given):
    return {"log": f"sent {given['number']}"}
