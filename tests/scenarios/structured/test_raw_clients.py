"""`message_writer`: the tokens of a client that is not LangChain's are those of a model like any other."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, RemoveMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI, OpenAI

from streamgraph import START, MessageAccumulator, StateGraph
from streamgraph._message_writer import message_writer
from streamgraph.config import get_stream_writer
from streamgraph.prebuilt import ToolNode
from streamgraph.types import RetryPolicy
from streamgraph_integrations.openai_server import OpenAIServer, Reply
from support.parts import normal, parts_of
from support.structured import DRIVERS, State, chain, leave, read
from support.waiting import PATIENCE, eventually

AGAIN = RetryPolicy(initial_interval=0.001, jitter=False, max_attempts=3)
ASKED: Any = [{"role": "user", "content": "How are you?"}]
SAID = "Quite well, thank you!"
ENDLESS = Reply("word " * 20000, delay=0.001)
KINDS = ("sync", "async")


class Client:
    """A raw client, sync and async, of a server on loopback."""

    def __init__(self, server: OpenAIServer) -> None:
        options: Dict[str, Any] = {"base_url": server.base_url, "api_key": "none", "max_retries": 0}
        self.server = server
        self.sync, self.awaited = OpenAI(**options), AsyncOpenAI(**options)
        self.model = ChatOpenAI(model="gpt-4o-mini", tags=["own"], metadata={"mine": 1}, **options)

    def of(self, server: OpenAIServer) -> Client:
        """The same for another server; making clients anew takes a while."""
        other = copy.copy(self)
        other.server = server
        other.sync = self.sync.with_options(base_url=server.base_url)
        other.awaited = self.awaited.with_options(base_url=server.base_url)
        return other

    def node(self, kind: str, returned: Any = None, **how: Any) -> Any:
        """The node of the documentation, as a sync or an async function; it returns the message, or what it is told."""
        how = {"model": "gpt-4o-mini", "provider": "openai", **how}

        def node(state: State) -> Any:
            with message_writer(**how) as message:
                for event in self.sync.chat.completions.create(model="gpt-4o-mini", messages=ASKED, stream=True):
                    message.write(event.choices[0].delta.content)
            return {"messages": [message.message if returned is None else returned(message.message)]}

        async def anode(state: State) -> Any:
            async with message_writer(**how) as message:
                answer = self.awaited.chat.completions
                async for event in await answer.create(model="gpt-4o-mini", messages=ASKED, stream=True):
                    message.write(event.choices[0].delta.content)
            return {"messages": [message.message if returned is None else returned(message.message)]}

        return node if kind == "sync" else anode


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A client of a server that always says the same."""
    with OpenAIServer(SAID, delay=0) as server:
        yield Client(server)


@pytest.fixture
def endless(client: Client) -> Iterator[Client]:
    """The same client, of a server that does not stop by itself."""
    with OpenAIServer(ENDLESS) as server:
        yield client.of(server)


def shown(graph: Any, driver: str, config: Any = None, **options: Any) -> List[Tuple[Any, Dict[str, Any]]]:
    """What the `messages` mode yields."""
    return read(graph, {}, driver, config, stream_mode="messages", **options).chunks


def without_ends(chunks: List[Any]) -> List[Any]:
    """The chunks without the empty ones at the end of each message."""
    return [chunk for chunk in chunks if getattr(chunk[0], "chunk_position", None) != "last" or chunk[0].content]


def texts(chunks: List[Any]) -> List[str]:
    """Texts, and `-` for what is taken back."""
    return ["-" if isinstance(message, RemoveMessage) else message.content for message, _ in without_ends(chunks)]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_three_lines(client: Client, kind: str, driver: str) -> None:
    """The tokens arrive one by one, under one id, which is that of the message in the state; it is not repeated."""
    got = read(chain(talk=client.node(kind)), {}, driver, stream_mode="messages")
    assert texts(got.chunks) == ["Quite", " well,", " thank", " you!"]
    assert {type(message) for message, _ in got.chunks} == {AIMessageChunk}
    (message,) = got.output["messages"]
    assert (type(message), message.content) == (AIMessage, SAID)
    assert {chunk.id for chunk, _ in got.chunks} == {message.id}
    assert got.unstreamed == []


CONFIG: Any = {"tags": ["run"], "metadata": {"user": "u"}, "configurable": {"thread_id": "t1", "secret": "s"}}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_metadata(client: Client, kind: str, driver: str) -> None:
    """It has the keys and values that a ChatOpenAI's tokens have, but for what LangChain says of itself."""

    def ask(state: State) -> Any:
        return {"messages": [client.model.invoke("q")]}

    def told(node: Any) -> Dict[str, Any]:
        builder = StateGraph(State).add_node("talk", node, metadata={"of": "node"}).add_edge(START, "talk")
        every = [metadata for _, metadata in shown(builder.compile(), driver, CONFIG)]
        assert all(metadata == every[0] for metadata in every)
        return normal(every[0])

    ours, theirs = told(client.node(kind, tags=["own"], metadata={"mine": 1})), told(ask)
    of_langchain = {"ls_integration", "ls_temperature", "ls_max_tokens", "lc_versions", "run_name"}
    assert {key: value for key, value in theirs.items() if key not in of_langchain} == {
        key: value for key, value in ours.items() if key != "run_name"
    }
    assert (ours["run_name"], ours["ls_model_name"], ours["ls_provider"]) == ("gpt-4o-mini", "gpt-4o-mini", "openai")
    assert (ours["tags"], ours["user"], ours["of"], ours["mine"]) == (["run", "own"], "u", "node", 1)
    assert "secret" not in ours


@pytest.mark.parametrize("driver", DRIVERS)
def test_names(driver: str) -> None:
    """A name of one's own; without one that of the model; and metadata that says more, though not of the graph."""

    def node(state: State) -> None:
        for how in ({"name": "me", "model": "m"}, {"model": "m"}, {"metadata": {"langgraph_node": "x", "more": 1}}):
            with message_writer(**how) as message:
                message.write("hi")

    told = [metadata for _, metadata in without_ends(shown(chain(node=node), driver))]
    assert [metadata["run_name"] for metadata in told] == ["me", "m", "message_writer"]
    assert [metadata["langgraph_node"] for metadata in told] == ["node"] * 3
    assert told[2]["more"] == 1
    assert "ls_provider" not in told[2]
    assert len({metadata["run_id"] for metadata in told}) == 3


FORMS = {
    "a copy": lambda message: message.model_copy(deep=True),
    "under another id": lambda message: AIMessage(message.content, id="another"),
    "its text": lambda message: AIMessage(message.content),
}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("form", FORMS)
def test_not_repeated(client: Client, form: str, driver: str) -> None:
    """However the node returns the message; one that it has changed is shown as well."""
    assert "".join(texts(shown(chain(talk=client.node("sync", FORMS[form])), driver))) == SAID
    changed = shown(chain(talk=client.node("async", lambda message: AIMessage(message.content.upper()))), driver)
    assert texts(changed)[-1] == SAID.upper()


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"exclude_nodes": "talk"}, "filtered"),
        ({"include_nodes": "othe[r]"}, "filtered"),
        ({"exclude_tags": ["own"]}, "filtered"),
        ({"include_tags": "other"}, "filtered"),
        ({}, "nostream"),
    ],
    ids=str,
)
def test_hidden(client: Client, rules: Any, reason: str, kind: str, driver: str) -> None:
    """Filters and `nostream` hide it like a model's, and `explain` says so; the state has it all the same."""
    node = client.node(kind, tags=["own", "nostream"] if reason == "nostream" else ["own"], name="raw")
    got = read(chain(talk=node), {}, driver, stream_mode="messages", **rules)
    assert got.chunks == []
    assert [message.content for message in got.output["messages"]] == [SAID]
    assert [(item.reason, item.model, item.node) for item in got.unstreamed] == [(reason, "raw", "talk")]


@pytest.mark.parametrize("driver", DRIVERS)
def test_shown_by_filters(client: Client, driver: str) -> None:
    """What the filters let through is shown; a node may be tagged as well."""
    node = RunnableLambda(client.node("sync", tags=["own"])).with_config(tags=["of the node"])
    for rules in ({"include_tags": "own"}, {"include_nodes": "talk"}, {"include_tags": "of*"}, {"exclude_tags": "x"}):
        assert "".join(texts(shown(chain(talk=node), driver, **rules))) == SAID
    assert shown(chain(talk=node.with_config(tags=["nostream"])), driver) == []


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("within", [True, False])
def test_tried_again(within: bool, kind: str, driver: str) -> None:
    """What a failed attempt has written is taken back before the next one writes, with its id and metadata."""
    failed: List[int] = []

    def fail() -> None:
        failed.append(1)
        if len(failed) < 3:
            raise ConnectionError

    def node(state: State) -> Any:
        with message_writer(tags=["own"]) as message:
            message.write("one ")
            message.write(f"two {len(failed)}")
            if within:
                fail()
        if not within:
            fail()
        return {"messages": [message.message]}

    async def anode(state: State) -> Any:
        return node(state)

    builder = StateGraph(State).add_node("talk", node if kind == "sync" else anode, retry_policy=AGAIN)
    chunks = shown(builder.add_edge(START, "talk").compile(), driver)
    assert texts(chunks) == ["one ", "two 0", "-", "one ", "two 1", "-", "one ", "two 2"]
    ids = [message.id for message, _ in without_ends(chunks)]
    assert (ids[2], ids[5]) == (ids[0], ids[3])
    assert len({*ids}) == 3
    assert {metadata["langgraph_node"] for _, metadata in chunks} == {"talk"}
    assert all(metadata["tags"] == ["own"] for _, metadata in chunks)
    assert list(MessageAccumulator(chunks).texts().values()) == ["one two 2"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_another_takes_its_place(driver: str) -> None:
    """A writer that breaks off is taken back when the node writes with another, and only then."""

    def node(state: State) -> None:
        with pytest.raises(ConnectionError), message_writer() as message:
            message.write("half an")
            raise ConnectionError
        if state.get("asked"):
            with message_writer() as message:
                message.write("a whole answer")

    assert texts(shown(chain(node=node), driver)) == ["half an"]
    got = read(chain(node=node), {"asked": "again"}, driver, stream_mode="messages")
    assert texts(got.chunks) == ["half an", "-", "a whole answer"]


def begins(client: Client, kind: str, plain: bool = False, **how: Any) -> Any:
    """A node that says that it begins, as custom data, and then reads an answer without an end."""
    asked: Any = {"model": "gpt-4o-mini", "messages": ASKED, "stream": True}

    def node(state: State) -> Any:
        answer = client.sync.chat.completions.create(**asked)
        get_stream_writer()("begun")
        with message_writer(**how) as message, contextlib.nullcontext() if plain else answer:
            for event in answer:
                message.write(event.choices[0].delta.content)

    async def anode(state: State) -> Any:
        answer = await client.awaited.chat.completions.create(**asked)
        get_stream_writer()("begun")
        async with message_writer(**how) as message:
            async for event in answer:
                message.write(event.choices[0].delta.content)

    return node if kind == "sync" else anode


def stopped(client: Client) -> bool:
    """Whether the last answer was left before its end."""
    (request,) = client.server.requests
    return request.wait(PATIENCE) and request.disconnected


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["messages", ["messages", "custom"], "custom", ["custom", "objects"]])
def test_leaving(endless: Any, mode: Any, kind: str, driver: str) -> None:
    """A consumer who leaves closes the response of the client, with its next token if not before, in any mode."""
    leave(chain(talk=begins(endless, kind)), driver, mode)
    assert stopped(endless)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_leaving_when_it_is_hidden(endless: Any, kind: str, driver: str) -> None:
    """So does one who sees nothing of the tokens."""
    leave(chain(talk=begins(endless, kind, tags=["nostream"])), driver, ["messages", "custom"])
    assert stopped(endless)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_leaving_a_nested_graph(endless: Any, kind: str, driver: str) -> None:
    """So does one who leaves a graph around."""
    leave(chain(outer=chain(talk=begins(endless, kind))), driver)
    assert stopped(endless)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_leaving_three_lines(endless: Any, kind: str, driver: str) -> None:
    """Without a `with` for the response too; openai's sync stream is a reference cycle, closed when it is collected."""
    leave(chain(talk=begins(endless, kind, plain=True)), driver)
    eventually(lambda: gc.collect() >= 0 and endless.server.requests[0].wait(0))
    assert stopped(endless)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("subgraphs", [None, True, False])
def test_nested(client: Client, subgraphs: Any, kind: str, driver: str) -> None:
    """In a nested graph it is shown like a model's tokens: by default, and with the namespace if that is asked for."""
    graph = chain(outer=chain(talk=client.node(kind)))
    got = read(graph, {}, driver, stream_mode="messages", subgraphs=subgraphs)
    parts = parts_of(got.chunks, "messages", subgraphs, "v1")
    assert [message.content for message in got.output["messages"]] == [SAID]
    if subgraphs is False:
        assert parts == []
        return
    assert "".join(part.data[0].content for part in parts) == SAID
    assert {part.data[1]["langgraph_node"] for part in parts} == {"talk"}
    assert [[name.split(":")[0] for name in part.ns or ()] for part in parts] == [["outer"] if subgraphs else []] * 5


@pytest.mark.parametrize("driver", DRIVERS)
def test_in_tools(client: Client, driver: str) -> None:
    """In tools that run side by side: each token says which call it belongs to, and is no answer of the tool's."""

    @tool
    def ask(name: str) -> str:
        """Ask."""
        return client.node("sync", name=name)({})["messages"][0].content

    @tool
    async def await_it(name: str) -> str:
        """Ask, too."""
        return (await client.node("async", name=name)({}))["messages"][0].content

    names = {"one": "ask", "two": "await_it", "three": "ask"}
    calls = [{"name": tool_, "args": {"name": name}, "id": f"call {name}"} for name, tool_ in names.items()]
    graph = chain(plan=lambda state: {"messages": [AIMessage("", tool_calls=calls)]}, tools=ToolNode([ask, await_it]))
    chunks = [(message, metadata) for message, metadata in shown(graph, driver) if "run_id" in metadata]
    for name in names:
        told = [chunk for chunk in chunks if chunk[1]["run_name"] == name]
        assert "".join(texts(told)) == SAID
        assert {metadata["tool_call_id"] for _, metadata in told} == {f"call {name}"}
        assert {metadata["langgraph_node"] for _, metadata in told} == {"tools"}
    assert len({message.id for message, _ in chunks}) == 3


@pytest.mark.parametrize("driver", DRIVERS)
def test_side_by_side(client: Client, driver: str) -> None:
    """Several in one node at once: the ids tell them apart."""

    async def node(state: State) -> Any:
        parts = await asyncio.gather(*(client.node("async", name=str(number))({}) for number in range(3)))
        return {"messages": [part["messages"][0] for part in parts]}

    got = read(chain(node=node), {}, driver, stream_mode="messages")
    assert list(MessageAccumulator(got.chunks).texts().values()) == [SAID] * 3
    assert {message.id for message in got.output["messages"]} == {*MessageAccumulator(got.chunks).messages}
    assert len({metadata["run_id"] for _, metadata in got.chunks}) == 3
