"""Random graphs of nodes that are hard to end well: with tasks, threads and asyncio tasks of their own, and limits."""

from __future__ import annotations

import asyncio
import contextvars
import random
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Callable, Dict, Iterator, List

from scenarios.ending.random_graphs import Maker, RandomError, State, Tally
from streamgraph import message_writer
from streamgraph.config import get_stream_writer
from streamgraph.errors import GraphError
from streamgraph.func import task
from streamgraph.runtime import get_runtime
from streamgraph.types import RetryPolicy, TimeoutPolicy

MOMENT = 0.0005  # seconds

OWN = (RandomError, GraphError, KeyboardInterrupt)
"""What threads and asyncio tasks of a node's own deal with themselves: failures of models, graphs and handlers."""


def pause(chance: random.Random) -> float:
    """Seconds that something takes."""
    return chance.choice((0.0, 0.0, MOMENT, 3 * MOMENT))


class WildMaker(Maker):
    """Makes random graphs, some of whose nodes are wild.

    Args:
        chance: Where the randomness comes from.
        tally: Counts what goes on in the nodes, and in what they leave behind.
        depth: How deep graphs are nested.
    """

    def __init__(self, chance: random.Random, tally: Tally, *, depth: int = 1) -> None:
        super().__init__(chance, tally, failing=0.04, stuck=0.0, depth=depth)
        self._tasks = [self._task(f"t{number}") for number in range(4)]
        self._left: List[Any] = []  # the loop does not keep them

    def graph(self, depth: int = 0) -> Any:
        """A graph that may call itself, of nodes that may have limits, policies and handlers."""
        itself: List[Any] = []
        self._itself = itself
        itself.append(super().graph(depth))
        return itself[0]

    def _add(self, builder: Any, name: str, depth: int) -> None:
        chance, how = self._chance, {}
        if chance.random() < 0.15:
            limits = {"run_timeout": chance.choice((0.002, 0.01)), "idle_timeout": chance.choice((None, 0.004))}
            how["timeout"] = TimeoutPolicy(**limits, first_token_timeout=chance.choice((None, 0.005)))
        if chance.random() < 0.15:
            how["retry_policy"] = RetryPolicy(
                initial_interval=MOMENT,
                jitter=False,
                max_attempts=chance.randint(1, 3),
                retry_on=(RandomError, GraphError),
            )
        if chance.random() < 0.1:
            how["error_handler"] = self._handler(name)
        builder.add_node(name, self._node(name, depth), **how)

    def _node(self, name: str, depth: int) -> Any:
        chance = self._chance
        if chance.random() < 0.35:
            return super()._node(name, depth)
        kinds: List[Callable[[str], Any]] = [
            self._calls,
            self._calls_async,
            self._own_thread,
            self._own_task,
            self._pool,
            self._generator,
            self._itself_again,
            self._own_loop,
            self._client,
            self._slow,
        ]
        return chance.choice(kinds)(name)

    # What is called inside nodes.

    def _noise(self, name: str) -> None:
        """Do something that is streamed, in any thread."""
        chance = random.Random(name)
        with self._tally:
            for _ in range(chance.randint(1, 3)):
                time.sleep(pause(chance))
                chance.choice((self._write, self._speak))()

    async def _anoise(self, name: str) -> None:
        chance = random.Random(name)
        with self._tally:
            for _ in range(chance.randint(1, 3)):
                await asyncio.sleep(pause(chance))
                if chance.random() < 0.5:
                    self._write()
                else:
                    await self._model.ainvoke("?")

    def _write(self) -> None:
        get_stream_writer()("noise")

    def _speak(self) -> None:
        self._model.invoke("?")

    def _task(self, name: str) -> Any:
        chance = self._chance
        kind = chance.choice(("noise", "anoise", "fails", "number"))

        def noise(number: int) -> int:
            self._noise(name)
            return number

        async def anoise(number: int) -> int:
            await self._anoise(name)
            return number

        def fails(number: int) -> int:
            raise RandomError(name)

        def number(number: int) -> int:
            return number

        functions: Dict[str, Any] = {"noise": noise, "anoise": anoise, "fails": fails, "number": number}
        return task(functions[kind], name=name)

    def _handler(self, name: str) -> Any:
        def handler(state: State, error: Any) -> Dict[str, Any]:
            get_stream_writer()(("handled", name))
            return {"x": [name]}

        return handler

    # Nodes.

    def _calls(self, name: str) -> Any:
        """Call tasks, and wait for some of them."""
        tasks = [self._chance.choice(self._tasks) for _ in range(self._chance.randint(1, 3))]
        waits = self._chance.choice(("all", "one", "none", "cancels"))

        def node(state: State) -> Dict[str, Any]:
            with self._tally:
                futures = [one(number) for number, one in enumerate(tasks)]
                self._write()
                if waits == "cancels":
                    futures[0].cancel()
                with suppress(CancelledError):
                    for future in futures[: {"all": 3, "one": 1}.get(waits, 0)]:
                        future.result()
                return {"x": [name]}

        return node

    def _calls_async(self, name: str) -> Any:
        tasks = [self._chance.choice(self._tasks) for _ in range(self._chance.randint(1, 3))]
        waits = self._chance.choice(("all", "gathers", "none"))

        async def node(state: State) -> Dict[str, Any]:
            with self._tally:
                futures = [one(number) for number, one in enumerate(tasks)]
                self._write()
                if waits == "gathers":
                    await asyncio.gather(*futures)
                elif waits == "all":
                    for future in futures:
                        await future
                return {"x": [name]}

        return node

    def _own_thread(self, name: str) -> Any:
        """Start threads, and wait for them or not."""
        joins, inner = self._chance.random() < 0.5, self.inner()

        def work() -> None:
            with suppress(*OWN):  # which are this thread's to deal with
                self._noise(name)
                if inner is not None:
                    inner.invoke({"x": []})

        def node(state: State) -> Dict[str, Any]:
            with self._tally:
                threads = [threading.Thread(target=contextvars.copy_context().run, args=(work,)) for _ in range(2)]
                for thread in threads:
                    thread.start()
                self._write()
                for thread in threads if joins else ():
                    thread.join()
                return {"x": [name]}

        return node

    def _own_task(self, name: str) -> Any:
        """Start asyncio tasks, and wait for them or not."""
        waits, inner = self._chance.random() < 0.5, self.inner()

        async def work() -> None:
            with suppress(*OWN):
                await self._anoise(name)
                if inner is not None:
                    await inner.ainvoke({"x": []})

        async def node(state: State) -> Dict[str, Any]:
            with self._tally:
                tasks = [asyncio.ensure_future(work()) for _ in range(2)]
                self._left += tasks
                self._write()
                if waits:
                    await asyncio.gather(*tasks)
                return {"x": [name]}

        return node

    def _pool(self, name: str) -> Any:
        """Let models speak in the threads of an executor."""

        def node(state: State) -> Dict[str, Any]:
            with self._tally, ThreadPoolExecutor(2) as pool:
                futures = [pool.submit(contextvars.copy_context().run, self._speak) for _ in range(2)]
                return {"x": [name for future in futures if future.result() is None]}

        return node

    def _own_loop(self, name: str) -> Any:
        """Run an event loop in a sync node."""

        def node(state: State) -> Dict[str, Any]:
            with self._tally:
                asyncio.run(self._anoise(name))
                return {"x": [name]}

        return node

    def _generator(self, name: str) -> Any:
        chance = self._chance
        size, asynchronous = chance.randint(1, 3), chance.random() < 0.5

        def node(state: State) -> Iterator[Any]:
            with self._tally:
                for number in range(size):
                    yield "token"
                    yield {"x": [name]} if number == size - 1 else number

        async def anode(state: State) -> Any:
            for item in node(state):
                await asyncio.sleep(0)
                yield item

        return anode if asynchronous else node

    def _itself_again(self, name: str) -> Any:
        """Run the graph that the node is in, a few levels deep."""
        itself, deepest, asynchronous = self._itself, self._chance.randint(1, 4), self._chance.random() < 0.5

        def deeper(state: State) -> Any:
            return {"x": [*state["x"], "deeper"]} if state["x"].count("deeper") < deepest else None

        def node(state: State) -> Dict[str, Any]:
            given = deeper(state)
            with self._tally:
                if given is not None:
                    itself[0].invoke(given)
                return {"x": [name]}

        async def anode(state: State) -> Dict[str, Any]:
            given = deeper(state)
            with self._tally:
                if given is not None:
                    await itself[0].ainvoke(given)
                return {"x": [name]}

        return anode if asynchronous else node

    def _client(self, name: str) -> Any:
        """Show what a client says that is not LangChain's."""

        def node(state: State) -> Dict[str, Any]:
            with self._tally, message_writer(name) as message:
                for word in ("some", " words"):
                    message.write(word)
                return {"x": [message.message.content]}

        return node

    def _slow(self, name: str) -> Any:
        """Take longer than limits allow, until it is told to stop."""
        asynchronous = self._chance.random() < 0.5

        def node(state: State) -> Dict[str, Any]:
            runtime, end = get_runtime(), time.monotonic() + 20 * MOMENT
            with self._tally:
                while not runtime.stopped and time.monotonic() < end:
                    time.sleep(MOMENT)
                return {"x": [name]}

        async def anode(state: State) -> Dict[str, Any]:
            with self._tally:
                await asyncio.sleep(20 * MOMENT)
                return {"x": [name]}

        return anode if asynchronous else node

    def inner(self) -> Any:
        """A small graph to be run beside a node, or none."""
        if self._chance.random() < 0.6:
            return None
        return Maker(self._chance, self._tally, failing=0.04, depth=0).graph()
