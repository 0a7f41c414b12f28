"""Graphs whose model speaks for as long as anybody listens, and takes note of its end."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any, AsyncIterator, Iterator

from support.models import Model
from support.value_graphs import State, graph_of


class Endless(Model):
    """A model with a great deal to say.

    Attributes:
        ended: It has been ended.
    """

    words: Any = ["word "] * 100_000
    ids: Any = [None] * 100_000
    ended: Any = None

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        try:
            for chunk in super()._stream(*args, **kwargs):
                yield chunk
                time.sleep(0.001)
        finally:
            self.ended.set()

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        try:
            async for chunk in super()._astream(*args, **kwargs):
                yield chunk
                await asyncio.sleep(0.001)
        finally:
            self.ended.set()


class Speaking:
    """A graph of one node, and the model in it.

    Args:
        asynchronous: Whether the node awaits it.
        endless: Whether it goes on for as long as it may.
    """

    def __init__(self, *, asynchronous: bool, endless: bool = True) -> None:
        self.ended = threading.Event()
        self._model = Endless(ended=self.ended) if endless else Model()
        self.graph: Any = graph_of(node=self._anode if asynchronous else self._node)

    def _node(self, state: State) -> State:
        return {"value": self._model.invoke("?").content}

    async def _anode(self, state: State) -> State:
        return {"value": (await self._model.ainvoke("?")).content}

    def stream(self) -> Any:
        """A sync stream of its tokens."""
        return self.graph.stream({"value": "?"}, stream_mode="messages")

    def astream(self) -> Any:
        """An async stream of its tokens."""
        return self.graph.astream({"value": "?"}, stream_mode="messages")
