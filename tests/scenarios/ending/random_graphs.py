"""Small random graphs: tokens, custom data, parallel nodes, sync and async ones, and graphs in them."""

from __future__ import annotations

import asyncio
import random
import threading
from operator import add
from typing import Any, Callable, Dict, List

from typing_extensions import Annotated, TypedDict

from streamgraph.config import get_stream_writer
from streamgraph.graph import END, START, StateGraph
from streamgraph.runtime import get_runtime
from support.models import Model

WORDS = ("some", " words", " of", " it")
MODES = ("values", "updates", "messages", "custom", "tasks", "debug")


class State(TypedDict, total=False):
    """The names of the nodes that ran."""

    x: Annotated[list, add]


class RandomError(Exception):
    """What a node that is to fail raises."""


class Tally:
    """Counts the node calls that are going on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begun = 0
        self.running = 0

    def __enter__(self) -> Tally:
        with self._lock:
            self.begun += 1
            self.running += 1
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self.running -= 1


class Maker:
    """Makes random graphs.

    Args:
        chance: Where the randomness comes from.
        tally: Counts what goes on in the nodes.
        failing: The share of nodes that fail.
        stuck: The share of nodes that wait until they are told to stop.
        depth: How deep graphs are nested.
    """

    def __init__(
        self, chance: random.Random, tally: Tally, *, failing: float = 0.0, stuck: float = 0.0, depth: int = 2
    ) -> None:
        self._chance = chance
        self._tally = tally
        self._failing = failing
        self._stuck = stuck
        self._depth = depth
        self._model = Model(words=WORDS, ids=(None,) * len(WORDS))

    def graph(self, depth: int = 0) -> Any:
        """A graph of one to three steps of one to three nodes each."""
        builder, before = StateGraph(State), [START]
        for step in range(self._chance.randint(1, 3)):
            layer = [f"n{step}{index}" for index in range(self._chance.choice((1, 1, 2, 3)))]
            for name in layer:
                self._add(builder, name, depth)
                for source in before:
                    builder.add_edge(source, name)
            before = layer
        for source in before:
            builder.add_edge(source, END)
        return builder.compile()

    def _add(self, builder: Any, name: str, depth: int) -> None:
        builder.add_node(name, self._node(name, depth))

    def _node(self, name: str, depth: int) -> Any:
        chance = self._chance
        if chance.random() < self._failing:
            return chance.choice((self._fails, self._fails_async))(name, chance.randint(0, 3))
        if chance.random() < self._stuck:
            return chance.choice((self._stuck_node, self._stuck_async))(name)
        kinds: List[Callable[..., Any]] = [self._sync, self._async, self._speaks, self._speaks_async]
        if depth < self._depth:
            kinds += [self._nested, self._nested]
        kind = chance.choice(kinds)
        return kind(name, depth + 1) if kind == self._nested else kind(name, chance.randint(0, 4))

    def _sync(self, name: str, size: int) -> Any:
        def node(state: State) -> Dict[str, Any]:
            writer = get_stream_writer()
            with self._tally:
                for index in range(size):
                    writer((name, index))
                return {"x": [name]}

        return node

    def _async(self, name: str, size: int) -> Any:
        async def node(state: State) -> Dict[str, Any]:
            with self._tally:
                for index in range(size):
                    get_stream_writer()((name, index))
                    await asyncio.sleep(0)
                return {"x": [name]}

        return node

    def _speaks(self, name: str, size: int) -> Any:
        def node(state: State) -> Dict[str, Any]:
            with self._tally:
                self._model.invoke("?")
                get_stream_writer()((name, 0))
                return {"x": [name]}

        return node

    def _speaks_async(self, name: str, size: int) -> Any:
        async def node(state: State) -> Dict[str, Any]:
            with self._tally:
                await self._model.ainvoke("?")
                get_stream_writer()((name, 0))
                return {"x": [name]}

        return node

    def _nested(self, name: str, depth: int) -> Any:
        inner = self.graph(depth)
        manner = self._chance.choice(("as node", "called", "awaited", "gathered", "threaded", "streamed"))

        def call(state: State) -> Dict[str, Any]:
            with self._tally:
                inner.invoke({"x": []})
                return {"x": [name]}

        async def acall(state: State) -> Dict[str, Any]:
            with self._tally:
                if manner == "awaited":
                    await inner.ainvoke({"x": []})
                elif manner == "gathered":
                    await asyncio.gather(inner.ainvoke({"x": []}), asyncio.sleep(0))
                elif manner == "threaded":
                    await asyncio.to_thread(inner.invoke, {"x": []})
                else:
                    async for _ in inner.astream({"x": []}, stream_mode="updates"):
                        await asyncio.sleep(0)
                return {"x": [name]}

        return inner if manner == "as node" else call if manner == "called" else acall

    def _fails(self, name: str, size: int) -> Any:
        def node(state: State) -> None:
            writer = get_stream_writer()
            with self._tally:
                for index in range(size):
                    writer((name, index))
                raise RandomError(name)

        return node

    def _fails_async(self, name: str, size: int) -> Any:
        async def node(state: State) -> None:
            with self._tally:
                for index in range(size):
                    get_stream_writer()((name, index))
                    await asyncio.sleep(0)
                raise RandomError(name)

        return node

    def _stuck_node(self, name: str) -> Any:
        moment = threading.Event()

        def node(state: State) -> None:
            runtime = get_runtime()
            with self._tally:
                while not runtime.stopped:
                    moment.wait(0.0005)

        return node

    def _stuck_async(self, name: str) -> Any:
        async def node(state: State) -> None:
            with self._tally:
                try:
                    await asyncio.Event().wait()
                finally:
                    await asyncio.sleep(0)

        return node
