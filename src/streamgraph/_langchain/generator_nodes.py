"""Nodes that are generator functions.

Yielded strings and message chunks are tokens of one message (`messages`); other yielded values are `custom` data. The
update is the returned value. If a generator returns nothing, or cannot return a value, the update is the last mapping
that it yielded.
"""

from __future__ import annotations

from typing import AsyncGenerator, Callable, Generator, Mapping, Optional, Tuple
from uuid import uuid4

from langchain_core.messages import AIMessageChunk, BaseMessageChunk

from streamgraph._core.action import Action
from streamgraph._langchain.injection import Invocation, injected
from streamgraph._langchain.scope import Scope


class _Yields:
    """Emits the values that a generator node yields."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._id = f"gen-{uuid4()}"
        self.update: Optional[Mapping[str, object]] = None

    def take(self, item: object) -> None:
        if isinstance(item, str):
            item = AIMessageChunk(content=item)
        if isinstance(item, BaseMessageChunk):
            if self._scope.run.messages is not None:
                self._scope.run.messages.token(self._scope, self._id, item)
            else:
                self._scope.check_alive(is_token=True)
        else:
            self._scope.write(item)
            if isinstance(item, Mapping):
                self.update = item

    def close(self) -> None:
        """End the message that consists of the yielded tokens."""
        if self._scope.run.messages is not None:
            self._scope.run.messages.finished(self._id)


def generator_action(function: Callable[..., Generator[object, None, object]], names: Tuple[str, ...]) -> Action:
    """Return the action of a node that is a generator function."""

    def call(value: object, invocation: Invocation) -> object:
        yields = _Yields(invocation.scope)
        generator = function(value, **injected(names, invocation))
        try:
            while True:
                yields.take(next(generator))
        except StopIteration as result:
            return yields.update if result.value is None else result.value
        finally:
            yields.close()
            generator.close()

    return Action(call, None)


def async_generator_action(function: Callable[..., AsyncGenerator[object, None]], names: Tuple[str, ...]) -> Action:
    """Return the action of a node that is an async generator function."""

    async def call(value: object, invocation: Invocation) -> object:
        yields, capacity = _Yields(invocation.scope), invocation.scope.run.capacity
        generator = function(value, **injected(names, invocation))
        try:
            async for item in generator:
                if capacity is not None and capacity.full:
                    await capacity.wait()
                yields.take(item)
            if capacity is not None and capacity.full:
                await capacity.wait()  # for the end of the message
        finally:
            yields.close()
            await generator.aclose()
        return yields.update

    return Action(None, call)
