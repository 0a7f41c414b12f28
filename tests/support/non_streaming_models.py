"""Models that do not stream, each for a reason of its own, and models that do."""

from __future__ import annotations

from typing import Any, AsyncIterator, Iterator, List

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import tool

WORDS = ["one ", "two ", "three"]


@tool
def look_up(topic: str) -> str:
    """Look something up."""
    return topic


class Whole(BaseChatModel):
    """Cannot stream."""

    @property
    def _llm_type(self) -> str:
        return "fake"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        """Bind tools, which it never calls."""
        return self.bind(tools=tools, **kwargs)

    def _generate(self, messages: List[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("".join(WORDS)))])


class OnlyAwaited(Whole):
    """Can stream in async code only."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        for word in WORDS:
            yield ChatGenerationChunk(message=AIMessageChunk(word))


class Streams(Whole):
    """Can stream, and may be told not to."""

    streaming: bool = True

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for word in WORDS:
            yield ChatGenerationChunk(message=AIMessageChunk(word))
