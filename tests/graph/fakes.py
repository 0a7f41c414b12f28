"""Chat models that need no network, and small graphs around nodes."""

from __future__ import annotations

import asyncio
from operator import add
from typing import Any, AsyncIterator, Dict, Iterator, List, Optional, Sequence

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from typing_extensions import Annotated, TypedDict

from streamgraph import END, START, MessagesState, StateGraph

WORDS = ("tell", " me", " now")
TEXT = "".join(WORDS)


class State(TypedDict, total=False):
    """A list that grows and two plain keys."""

    x: Annotated[list, add]
    p: Any
    q: Any


class Model(BaseChatModel):
    """A model that streams its words, with these ids on the chunks.

    Attributes:
        words: The content of the chunks.
        ids: The ids of the chunks; `None` for none of its own.
    """

    words: Sequence[str] = WORDS
    ids: Sequence[Optional[str]] = (None, None, None)

    @property
    def _llm_type(self) -> str:
        return "fake"

    def _chunks(self) -> Iterator[ChatGenerationChunk]:
        for word, given in zip(self.words, self.ids):
            yield ChatGenerationChunk(message=AIMessageChunk(content=word, id=given))

    def _stream(
        self,
        messages: List[BaseMessage],
        stop: Optional[List[str]] = None,
        run_manager: Optional[CallbackManagerForLLMRun] = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        yield from self._chunks()

    async def _astream(
        self,
        messages: List[BaseMessage],
        stop: Optional[List[str]] = None,
        run_manager: Optional[AsyncCallbackManagerForLLMRun] = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._chunks():
            await asyncio.sleep(0)
            yield chunk

    def _generate(
        self,
        messages: List[BaseMessage],
        stop: Optional[List[str]] = None,
        run_manager: Optional[CallbackManagerForLLMRun] = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content="".join(self.words)))])


class Whole(BaseChatModel):
    """A model that cannot stream."""

    @property
    def _llm_type(self) -> str:
        return "whole"

    def _generate(
        self,
        messages: List[BaseMessage],
        stop: Optional[List[str]] = None,
        run_manager: Optional[CallbackManagerForLLMRun] = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=TEXT))])


def line(*nodes: Any, schema: Any = State, **options: Any) -> Any:
    """A compiled graph with these nodes, or pairs of a name and a node, one after the other."""
    builder = StateGraph(schema, **options)
    previous = START
    for index, item in enumerate(nodes):
        name, action = item if isinstance(item, tuple) else (f"n{index}", item)
        builder.add_node(name, action).add_edge(previous, name)
        previous = name
    return builder.add_edge(previous, END).compile()


def chat(*nodes: Any, schema: Any = MessagesState, **options: Any) -> Any:
    """A compiled graph over messages with these nodes in a line."""
    return line(*nodes, schema=schema, **options)


def both(graph: Any, given: Any, config: Any = None, **options: Any) -> List[Any]:
    """The chunks of a graph, after making sure that `stream` and `astream` give the same ones."""
    synchronous = list(graph.stream(given, config, **options))
    asynchronous = collected(graph, given, config, **options)
    assert synchronous == asynchronous
    return synchronous


def collected(graph: Any, given: Any, config: Any = None, **options: Any) -> List[Any]:
    """The chunks of `astream`."""

    async def collect() -> List[Any]:
        return [chunk async for chunk in graph.astream(given, config, **options)]

    return asyncio.run(collect())


def drivers(graph: Any, given: Any, config: Any = None, **options: Any) -> Dict[str, List[Any]]:
    """The chunks of `stream` and of `astream`, for payloads that carry fresh ids."""
    return {
        "stream": list(graph.stream(given, config, **options)),
        "astream": collected(graph, given, config, **options),
    }


def texts(chunks: Sequence[Any]) -> List[str]:
    """The contents of the messages of a `messages` stream, the empty last chunks of langchain-core left out."""
    return [message.content for message, _ in chunks if message.content or not isinstance(message, AIMessageChunk)]
