"""What type checkers know of a compiled graph. It is checked, never run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Tuple, Union

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel
from typing_extensions import Literal, TypedDict, assert_type

from streamgraph import START, StateAccumulator, StateGraph
from streamgraph.graph import CompiledStateGraph
from streamgraph.runs import MemoryLog, RunHandle, RunStatus
from streamgraph.runtime import Runtime
from streamgraph.testing import Cut, Delay, record, replay
from streamgraph.types import (
    Command,
    CustomStreamPart,
    DebugPayload,
    DebugStreamPart,
    ErrorStreamPart,
    Gap,
    GapStreamPart,
    GraphOutput,
    Heartbeat,
    HeartbeatStreamPart,
    MessagesStreamPart,
    ObjectsStreamPart,
    PatchesStreamPart,
    Paused,
    RetriesStreamPart,
    RunFailure,
    Send,
    StateOperation,
    StreamMode,
    StreamPart,
    TaskPayload,
    TasksStreamPart,
    ToolPayload,
    ToolsStreamPart,
    Unstreamed,
    UpdatesStreamPart,
    ValuesStreamPart,
    ainterrupt,
    interrupt,
)
from streamgraph.watching import watch


class State(TypedDict):
    topic: str
    joke: str


class Question(TypedDict):
    topic: str


class Answer(TypedDict):
    joke: str


@dataclass
class Context:
    user: str


@dataclass
class Record:
    topic: str = ""


class Model(BaseModel):
    topic: str = ""


def write(state: State, runtime: Runtime[Context]) -> Command[Literal["write"]]:
    assert_type(runtime.context, Context)
    assert_type(runtime.context.user, str)
    runtime.context.nobody  # error
    return Command(update={"joke": state["topic"]}, goto="write")


def wrong(state: State) -> Command[Literal["write"]]:
    return Command(goto="elsewhere")  # error


def fan_out(state: State) -> List[Send]:
    assert_type(Send("write", state).node, str)
    return [Send(1, state)]  # error


graph = StateGraph(State, Context, input_schema=Question, output_schema=Answer).add_node(write).compile()
assert_type(graph, CompiledStateGraph[State, Context, Question, Answer])
records: CompiledStateGraph[Record, None, Record, Record] = StateGraph(Record).compile()
models: CompiledStateGraph[Model, None, Model, Model] = StateGraph(Model).compile()
numbers: CompiledStateGraph[int, None, int, int] = StateGraph(int).compile()
config = RunnableConfig(tags=["a"])
given = Question(topic="ice")

# One mode: the payload.
for message, metadata in graph.stream(given, stream_mode="messages"):
    assert_type(message, BaseMessage)
    assert_type(metadata, Dict[str, Any])
    message.nothing  # error
for update in graph.stream(given):
    assert_type(update, Dict[str, Any])
for update in graph.stream(given, config, stream_mode="updates", context=Context("me"), max_buffer=8, timeout=3):
    assert_type(update, Dict[str, Any])
for values in graph.stream(given, stream_mode="values"):
    assert_type(values, State)
    values["nothing"]  # error
for patch in graph.stream(given, stream_mode="patches"):
    assert_type(patch, List[StateOperation])
    assert_type(patch[0]["path"], str)
    patch[0]["nothing"]  # error
for custom in graph.stream(given, stream_mode="custom"):
    assert_type(custom, Any)
for thing, metadata in graph.stream(given, stream_mode="objects", include_raw=False):
    assert_type(thing, Any)
    assert_type(metadata, Dict[str, Any])
for tool in graph.stream(given, stream_mode="tools"):
    assert_type(tool, ToolPayload)
for task in graph.stream(given, stream_mode="tasks", include_nodes="write"):
    assert_type(task, TaskPayload)
    task["nothing"]  # error
for event in graph.stream(given, stream_mode="debug"):
    assert_type(event, DebugPayload)
    assert_type(event["payload"], TaskPayload)

# The stream is more than an iterator.
with graph.stream(given, stream_mode="messages") as stream:
    assert_type(next(stream), Tuple[BaseMessage, Dict[str, Any]])
    stream.close()

# A state that is a dataclass or a model is shown as a dict, one without keys as it is.
for shown in records.stream(Record(), stream_mode="values"):
    assert_type(shown, Dict[str, Any])
for shown in models.stream(Model(), stream_mode="values"):
    assert_type(shown, Dict[str, Any])
for number in numbers.stream(1, stream_mode="values"):
    assert_type(number, int)
assert_type(records.invoke(Record()), Dict[str, Any])
assert_type(models.invoke({"topic": "ice"}), Dict[str, Any])
assert_type(numbers.invoke(1), int)
assert_type(records.invoke(Record(), version="v2"), GraphOutput[Record])
assert_type(models.invoke(Model(), version="v2").value, Model)

# Several modes: pairs, told apart by the mode.
for pair in graph.stream(given, stream_mode=["messages", "values", "tasks"]):
    if pair[0] == "messages":
        assert_type(pair[1], Tuple[BaseMessage, Dict[str, Any]])
    elif pair[0] == "values":
        assert_type(pair[1], State)
        pair[1]["nothing"]  # error
    elif pair[0] == "updates":
        assert_type(pair[1], Dict[str, Any])
    elif pair[0] == "patches":
        assert_type(pair[1], List[StateOperation])
    elif pair[0] == "tasks":
        assert_type(pair[1], TaskPayload)
    elif pair[0] == "debug":
        assert_type(pair[1], DebugPayload)
    elif pair[0] == "tools":
        assert_type(pair[1], ToolPayload)
for _mode, payload in graph.stream(given, stream_mode=["messages", "custom"]):
    payload.nothing  # error
modes: List[StreamMode] = ["updates", "messages"]
for pair in graph.stream(given, stream_mode=modes):
    pair.nothing  # error
for pair in graph.stream(given, stream_mode=("updates", "messages")):
    if pair[0] == "messages":
        assert_type(pair[1][0], BaseMessage)
for shown_pair in records.stream(Record(), stream_mode=["values", "updates"]):
    if shown_pair[0] == "values":
        assert_type(shown_pair[1], Dict[str, Any])

# Nested graphs: the namespace in front.
for namespace, (message, _metadata) in graph.stream(given, stream_mode="messages", subgraphs=True):
    assert_type(namespace, Tuple[str, ...])
    assert_type(message, BaseMessage)
for namespace, values in graph.stream(given, stream_mode="values", subgraphs=True):
    assert_type(values, State)
for namespace, patch in graph.stream(given, stream_mode="patches", subgraphs=True):
    assert_type(patch, List[StateOperation])
for namespace, shown in records.stream(Record(), stream_mode="values", subgraphs=True):
    assert_type(shown, Dict[str, Any])
for namespace, update in graph.stream(given, subgraphs=True):
    assert_type(update, Dict[str, Any])
for namespace, custom in graph.stream(given, stream_mode="custom", subgraphs=True):
    assert_type(custom, Any)
for namespace, event in graph.stream(given, stream_mode="debug", subgraphs=True):
    assert_type(event, DebugPayload)
for triple in graph.stream(given, stream_mode=["messages", "values"], subgraphs=True):
    assert_type(triple[0], Tuple[str, ...])
    if triple[1] == "messages":
        assert_type(triple[2], Tuple[BaseMessage, Dict[str, Any]])
    elif triple[1] == "values":
        assert_type(triple[2], State)


# version="v2": parts, told apart by their type.
def tell(part: StreamPart[State, Answer]) -> None:
    if part["type"] == "messages":
        assert_type(part, MessagesStreamPart)
        assert_type(part["data"], Tuple[BaseMessage, Dict[str, Any]])
        assert_type(part["ns"], Tuple[str, ...])
    elif part["type"] == "values":
        assert_type(part, ValuesStreamPart[Answer])
        assert_type(part["data"], Answer)
        part["data"]["nothing"]  # error
    elif part["type"] == "patches":
        assert_type(part, PatchesStreamPart)
        assert_type(part["data"], List[StateOperation])
    elif part["type"] == "updates":
        assert_type(part, UpdatesStreamPart)
    elif part["type"] == "custom":
        assert_type(part, CustomStreamPart)
    elif part["type"] == "objects":
        assert_type(part, ObjectsStreamPart)
    elif part["type"] == "tools":
        assert_type(part, ToolsStreamPart)
    elif part["type"] == "retries":
        assert_type(part, RetriesStreamPart)
    elif part["type"] == "tasks":
        assert_type(part, TasksStreamPart)
    elif part["type"] == "debug":
        assert_type(part, DebugStreamPart[State])
    elif part["type"] == "heartbeat":
        assert_type(part, HeartbeatStreamPart)
        assert_type(part["data"], Heartbeat)
    elif part["type"] == "gap":
        assert_type(part, GapStreamPart)
        assert_type(part["data"], Gap)
    else:
        assert_type(part, ErrorStreamPart)
        assert_type(part["data"], RunFailure)
    part["nothing"]  # error


for part in graph.stream(given, stream_mode=["messages", "values"], version="v2", heartbeat=5, subgraphs=True):
    assert_type(part, StreamPart[State, Answer])
    tell(part)
for part in graph.stream(given, version="v2", overflow="drop_oldest", max_buffer=4):
    tell(part)
for shown_part in records.stream(Record(), version="v2"):
    if shown_part["type"] == "values":
        assert_type(shown_part["data"], Record)

# Recordings: parts, too.
for part in record(graph.stream(given, version="v2"), "run.jsonl"):
    tell(part)
for part in replay("run.jsonl", speed=None, faults=[Cut(at=-1), Delay(at=[1, 2], seconds=1)], allow=[Record]):
    tell(part)
replay("run.jsonl", faults=["cut"])  # error

# Watched streams: the same chunks.
for watched_part in watch(graph.stream(given, version="v2")):
    assert_type(watched_part, StreamPart[State, Answer])
for watched_token in watch(graph.stream(given, stream_mode="messages"), show_state=False):
    assert_type(watched_token, Tuple[BaseMessage, Dict[str, Any]])
watch(graph.stream(given), stream_mode="mesages")  # error
watch(graph)  # error
state = StateAccumulator(graph.stream(given, stream_mode="patches"))
assert_type(state.known, bool)


# What is known only when the program runs is anything.
def anything(mode: StreamMode, nested: bool, version: Literal["v1", "v2"]) -> None:
    for chunk in graph.stream(given, stream_mode=mode):
        assert_type(chunk, Any)
    for chunk in graph.stream(given, stream_mode="messages", subgraphs=nested):
        assert_type(chunk, Any)
    for chunk in graph.stream(given, stream_mode="messages", version=version):
        assert_type(chunk, Any)
    for chunk in graph.stream(given, stream_mode="values", output_keys="joke"):
        assert_type(chunk, Any)
    for chunk in graph.stream(given, stream_mode="messages", heartbeat=1):
        assert_type(chunk, Any)


# invoke: the output schema.
assert_type(graph.invoke(given), Answer)
assert_type(graph.invoke({"topic": "ice"}, config, context={"user": "me"}, debug=True), Answer)
graph.invoke(given)["topic"]  # error
assert_type(graph.invoke(given, version="v2"), GraphOutput[Answer])
assert_type(graph.invoke(given, version="v2").value, Answer)
assert_type(graph.invoke(given, stream_mode="messages", version="v2"), List[StreamPart[State, Answer]])
assert_type(graph.invoke(given, stream_mode="updates"), List[Dict[str, Any]])
assert_type(graph.invoke(given, stream_mode="messages"), List[Tuple[BaseMessage, Dict[str, Any]]])
assert_type(graph.invoke(given, stream_mode="tasks"), List[TaskPayload])
assert_type(graph.invoke(given, stream_mode="patches"), List[List[StateOperation]])
for pair in graph.invoke(given, stream_mode=["messages", "values"]):
    if pair[0] == "values":
        assert_type(pair[1], State)
assert_type(graph.invoke(given, output_keys="joke"), Any)
assert_type(graph.with_config(tags=["a"]).invoke(given), Answer)


# The same on an event loop.
async def main() -> None:
    async for message, metadata in graph.astream(given, stream_mode="messages"):
        assert_type(message, BaseMessage)
        assert_type(metadata, Dict[str, Any])
    async for update in graph.astream(given):
        assert_type(update, Dict[str, Any])
    async for values in graph.astream(given, stream_mode="values"):
        assert_type(values, State)
        values["nothing"]  # error
    async for shown in records.astream(Record(), stream_mode="values"):
        assert_type(shown, Dict[str, Any])
    async for patch in graph.astream(given, stream_mode="patches"):
        assert_type(patch, List[StateOperation])
    async for namespace, patch in graph.astream(given, stream_mode="patches", subgraphs=True):
        assert_type(patch, List[StateOperation])
    assert_type(await graph.ainvoke(given, stream_mode="patches"), List[List[StateOperation]])
    async for task in graph.astream(given, stream_mode="tasks"):
        assert_type(task, TaskPayload)
    async for event in graph.astream(given, stream_mode="debug"):
        assert_type(event, DebugPayload)
    async for tool in graph.astream(given, stream_mode="tools"):
        assert_type(tool, ToolPayload)
    async for thing, metadata in graph.astream(given, stream_mode="objects"):
        assert_type(metadata, Dict[str, Any])
    async for pair in graph.astream(given, stream_mode=["messages", "values"]):
        if pair[0] == "messages":
            assert_type(pair[1], Tuple[BaseMessage, Dict[str, Any]])
    async for namespace, values in graph.astream(given, stream_mode="values", subgraphs=True):
        assert_type(values, State)
    async for triple in graph.astream(given, stream_mode=["messages", "values"], subgraphs=True):
        if triple[1] == "values":
            assert_type(triple[2], State)
    async for part in graph.astream(given, version="v2"):
        tell(part)
    assert_type(await graph.ainvoke(given), Answer)
    assert_type(await records.ainvoke(Record()), Dict[str, Any])
    assert_type(await graph.ainvoke(given, version="v2"), GraphOutput[Answer])
    assert_type(await graph.ainvoke(given, stream_mode="updates"), List[Dict[str, Any]])
    async with graph.astream(given, stream_mode="messages") as stream:
        assert_type(await stream.__anext__(), Tuple[BaseMessage, Dict[str, Any]])
    graph.astream(given, stream_modes="values")  # error
    await graph.ainvoke(5)  # error


# What is wrong is an error.
graph.stream(given, stream_modes="messages")  # error
graph.stream(given, stream_mode="message")  # error
graph.stream(given, stream_mode=["messages", "update"])  # error
graph.stream(given, version="v3")  # error
graph.stream(given, overflow="drop")  # error
graph.stream(given, max_buffer="many")  # error
graph.stream(given, context=5)  # error
graph.stream(5)  # error
graph.stream()  # error
graph.invoke(given, max_buffer=4)  # error
graph.invoke(None)  # error
graph.invoke(given, "config")  # error


def either(value: Union[Question, Dict[str, Any]]) -> Answer:
    return graph.invoke(value)


# Names that are not given are known too: those of the peer's defaults.
plain = StateGraph(State).add_edge(START, "write").compile()
assert_type(plain.invoke({"topic": "ice"}), State)
anyhow: CompiledStateGraph = StateGraph(State).compile()
for message, metadata in anyhow.stream(given, stream_mode="messages"):
    assert_type(message, BaseMessage)
assert_type(anyhow.invoke(given), Dict[str, Any])


async def started_runs(graph: CompiledStateGraph[State, Context, Question, Answer]) -> None:
    run = graph.start({"topic": "ice"}, context=Context("me"), record=["messages", "values"], log=MemoryLog(max_age=60))
    assert_type(run, RunHandle[Answer, State])
    kept: RunHandle[Answer] = run
    assert_type(run.result(timeout=1), Answer)
    assert_type(await run, Answer)
    assert_type(run.status, Union[RunStatus, Literal["paused"]])
    assert_type(run.join(), bool)
    assert_type(run.explain(), List[Union[Paused, Unstreamed]])
    reader = run.stream("messages", after=run.last_id, max_buffer=3, overflow="block")
    assert_type(reader.id, str)
    async for chunk in (await graph.astart({"topic": "ice"})).astream(["updates", "custom"], heartbeat=1):
        assert_type(chunk, Any)
    for part in run.stream(["values", "messages"], version="v2", heartbeat=1):
        assert_type(part, StreamPart[State, Answer])
        if part["type"] == "messages":
            assert_type(part["data"][0], BaseMessage)
        elif part["type"] == "values":
            assert_type(part["data"], Answer)
    async for part in kept.astream("updates", version="v2"):
        assert_type(part, StreamPart[Any, Answer])
    run.stream("messages", version="v3")  # error
    graph.start({"topic": "ice"}, recrod="values")  # error
    run.stream("messages", overflow="wait")  # error
    run.stream("messages", max_bufer=3)  # error


# A question has the type of its answer, if that was given.
def asks(state: State) -> Dict[str, Any]:
    assert_type(interrupt("which?"), Any)
    assert_type(interrupt({"which": 1}, response_schema={"type": "string"}), Any)
    assert_type(interrupt("which?", response_schema=Model), Model)
    interrupt("which?", response_schema=Model).nothing  # error
    assert_type(interrupt("how many?", response_schema=int), int)
    interrupt()  # error
    interrupt("which?", "and?")  # error
    interrupt("which?", response_schema=5)  # error
    interrupt("which?", schema=Model)  # error
    return {"joke": interrupt("which?")}


async def aasks(state: State) -> Dict[str, Any]:
    assert_type(await ainterrupt("which?"), Any)
    assert_type(await ainterrupt({"which": 1}, response_schema={"type": "string"}), Any)
    assert_type(await ainterrupt("which?", response_schema=Model), Model)
    (await ainterrupt("which?", response_schema=Model)).nothing  # error
    assert_type(await ainterrupt("how many?", response_schema=int), int)
    ainterrupt("which?").nothing  # error
    await ainterrupt()  # error
    await ainterrupt("which?", response_schema=5)  # error
    return {"joke": await ainterrupt("which?")}


# Who answers a live run.
with graph.stream(given, stream_mode="updates", interrupts="live") as live:
    assert_type(live.questions, List[Paused])
    assert_type(live.questions[0].id, str)
    live.questions[0].nothing  # error
    assert_type(live.explain(), List[Union[Paused, Unstreamed]])
    assert_type(live.answer(live.questions[0].id, {"any": "value"}), None)
    live.answer("id")  # error
    live.answer(5, "yes")  # error
    live.answer("id", answer="yes")  # error
    live.questions = []  # error
graph.stream(given, interrupts="lively")  # error
graph.start(given, interrupts="lively")  # error


async def answering() -> None:
    async with graph.astream(given, stream_mode="updates", interrupts="live") as stream:
        assert_type(stream.questions, List[Paused])
        assert_type(await stream.aanswer(stream.questions[0].id, ["any", "value"]), None)
        assert_type(stream.answer("id", "yes"), None)
        await stream.aanswer("id")  # error
        await stream.aanswer(5, "yes")  # error
    run = await graph.astart(given, interrupts="live")
    assert_type(run.questions, List[Paused])
    assert_type(run.answer(run.questions[0].id, "yes"), None)
    assert_type(await run.aanswer(run.questions[0].id, "yes"), None)
    run.answer("id")  # error
    await run.aanswer(5, "yes")  # error
    run.questions = []  # error
