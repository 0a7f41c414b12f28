"""Nodes that make one token after the other, and say how many they have made."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict, Iterator, List, Optional

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from streamgraph.runtime import Runtime
from support.value_graphs import State, graph_of


class TokenSource:
    """How many tokens have been made, and whether whoever makes them was told to end.

    Args:
        count: How many are made at most.
    """

    def __init__(self, count: int = 1000) -> None:
        self.limit = count
        self.count = 0
        self.ended = 0

    def tokens(self) -> Iterator[str]:
        """Make tokens."""
        try:
            for number in range(1, self.limit + 1):
                self.count = number
                yield f"{number} "
        finally:
            self.ended += 1


class Model(BaseChatModel):
    """A model that makes tokens."""

    made: Any

    @property
    def _llm_type(self) -> str:
        return "made"

    def _generate(self, messages: List[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("".join(self.made.tokens())))])

    def _stream(self, messages: List[BaseMessage], *args: Any, run_manager: Any = None, **kwargs: Any) -> Iterator[Any]:
        for token in self.made.tokens():
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=token))
            if run_manager is not None:
                run_manager.on_llm_new_token(token, chunk=chunk)
            yield chunk

    async def _astream(self, messages: List[BaseMessage], *args: Any, run_manager: Any = None, **kwargs: Any) -> Any:
        for token in self.made.tokens():
            await asyncio.sleep(0)
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=token))
            if run_manager is not None:
                await run_manager.on_llm_new_token(token, chunk=chunk)
            yield chunk


def _writes(made: TokenSource) -> Any:
    def node(state: State, writer: Any) -> Optional[State]:
        for token in made.tokens():
            writer(token)
        return None

    return node


def _yields(made: TokenSource) -> Any:
    def node(state: State) -> Any:
        yield from made.tokens()

    return node


def _asks(made: TokenSource) -> Any:
    def node(state: State) -> None:
        Model(made=made).invoke("?")

    return node


def _awaits(made: TokenSource) -> Any:
    async def node(state: State) -> None:
        await Model(made=made).ainvoke("?")

    return node


def _iterates(made: TokenSource) -> Any:
    async def node(state: State) -> None:
        async for _ in Model(made=made).astream("?"):
            pass

    return node


def _yields_async(made: TokenSource) -> Any:
    async def node(state: State) -> Any:
        for token in made.tokens():
            await asyncio.sleep(0)
            yield token

    return node


def _catches_up(made: TokenSource) -> Any:
    async def node(state: State, runtime: Runtime) -> None:
        for token in made.tokens():
            await runtime.caught_up()
            runtime.stream_writer(token)

    return node


def _below(make: Callable[[TokenSource], Any]) -> Callable[[TokenSource], Any]:
    return lambda made: graph_of(inner=make(made))


def _called(made: TokenSource) -> Any:
    inner = graph_of(inner=_asks(made))

    def node(state: State) -> Any:
        return inner.invoke(state)

    return node


def _awaited(made: TokenSource) -> Any:
    inner = graph_of(inner=_awaits(made))

    async def node(state: State) -> Any:
        return await inner.ainvoke(state)

    return node


SYNC: Dict[str, Callable[[TokenSource], Any]] = {
    "writer": _writes,
    "generator": _yields,
    "model": _asks,
    "nested": _below(_asks),
    "nested generator": _below(_yields),
    "called": _called,
}
"""Nodes that run in threads; each makes the tokens of a `TokenSource`."""

ASYNC: Dict[str, Callable[[TokenSource], Any]] = {
    "awaited model": _awaits,
    "iterated model": _iterates,
    "async generator": _yields_async,
    "caught up": _catches_up,
    "nested awaited": _below(_awaits),
    "nested async generator": _below(_yields_async),
    "called awaited": _awaited,
}
"""Nodes that run on an event loop."""

PRODUCERS = {**SYNC, **ASYNC}

MODES = ["messages", "custom"]


def text(chunk: Any) -> str:
    """The text of a chunk of the `MODES`."""
    mode, data = chunk
    return str(data[0].content) if mode == "messages" else str(data)


def cut_off(texts: List[str]) -> List[str]:
    """The texts without that of the empty chunk, which ends a message that was cut off."""
    return texts if texts[-1] else texts[:-1]


def numbers(upto: int) -> List[str]:
    """The texts of the first tokens."""
    return [f"{number} " for number in range(1, upto + 1)]
