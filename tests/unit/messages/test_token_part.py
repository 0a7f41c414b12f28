"""A token is copied when its consumer takes it, if nobody can modify it until then."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, Dict, List, Tuple

import pytest
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk

from streamgraph._messages import token_part
from streamgraph._messages.token_part import TokenPart
from streamgraph.graph import START, MessagesState, StateGraph
from support.models import Model

DRIVERS = ("stream", "astream")


class Call:
    """What a token has of its call."""

    id, node, ns = "m", "node", ("outer:1",)

    def __init__(self) -> None:
        self.metadata: Dict[str, Any] = {"tags": ["own"], "n": 1}


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> List[BaseMessage]:
    """The messages that were copied."""
    found: List[BaseMessage] = []
    original = token_part.private_copy

    def copy(message: BaseMessage, id: Any) -> BaseMessage:  # noqa: A002
        found.append(message)
        return original(message, id)

    monkeypatch.setattr(token_part, "private_copy", copy)
    return found


def test_copied_when_it_is_taken(copied: List[BaseMessage]) -> None:
    """Not before, and once; message and metadata are the consumer's own."""
    call, chunk = Call(), AIMessageChunk(content="x", id="other", additional_kwargs={"a": [1]})
    part = TokenPart(call, chunk, lasting=True)
    assert (part.ns, part.mode, part.source, part.key) == (("outer:1",), "messages", "node", None)
    assert copied == []
    message, metadata = part.data
    assert part.data == (message, metadata)
    assert part.data[0] is message
    assert copied == [chunk]
    assert (message.content, message.id, chunk.id) == ("x", "m", "other")
    message.additional_kwargs["a"].append(2)
    metadata["tags"].append("more")
    assert chunk.additional_kwargs == {"a": [1]}
    assert call.metadata == {"tags": ["own"], "n": 1}


def test_copied_at_once(copied: List[BaseMessage]) -> None:
    """A message that somebody may modify is shown as it was."""
    chunk = AIMessageChunk(content="x")
    part = TokenPart(Call(), chunk, lasting=False)
    assert copied == [chunk]
    chunk.content = "changed"
    assert part.data[0].content == "x"


class Rich(Model):
    """A model whose tokens have values inside values, which langchain-core takes over into the whole message."""

    def _chunks(self) -> Any:
        for index, word in enumerate(self.words):
            block = {"type": "text", "text": word, "index": index, "notes": [{"by": "model"}]}
            kept: Dict[str, Any] = {"additional_kwargs": {f"k{index}": {"a": [1]}}}
            yield ChatGenerationChunk(message=AIMessageChunk(content=[block], **kept))


def read_late(graph: Any, driver: str, over: threading.Event) -> List[Tuple[Any, Any]]:
    """Read the messages of a stream, all but the first of them when the node is over."""

    async def aread() -> List[Tuple[Any, Any]]:
        chunks = []
        async for chunk in graph.astream({"messages": []}, stream_mode="messages"):
            chunks.append(chunk)
            while not over.is_set():
                await asyncio.sleep(0)
        return chunks

    if driver == "astream":
        return asyncio.run(aread())
    chunks = []
    for chunk in graph.stream({"messages": []}, stream_mode="messages"):
        chunks.append(chunk)
        assert over.wait(30)
    return chunks


def vandal(message: Any) -> None:
    """Change a message wherever that can be done in place."""
    for block in message.content:
        block["notes"][0]["by"] = "vandal"
        block["text"] = "vandal"
    for value in message.additional_kwargs.values():
        value["a"].append("vandal")
    message.additional_kwargs["vandal"] = 1
    message.content = "vandal"


def invoking(model: Model) -> Any:
    """Get the whole message."""
    return [model.invoke("?")]


def streaming(model: Model) -> Any:
    """Get the tokens."""
    return model.stream("?")


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("words", [("one",), ("one", "two", "three")])
@pytest.mark.parametrize("calling", [invoking, streaming])
def test_what_a_node_does_to_its_messages(calling: Callable[[Model], Any], words: Tuple[str, ...], driver: str) -> None:
    """It is not seen in the tokens, however late they are read."""
    over, model = threading.Event(), Rich(words=words, ids=[None] * len(words))

    def node(state: Any) -> None:
        for message in calling(model):
            vandal(message)
        over.set()

    graph = StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile()
    tokens = [message for message, _ in read_late(graph, driver, over) if message.content]
    assert [message.content[0]["text"] for message in tokens] == [*words]
    for index, message in enumerate(tokens):
        assert message.content[0]["notes"] == [{"by": "model"}]
        assert message.additional_kwargs == {f"k{index}": {"a": [1]}}


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_a_consumer_does_to_its_tokens(driver: str) -> None:
    """It is not seen in the message that the node gets."""
    got: List[Any] = []
    model = Rich(words=("one", "two"), ids=[None, None])

    async def anode(state: Any) -> None:
        got.append(await model.ainvoke("?"))

    def node(state: Any) -> None:
        got.append(model.invoke("?"))

    graph = StateGraph(MessagesState).add_node("node", anode if driver == "astream" else node)
    compiled = graph.add_edge(START, "node").compile()
    ended = threading.Event()
    ended.set()
    for message, metadata in read_late(compiled, driver, ended):
        if message.content:
            vandal(message)
        metadata.clear()
    assert [block["text"] for block in got[0].content] == ["one", "two"]
    assert [block["notes"] for block in got[0].content] == [[{"by": "model"}]] * 2
    assert got[0].additional_kwargs == {"k0": {"a": [1]}, "k1": {"a": [1]}}


class Reporting(Model):
    """A model that reports its chunks itself, while it makes the whole message."""

    def _should_stream(self, **kwargs: Any) -> bool:
        return False

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        chunks = list(self._chunks())
        for chunk in chunks:
            run_manager.on_llm_new_token(chunk.text, chunk=chunk)
        return generate_from_stream(iter(chunks))


async def awaiting(model: Model) -> None:
    """Get the whole message, on a loop."""
    await model.ainvoke("?")


async def streaming_on_a_loop(model: Model) -> None:
    """Get the tokens, on a loop."""
    async for _ in model.astream("?"):
        pass


@pytest.mark.parametrize("options", [{}, {"max_buffer": 2}])
@pytest.mark.parametrize(
    ("kind", "calling", "lasting"),
    [
        (Model, invoking, True),
        (Model, awaiting, True),
        (Model, lambda model: list(streaming(model)), False),
        (Model, streaming_on_a_loop, False),
        (Reporting, invoking, False),
    ],
)
def test_which_tokens_last(
    kind: Any, calling: Any, lasting: bool, options: Dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that langchain-core keeps for itself: not those that the node gets, or that a model reports itself."""
    found: List[bool] = []
    original = TokenPart.__init__

    def init(self: TokenPart, call: Any, message: BaseMessage, lasting: bool) -> None:
        if message.content:  # not the empty chunk at the end
            found.append(lasting)
        original(self, call, message, lasting)

    monkeypatch.setattr(TokenPart, "__init__", init)

    async def anode(state: Any) -> None:
        await calling(kind())

    def node(state: Any) -> None:
        calling(kind())

    asynchronous = asyncio.iscoroutinefunction(calling)
    graph = StateGraph(MessagesState).add_node("node", anode if asynchronous else node)

    async def read() -> None:
        async for _ in graph.add_edge(START, "node").compile().astream({}, stream_mode="messages", **options):
            pass

    asyncio.run(read())
    assert len(found) >= 3
    assert set(found) == {lasting}


def test_dropped_tokens_are_not_copied(copied: List[BaseMessage]) -> None:
    """What a slow consumer never gets costs no copy."""
    over, model = threading.Event(), Model(words=["x"] * 100, ids=[None] * 100)

    def node(state: Any) -> None:
        model.invoke("?")
        over.set()

    graph = StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile()
    stream = graph.stream({"messages": []}, stream_mode="messages", max_buffer=5, overflow="drop_oldest")
    next(stream)
    assert over.wait(30)
    assert len(list(stream)) < 10
    assert len(copied) < 10
