"""Chat models that need no network, and say the same however often they are asked."""

from __future__ import annotations

import asyncio
from typing import Any, AsyncIterator, Iterator, List, Optional, Sequence

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from streamgraph.testing import ScriptedModel

WORDS = ("tell", " me", " now")
TEXT = "".join(WORDS)


def scripted(
    words: Sequence[str] = WORDS, ids: Optional[Sequence[Optional[str]]] = None, **fields: Any
) -> ScriptedModel:
    """A model that streams these words, with these ids on the chunks if any are given."""
    chunks = [AIMessageChunk(content=word, id=given) for word, given in zip(words, ids or [None] * len(words))]
    return ScriptedModel([chunks], cycle=True, **fields)


class Model(BaseChatModel):
    """A model that streams its words, with these ids on the chunks.

    A `ScriptedModel` keeps what it was asked, makes all chunks before it streams the first, and its code is a part of
    streamgraph. This one is for tests that count calls or memory, for answers without end, and for subclasses.

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
