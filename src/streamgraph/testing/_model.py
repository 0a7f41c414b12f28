"""Chat model with scripted answers."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, AsyncIterator, Callable, Dict, Iterator, List, Optional, Sequence, Union

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr

from streamgraph.testing._answers import Answer, ScriptItem, as_answer
from streamgraph.testing._gate import Gate

__all__ = ["ScriptExhaustedError", "ScriptedModel"]

Tool = Union[Dict[str, Any], type, Callable[..., object], BaseTool]


class ScriptExhaustedError(AssertionError):
    """A model was called more often than its script has answers."""


class _Play:
    """Position in the script, and the recorded calls; shared by copies of the model."""

    def __init__(self, answers: Sequence[Answer], cycle: bool) -> None:
        self.answers = answers
        self.cycle = cycle
        self.calls: List[List[BaseMessage]] = []
        self.bound: List[List[Tool]] = []
        self.lock = threading.Lock()

    def __deepcopy__(self, memo: object) -> _Play:
        return self

    def next(self, messages: Sequence[BaseMessage]) -> Answer:
        with self.lock:
            place = len(self.calls)
            self.calls.append(list(messages))
        count = len(self.answers)
        if place >= count and not (self.cycle and count):
            asked = f"{messages[-1].type}: {messages[-1].content!s:.80}" if messages else "nothing"
            raise ScriptExhaustedError(
                f"A ScriptedModel was called {place + 1} times, and its script has {count}"
                f" answer{'' if count == 1 else 's'}. The last call ended with {asked!r}."
                " Add an answer to the script, or give cycle=True to begin again."
            )
        return self.answers[place % count]


class ScriptedModel(BaseChatModel):
    """A chat model that plays a script: one answer per call, streamed token by token.

    It replaces a real model in tests of a graph::

        model = ScriptedModel(
            [
                AIMessage("", tool_calls=[{"name": "search", "args": {"query": "cats"}, "id": "1"}]),
                "Cats sleep all day.",
            ]
        )
        agent = create_react_agent(model, [search])

    An answer is a string, an `AIMessage` (with tool calls and usage), a list of strings and `AIMessageChunk`s, an
    exception to raise, or an `Answer`, which has all options. The model can be called from several threads and event
    loops at the same time; each call takes the next answer. Copies of a model, and the results of `bind_tools`,
    continue the same script.

    A call that is not streamed passes the gate once, and takes as long as all its tokens together.

    Args:
        script: The answers.
        cycle: True to restart the script after its last answer; otherwise a further call is an error.
        delay: Seconds to wait before each token.
        gate: The gate to wait at before each token.
        **fields: Fields of every chat model: `tags`, `metadata`, `callbacks`, `disable_streaming`, and so on.

    Raises:
        TypeError: An item of the script is not an answer.
    """

    _play: _Play = PrivateAttr()
    _delay: float = PrivateAttr()
    _gate: Optional[Gate] = PrivateAttr()

    def __init__(
        self,
        script: Sequence[ScriptItem] = (),
        *,
        cycle: bool = False,
        delay: float = 0.0,
        gate: Optional[Gate] = None,
        **fields: Any,
    ) -> None:
        super().__init__(**fields)
        if isinstance(script, str):
            raise TypeError(f"A script is {script!r:.100}. Give a list of answers: [{script!r:.100}].")
        self._play = _Play([as_answer(item, place) for place, item in enumerate(script, 1)], cycle)
        self._delay = delay
        self._gate = gate

    @property
    def calls(self) -> List[List[BaseMessage]]:
        """The messages of each call so far, in the order of the calls."""
        with self._play.lock:
            return [list(messages) for messages in self._play.calls]

    @property
    def bound_tools(self) -> List[List[Tool]]:
        """The tools of each call of `bind_tools` so far, unconverted."""
        with self._play.lock:
            return [list(tools) for tools in self._play.bound]

    @property
    def remaining(self) -> Optional[int]:
        """Number of unused answers; `None` with `cycle=True`."""
        play = self._play
        return None if play.cycle else max(len(play.answers) - len(play.calls), 0)

    def bind_tools(
        self, tools: Sequence[Tool], *, tool_choice: Optional[str] = None, **kwargs: Any
    ) -> Runnable[Any, Any]:
        """Record the tools, and return the model bound to them; the script does not change.

        Args:
            tools: The tools that the model may call.
            tool_choice: The tool that the model must call; passed on without effect.
            **kwargs: Further options of the call; passed on without effect.

        Returns:
            The model, bound to the tools in OpenAI's format.
        """
        with self._play.lock:
            self._play.bound.append(list(tools))
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: List[BaseMessage],
        stop: Optional[List[str]] = None,
        run_manager: Optional[CallbackManagerForLLMRun] = None,
        **kwargs: Any,
    ) -> ChatResult:
        answer = self._play.next(messages)
        self._pause(answer, len(answer.chunks()))
        return _result(answer)

    async def _agenerate(
        self,
        messages: List[BaseMessage],
        stop: Optional[List[str]] = None,
        run_manager: Optional[AsyncCallbackManagerForLLMRun] = None,
        **kwargs: Any,
    ) -> ChatResult:
        answer = self._play.next(messages)
        await self._apause(answer, len(answer.chunks()))
        return _result(answer)

    # langchain-core calls `on_llm_new_token` and assigns ids for all chunks that these two methods yield.

    def _stream(
        self,
        messages: List[BaseMessage],
        stop: Optional[List[str]] = None,
        run_manager: Optional[CallbackManagerForLLMRun] = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        answer = self._play.next(messages)
        for chunk in answer.chunks():
            self._pause(answer)
            yield _generation(chunk)
        if answer.error is not None:
            self._pause(answer, 0)
            raise answer.error

    async def _astream(
        self,
        messages: List[BaseMessage],
        stop: Optional[List[str]] = None,
        run_manager: Optional[AsyncCallbackManagerForLLMRun] = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        answer = self._play.next(messages)
        for chunk in answer.chunks():
            await self._apause(answer)
            yield _generation(chunk)
        if answer.error is not None:
            await self._apause(answer, 0)
            raise answer.error

    def _pause(self, answer: Answer, tokens: int = 1) -> None:
        delay = self._delay if answer.delay is None else answer.delay
        if delay and tokens:
            time.sleep(delay * tokens)
        gate = answer.gate or self._gate
        if gate is not None:
            gate.wait()

    async def _apause(self, answer: Answer, tokens: int = 1) -> None:
        delay = self._delay if answer.delay is None else answer.delay
        await asyncio.sleep(delay * tokens)  # also with 0: a real model yields to the loop between two tokens
        gate = answer.gate or self._gate
        if gate is not None:
            await gate.await_()


def _result(answer: Answer) -> ChatResult:
    if answer.error is not None:
        raise answer.error
    return ChatResult(generations=[ChatGeneration(message=answer.message())])


def _generation(chunk: AIMessageChunk) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=chunk)
