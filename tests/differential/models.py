"""Chat models that need no network."""

from collections.abc import Iterator
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult


def words(*texts: str, **fields: Any) -> GenericFakeChatModel:
    """A model that streams each text word by word, one text per call."""
    return GenericFakeChatModel(messages=iter([AIMessage(text) for text in texts]), **fields)


class Whole(BaseChatModel):
    """A model that cannot stream."""

    text: str = "all at once"

    @property
    def _llm_type(self) -> str:
        return "whole"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(self.text))])


class Chunked(BaseChatModel):
    """A model that streams given chunks, and fails after them if told to."""

    chunks: list[AIMessageChunk]
    fails: bool = False

    @property
    def _llm_type(self) -> str:
        return "chunked"

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for chunk in self.chunks:
            yield ChatGenerationChunk(message=chunk.model_copy())
        if self.fails:
            raise ConnectionAbortedError("the line went dead")

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: Any = None,
        run_manager: "CallbackManagerForLLMRun | None" = None,
        **kwargs: Any,
    ) -> ChatResult:
        parts = [chunk.message for chunk in self._stream(messages)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        text = AIMessage(total.content, tool_calls=total.tool_calls, usage_metadata=total.usage_metadata)
        return ChatResult(generations=[ChatGeneration(message=text)])


def caller(tool: str = "search", call: str = "c1") -> Chunked:
    """A model that streams one tool call in pieces, then its usage."""
    return Chunked(
        chunks=[
            AIMessageChunk("", tool_call_chunks=[tool_call_chunk(name=tool, args="", id=call, index=0)]),
            AIMessageChunk("", tool_call_chunks=[tool_call_chunk(args='{"q": ', index=0)]),
            AIMessageChunk("", tool_call_chunks=[tool_call_chunk(args='"ice"}', index=0)]),
            AIMessageChunk("", usage_metadata={"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}),
        ]
    )
