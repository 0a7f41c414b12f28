"""`message_writer`: what can be written, what comes of it, and where there is nobody to write to."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from functools import reduce
from operator import add
from typing import Any, Dict, List

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata

from streamgraph import START, MessageAccumulator, StateGraph
from streamgraph._message_writer import MessageWriter, message_writer
from streamgraph._streams.watchdog import Watchdog
from streamgraph.config import get_stream_writer
from streamgraph.func import entrypoint, task
from streamgraph.types import TimeoutPolicy
from support.parts import normal
from support.structured import DRIVERS, State, chain, leave, pieces, read, run

USAGE = UsageMetadata(input_tokens=3, output_tokens=2, total_tokens=5)
CHUNKS = [
    AIMessageChunk("Let me see."),
    *pieces('{"topic": "cats", "depth": 3}', 4, "look_up"),
    AIMessageChunk("", usage_metadata=USAGE, response_metadata={"finish_reason": "tool_calls"}),
]
CALL = {"name": "look_up", "args": {"topic": "cats", "depth": 3}, "id": "c1", "type": "tool_call"}


def writes(*tokens: Any, **how: Any) -> Any:
    """A node that writes these tokens, and returns the message."""

    def node(state: State) -> Any:
        with message_writer(**how) as message:
            for token in tokens:
                message.write(token)
        return {"messages": [message.message]}

    return node


def asynchronous(node: Any) -> Any:
    """The same node on the loop."""

    async def anode(state: State) -> Any:
        return node(state)

    return anode


@pytest.mark.parametrize("driver", DRIVERS)
def test_nothing_to_write(driver: str) -> None:
    """Empty texts and `None`, as clients send them between others, are no tokens."""
    got = read(chain(node=writes(None, "", "one ", None, "", "two", "")), {}, driver, stream_mode="messages")
    assert [message.content for message, _ in got.chunks] == ["one ", "two", ""]
    assert [message.content for message in got.output["messages"]] == ["one two"]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("tokens", [(), (None, "")])
def test_nothing_written(tokens: Any, driver: str) -> None:
    """An empty answer is an empty message, shown once, as that of a model is."""
    got = read(chain(node=writes(*tokens)), {}, driver, stream_mode="messages")
    assert [(type(message), message.content) for message, _ in got.chunks] == [(AIMessage, "")]
    assert [message.id for message in got.output["messages"]] == [got.chunks[0][0].id]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("wrap", [lambda node: node, asynchronous])
def test_chunks(wrap: Any, driver: str) -> None:
    """Chunks with tool calls, usage and more pass through, and add up to the message."""
    got = read(chain(node=wrap(writes(*CHUNKS))), {}, driver, stream_mode="messages")
    (message,) = got.output["messages"]
    assert (type(message), message.content, message.tool_calls) == (AIMessage, "Let me see.", [CALL])
    assert message.usage_metadata == USAGE
    assert message.response_metadata["finish_reason"] == "tool_calls"
    shown = [chunk for chunk, _ in got.chunks]
    assert {chunk.id for chunk in shown} == {message.id}
    assert [normal(chunk) for chunk in shown[:-1]] == [normal(chunk) for chunk in CHUNKS]
    assert shown[-1].content == ""
    assert reduce(add, shown).tool_calls == [CALL]
    assert MessageAccumulator(got.chunks).tool_calls(message.id)[0]["args"] == CALL["args"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_written_chunks_stay(driver: str) -> None:
    """What is written stays the writer's: neither the stream nor its reader changes it, nor the message."""
    chunks = [chunk.model_copy(deep=True) for chunk in CHUNKS]
    stream: Any = chain(node=writes(*chunks)).stream({}, stream_mode="messages")
    for chunk, metadata in stream:
        chunk.tool_call_chunks.clear()
        chunk.content = "spoilt"
        metadata["tags"].append("spoilt")
    assert chunks == CHUNKS
    (message,) = stream.output["messages"]
    assert (message.content, message.tool_calls) == ("Let me see.", [CALL])


@pytest.mark.parametrize("driver", DRIVERS)
def test_midway(driver: str) -> None:
    """The message so far can be had at any time."""
    seen: List[Any] = []

    def node(state: State) -> Any:
        with message_writer() as message:
            seen.append(message.message.content)
            message("one ")
            message.write("two")
            seen.append(message.message.content)
            assert message.message.id == message.id
        return {"messages": [message.message]}

    got = read(chain(node=node), {}, driver, stream_mode="messages")
    assert seen == ["", "one two"]
    assert [message.content for message, _ in got.chunks] == ["one ", "two", ""]


@pytest.mark.parametrize("driver", DRIVERS)
def test_own_id(driver: str) -> None:
    """The id of the message may be given."""
    got = read(chain(node=writes("one ", "two", id="mine")), {}, driver, stream_mode="messages")
    assert [message.id for message, _ in got.chunks] == ["mine"] * 3
    assert [message.id for message in got.output["messages"]] == ["mine"]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("ids", [("p", "p"), ("p", None), (None, "p"), ("p", "q")])
@pytest.mark.parametrize("own", [None, "mine"])
def test_ids_of_the_provider(own: Any, ids: Any, driver: str) -> None:
    """Whatever ids the chunks have, all are shown under one, and it is that of the message in the state."""
    chunks = [AIMessageChunk(text, id=id_) for text, id_ in zip(("one ", "two"), ids)]
    got = read(chain(node=writes(*chunks, id=own)), {}, driver, stream_mode="messages")
    (message,) = got.output["messages"]
    assert [chunk.content for chunk, _ in got.chunks] == ["one ", "two", ""]
    assert [chunk.id for chunk, _ in got.chunks] == [message.id] * 3
    assert own is None or message.id == own


@pytest.mark.parametrize("tags", ["nostream", "", "two words"])
def test_tags_as_text(tags: str) -> None:
    """Tags are a list: a text would be a list of letters."""
    with pytest.raises(TypeError, match="give a list of tags"):
        message_writer(tags=tags)


def test_outside_of_a_run() -> None:
    """Where there is no run it puts the message together, in sync and async code."""
    with message_writer(model="m", tags=["nostream"]) as message:
        for chunk in CHUNKS:
            message.write(chunk)
    assert isinstance(message, MessageWriter)
    assert (message.message.content, message.message.tool_calls) == ("Let me see.", [CALL])
    assert message.message.id == message.id

    async def main() -> Any:
        async with message_writer() as message:
            message.write("one ")
            message.write("two")
        return message.message

    assert run(main()).content == "one two"
    with pytest.raises(ConnectionError), message_writer() as message:
        message.write("half")
        raise ConnectionError
    assert message.message.content == "half"


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("mode", ["values", "updates", "custom", "objects", "tasks"])
def test_nobody_asked(mode: str, driver: str) -> None:
    """Where nobody asked for messages it does the same; so it does in a run without a stream."""
    graph = chain(node=writes("one ", "two"), other=asynchronous(writes(*CHUNKS)))
    expected = ["one two", "Let me see."]
    got = read(graph, {}, driver, stream_mode=mode)
    assert [message.content for message in got.output["messages"]] == expected
    assert mode in ("values", "updates", "tasks") or got.chunks == []
    assert [message.content for message in graph.invoke({})["messages"]] == expected
    assert [message.content for message in run(graph.ainvoke({}))["messages"]] == expected


@pytest.mark.parametrize("driver", DRIVERS)
def test_in_threads(driver: str) -> None:
    """In a bare thread it cannot know of the run; in a copy of the node's context it does."""

    def node(state: State) -> None:
        context = contextvars.copy_context()
        for work, arguments in ((writes("lost"), ({},)), (context.run, (writes("found"), {}))):
            thread = threading.Thread(target=work, args=arguments)
            thread.start()
            thread.join()

    got = read(chain(node=node), {}, driver, stream_mode="messages")
    assert [message.content for message, _ in got.chunks] == ["found", ""]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("modes", ["messages", "updates", ["custom", "values"], "objects"])
@pytest.mark.parametrize("how", [{}, {"tags": ["nostream"]}])
def test_signs_of_life(how: Any, modes: Any, driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the limits of a node each token counts as those of a model do, whoever sees it."""
    noted: List[bool] = []
    note = Watchdog.activity

    def counted(watch: Watchdog, spoken: bool) -> None:
        noted.append(spoken)
        note(watch, spoken)

    monkeypatch.setattr(Watchdog, "activity", counted)
    policy = TimeoutPolicy(idle_timeout=60, first_token_timeout=60)
    builder = StateGraph(State).add_node("node", asynchronous(writes("one ", "two", **how)), timeout=policy)
    read(builder.add_edge(START, "node").compile(), {}, driver, stream_mode=modes)
    assert noted.count(True) >= 2


@pytest.mark.parametrize("driver", DRIVERS)
def test_between_other_tokens(driver: str) -> None:
    """Two that take turns are two messages, and each token is in its place between them."""

    def node(state: State) -> Any:
        with message_writer(name="a") as one, message_writer(name="b") as other:
            for number in range(3):
                one.write(f"{number} ")
                other.write(f"-{number}")
        return {"messages": [one.message, other.message]}

    got = read(chain(node=node), {}, driver, stream_mode="messages")
    told = [(metadata["run_name"], message.content) for message, metadata in got.chunks]
    assert told == [("a", "0 "), ("b", "-0"), ("a", "1 "), ("b", "-1"), ("a", "2 "), ("b", "-2"), ("b", ""), ("a", "")]
    assert [message.content for message in got.output["messages"]] == ["0 1 2 ", "-0-1-2"]
    assert list(MessageAccumulator(got.chunks).messages) == [message.id for message in got.output["messages"]]


@pytest.mark.parametrize("driver", DRIVERS)
def test_tasks(driver: str) -> None:
    """In a workflow and its tasks."""

    @task
    def say(text: str) -> Any:
        return writes(*text.split(), name="said")({})["messages"][0].content

    @entrypoint()
    def flow(given: Dict[str, Any]) -> str:
        return say("one two").result() + writes("three", name="told")({})["messages"][0].content

    got = read(flow, {"asked": "q"}, driver, stream_mode="messages")
    told = [(metadata["langgraph_node"], metadata["run_name"], message.content) for message, metadata in got.chunks]
    said = [("say", "said", "one"), ("say", "said", "two"), ("say", "said", "")]
    assert told[:4] == [*said, ("flow", "told", "three")]
    assert got.output == "onetwothree"


@pytest.mark.parametrize("driver", DRIVERS)
def test_partial(driver: str) -> None:
    """What was written until a run was left is in what the stream knows of it."""
    go = threading.Event()

    def node(state: State) -> None:
        with message_writer(id="m") as message:
            message.write("one ")
            message.write("two ")
            assert go.wait(10)
            message.write("three")

    async def main() -> Any:
        stream = chain(node=node).astream({}, stream_mode="messages")
        async with stream:
            await stream.__anext__()
            await stream.__anext__()
            partial = stream.partial
            go.set()
        await asyncio.sleep(0)
        return partial

    if driver == "stream":
        with chain(node=node).stream({}, stream_mode="messages") as stream:
            next(stream)
            next(stream)
            partial = stream.partial
            go.set()
    else:
        partial = run(main())
    assert partial.messages == {"m": "one two "}


@pytest.mark.parametrize("driver", DRIVERS)
def test_time_to_clean_up(driver: str) -> None:
    """An async client that closes its connection when its node is cancelled is not cancelled again meanwhile."""
    ends: List[str] = []

    async def node(state: State) -> None:
        get_stream_writer()("begun")
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("cut short")
            await asyncio.sleep(0.005)  # as long as it takes to close a connection
            ends[-1] = "cleaned up"

    graph = chain(node=node)
    for _ in range(30):
        leave(graph, driver, "custom")
    assert ends == ["cleaned up"] * 30
