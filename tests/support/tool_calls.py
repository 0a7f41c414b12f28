"""A chat model with tools, and short ways to call a node."""

from __future__ import annotations

import asyncio
import json
from typing import Any, AsyncIterator, Dict, Iterator, List, Optional, Sequence

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field


def call(name: str, call_id: Optional[str] = None, **args: Any) -> Dict[str, Any]:
    """A tool call."""
    return {"name": name, "args": args, "id": call_id or f"{name}-1", "type": "tool_call"}


def asking(*calls: Dict[str, Any], **more: Any) -> Dict[str, Any]:
    """A state whose last message calls tools."""
    return {"messages": [AIMessage("", tool_calls=list(calls))], **more}


def run(node: Any, given: Any, config: Any = None, *, driver: str = "invoke") -> Any:
    """What a node returns, sync or async."""
    if driver == "invoke":
        return node.invoke(given, config)
    return asyncio.run(node.ainvoke(given, config))


def answers(result: Any) -> List[Any]:
    """The contents of the messages that a node returned."""
    messages = result["messages"] if isinstance(result, dict) else result
    assert all(isinstance(message, ToolMessage) for message in messages)
    return [message.content for message in messages]


class ModelByTurn(BaseChatModel):
    """Gives the answer that comes next after the AI messages it sees, streaming it word by word.

    `streamgraph.testing.ScriptedModel` gives the answer that comes next after those it has given. This one may be asked
    by several runs, of both libraries and at the same time, each of which begins with the first answer.

    Attributes:
        script: The answers.
        seen: The questions it was asked, as types and contents.
        bound: What it was bound to, each time.
        structured: What it answers if a form is asked for.
    """

    script: List[AIMessage] = Field(default_factory=list)
    seen: List[Any] = Field(default_factory=list)
    bound: List[Any] = Field(default_factory=list)
    structured: Any = None

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        tools = [convert_to_openai_tool(tool) for tool in tools]
        self.bound.append(tools)
        return self.bind(tools=tools)

    def with_structured_output(self, schema: Any, **kwargs: Any) -> Any:
        def answer(messages: Any) -> Any:
            self.seen.append((schema, [(message.type, message.content) for message in messages]))
            return self.structured

        return RunnableLambda(answer)

    def _next(self, messages: List[BaseMessage]) -> AIMessage:
        self.seen.append([(message.type, message.content) for message in messages])
        return self.script[sum(isinstance(message, AIMessage) for message in messages) % len(self.script)]

    def _chunks(self, messages: List[BaseMessage]) -> Iterator[ChatGenerationChunk]:
        answer = self._next(messages)
        for word in str(answer.content).split(" ") if answer.content else ():
            yield ChatGenerationChunk(message=AIMessageChunk(word))
        for index, item in enumerate(answer.tool_calls):
            chunk = {"name": item["name"], "args": json.dumps(item["args"]), "id": item["id"], "index": index}
            yield ChatGenerationChunk(
                message=AIMessageChunk("", tool_call_chunks=[{**chunk, "type": "tool_call_chunk"}])  # type: ignore
            )

    def _stream(
        self,
        messages: List[BaseMessage],
        stop: Optional[List[str]] = None,
        run_manager: Optional[CallbackManagerForLLMRun] = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        yield from self._chunks(messages)

    async def _astream(
        self,
        messages: List[BaseMessage],
        stop: Optional[List[str]] = None,
        run_manager: Optional[AsyncCallbackManagerForLLMRun] = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._chunks(messages):
            await asyncio.sleep(0)
            yield chunk

    def _generate(
        self,
        messages: List[BaseMessage],
        stop: Optional[List[str]] = None,
        run_manager: Optional[CallbackManagerForLLMRun] = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._next(messages))])


def saying(*script: Any, **fields: Any) -> ModelByTurn:
    """A model with these answers: texts, or lists of tool calls."""
    made = [AIMessage(item) if isinstance(item, str) else AIMessage("", tool_calls=item) for item in script]
    return ModelByTurn(script=made, **fields)
