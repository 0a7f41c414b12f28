"""How a random program is read, and how it is left: every way there is, sync and async."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from contextlib import suppress
from typing import Any, Callable, Dict, List, Optional

import anyio
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler

from scenarios.ending.order_checks import Order
from scenarios.ending.random_graphs import MODES, RandomError
from scenarios.ending.wild_graphs import MOMENT, OWN
from streamgraph.errors import GraphError, StreamBusyError

SOON = 0.03  # seconds after which a reader leaves that waits for a chunk in vain
HANGING = 20.0  # seconds after which a run that has not ended never will


class Slow(BaseCallbackHandler):
    """A handler that takes its time."""

    def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
        """A run starts."""
        time.sleep(MOMENT)

    on_chain_end = on_chain_error = on_llm_new_token = on_chat_model_start = on_chain_start


class AsyncSlow(AsyncCallbackHandler):
    """The same on a loop."""

    async def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
        """A run starts."""
        await asyncio.sleep(MOMENT)

    on_chain_end = on_chain_error = on_llm_new_token = on_chat_model_start = on_chain_start


class Raises(BaseCallbackHandler):
    """A handler that fails now and then.

    Args:
        chance: Where the randomness comes from.
        insists: Whether the run is to fail with it.
        kind: What it raises.
    """

    def __init__(self, chance: random.Random, *, insists: bool, kind: Any = RandomError) -> None:
        self.raise_error = insists
        self._chance = chance
        self._kind = kind

    def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
        """A run starts."""
        if self._chance.random() < 0.05:
            raise self._kind("handler")

    on_chain_end = on_chain_error = on_llm_new_token = on_chain_start


class Interrupts(Raises):
    """A handler that interrupts the run, but not while a model speaks: langchain-core takes that for its answer."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(chance, insists=True, kind=KeyboardInterrupt)

    def on_llm_new_token(self, *args: Any, **kwargs: Any) -> None:
        """A token."""


class Program:
    """One run of a graph: what is asked for, when and how it is left, how slow it is read.

    Args:
        chance: Where the randomness comes from.
        graph: The graph.
        wild: Whether limits and handlers are among what may happen.
        stuck: Whether some of its nodes wait until they are told to stop.
        asynchronous: Whether it is awaited.
    """

    def __init__(
        self, chance: random.Random, graph: Any, *, wild: bool, stuck: bool = False, asynchronous: bool
    ) -> None:
        self.chance = chance
        self.graph = graph
        self.wild = wild
        everything = chance.random() < 0.5
        self.order: Optional[Order] = Order() if everything and not wild else None
        self.options: Dict[str, Any] = {
            "stream_mode": list(MODES) if everything else chance.sample(MODES, chance.randint(1, 3)),
            "subgraphs": True if everything else chance.choice((None, True, False)),
            "version": "v2" if everything else chance.choice(("v1", "v2")),
        }
        if wild:
            self.options.update(self._limits())
            self.options["config"] = self._config(asynchronous)
        self.leave_after = chance.choice((0, 1, 2, 3, 5, 8, 13, 21)) if chance.random() < 0.5 else 10**9
        self.patience = SOON if stuck else HANGING
        self.slow = chance.random() < 0.2
        self.taken = 0
        self.left_at: Optional[float] = None

    def _limits(self) -> Dict[str, Any]:
        chance, found = self.chance, {}
        if chance.random() < 0.4:
            overflow = chance.choice(("block", "block", "drop_oldest", "coalesce", "raise"))
            found.update(max_buffer=chance.randint(1, 3), overflow=overflow)
        if chance.random() < 0.2:
            found["heartbeat"] = chance.choice((0.001, 0.005))
        if chance.random() < 0.2:
            found["timeout"] = chance.choice((0.001, 0.005, 0.02, 5.0))
        return found

    def _config(self, asynchronous: bool) -> Dict[str, Any]:
        chance = self.chance
        handlers = [Slow(), AsyncSlow() if asynchronous else Slow(), Raises(chance, insists=False)]
        handlers += [Raises(chance, insists=True), Raises(chance, insists=True)]
        if not asynchronous:  # asyncio lets it end the loop
            handlers.append(Interrupts(chance))
        config: Dict[str, Any] = {}
        if chance.random() < 0.4:
            config["callbacks"] = chance.sample(handlers, chance.choice((1, 1, 2)))
        if chance.random() < 0.1:
            config["recursion_limit"] = chance.randint(1, 3)
        if chance.random() < 0.2:
            config["max_concurrency"] = chance.randint(1, 2)
        return config

    def take(self, chunk: Any) -> bool:
        """Look at a chunk; says whether it is time to leave."""
        self.taken += 1
        if self.order is not None:
            self.order.take(chunk)
        return self.taken >= self.leave_after

    def leaving(self) -> None:
        """It is being left from now on."""
        self.left_at = time.perf_counter()

    def stream(self) -> Any:
        """Begin a sync run."""
        return self.graph.stream({"x": []}, **self.options)

    def astream(self) -> Any:
        """Begin an async run."""
        return self.graph.astream({"x": []}, **self.options)

    def call(self) -> Dict[str, Any]:
        """The options of a call that waits for the output."""
        return {key: self.options[key] for key in ("config", "timeout") if key in self.options}


# Sync ways. Each returns whether the run was left; `held` holds the only reference to the stream.


def read(program: Program, held: List[Any]) -> bool:
    """To the end, or until it is time, and close it."""
    stream = held.pop()
    try:
        for chunk in stream:
            if program.take(chunk):
                return True
            if program.slow:
                time.sleep(MOMENT)
        return False
    finally:
        program.leaving()
        stream.close()


def read_in_block(program: Program, held: List[Any]) -> bool:
    """In a `with` block, which an exception leaves."""
    with suppress(LookupError), held.pop() as stream:
        for chunk in stream:
            if program.take(chunk):
                program.leaving()
                raise LookupError
        return False
    return True


def read_and_drop(program: Program, held: List[Any]) -> bool:
    """And forget it, in a cycle or not."""
    cycle: List[Any] = [held.pop()]
    if program.chance.random() < 0.5:
        cycle.append(cycle)
    for chunk in cycle[0]:
        if program.take(chunk):
            return True
    return False


def read_through_a_generator(program: Program, held: List[Any]) -> bool:
    """Through a generator that is closed."""

    def through(stream: Any) -> Any:
        yield from stream

    reader = through(held.pop())
    for chunk in reader:
        if program.take(chunk):
            program.leaving()
            reader.close()
            return True
    return False


def closed_by_another(program: Program, held: List[Any]) -> bool:
    """While another thread closes it."""
    stream = held.pop()

    def close() -> None:
        with suppress(*OWN):  # of handlers that hear of the end
            stream.close()

    closer = threading.Timer(program.chance.choice((0.0, 0.001, 0.003)), close)
    closer.start()
    try:
        for chunk in stream:
            if program.take(chunk):
                break
        return stream.status != "done"
    finally:
        stream.close()
        closer.join()


def read_with_an_intruder(program: Program, held: List[Any]) -> bool:
    """While another thread pulls now and then, which gets an error or a chunk."""
    stream, over = held.pop(), threading.Event()
    faults: List[BaseException] = []

    def intrude() -> None:
        while not over.is_set():
            try:
                next(stream)
            except StreamBusyError:
                time.sleep(MOMENT)
            except BaseException as error:  # the failure of the run, or its end, which only one of them gets
                faults.append(error)
                return

    intruder = threading.Thread(target=intrude)
    intruder.start()
    try:
        while True:
            try:
                if program.taken >= program.leave_after:
                    return True
                next(stream)
                program.taken += 1
            except StreamBusyError:
                time.sleep(MOMENT)
            except StopIteration:
                return True  # what the other one has got is not known here
    finally:
        stream.close()
        over.set()
        intruder.join()


def invoke(program: Program, held: List[Any]) -> bool:
    """Not at all: the output is waited for."""
    held.clear()
    program.graph.invoke({"x": []}, **program.call())
    return True


SYNC = [
    read,
    read,
    read_in_block,
    read_and_drop,
    read_through_a_generator,
    closed_by_another,
    read_with_an_intruder,
    invoke,
]


# Async ways.


async def _read(program: Program, stream: Any) -> bool:
    async for chunk in stream:
        if program.take(chunk):
            return True
        if program.slow:
            await asyncio.sleep(MOMENT)
    return False


async def _rounds(program: Program) -> None:
    for _ in range(program.chance.choice((1, 3, 10, 30, 100))):
        await asyncio.sleep(0)


async def close(program: Program, held: List[Any]) -> bool:
    """Leave a block after some chunks, or be cancelled in it where there are none."""
    async with held.pop() as stream:
        reader = asyncio.ensure_future(_read(program, stream))
        done, _ = await asyncio.wait({reader}, timeout=program.patience)
        program.leaving()
        await stream.aclose()
        return await reader or not done


async def cancel(program: Program, held: List[Any]) -> bool:
    """Cancel the task that reads after some rounds of the loop."""
    reader = asyncio.ensure_future(_read(program, held.pop()))
    await _rounds(program)
    if reader.done():
        return await reader
    program.leaving()
    reader.cancel()
    await asyncio.wait({reader})
    return True if reader.cancelled() else reader.result()


async def cancel_scope(program: Program, held: List[Any]) -> bool:
    """Cancel an anyio scope around the loop after some rounds of the loop."""
    left: List[bool] = []
    scope = anyio.CancelScope()

    async def within() -> None:
        with scope:
            left.append(await _read(program, held.pop()))

    reader = asyncio.ensure_future(within())
    await _rounds(program)
    program.leaving()
    scope.cancel()
    await reader
    return left != [False]


async def close_outside(program: Program, held: List[Any]) -> bool:
    """Close it from another task after some rounds of the loop."""
    stream = held.pop()
    reader = asyncio.ensure_future(_read(program, stream))
    await _rounds(program)
    program.leaving()
    await stream.aclose()
    return await reader or stream.status != "done"


async def drop(program: Program, held: List[Any]) -> bool:
    """Forget it after some chunks, or cancel where there are none."""
    reader = asyncio.ensure_future(_read(program, held.pop()))
    done, _ = await asyncio.wait({reader}, timeout=program.patience)
    if not done:
        reader.cancel()
        await asyncio.wait({reader})
        return True
    return await reader


async def time_out(program: Program, held: List[Any]) -> bool:
    """Wait only so long for each chunk."""
    stream = held.pop()
    while True:
        try:
            chunk = await asyncio.wait_for(stream.__anext__(), program.chance.choice((0.002, 0.02, program.patience)))
        except StopAsyncIteration:
            return stream.status != "done"
        except asyncio.TimeoutError as error:
            if isinstance(error, GraphError):  # a limit of the run or of a node
                raise
            return True
        if program.take(chunk):
            await stream.aclose()
            return True


async def gather(program: Program, held: List[Any]) -> bool:
    """Ask for several chunks at once: whoever would have to wait beside the first gets an error."""
    stream = held.pop()
    async with stream:
        while True:
            pulls = asyncio.gather(*(stream.__anext__() for _ in range(3)), return_exceptions=True)
            done, _ = await asyncio.wait({pulls}, timeout=program.patience)
            if not done:
                program.leaving()
                await stream.aclose()
            found, over = await pulls, not done
            for item in found:
                if isinstance(item, StopAsyncIteration):
                    over = True
                elif not isinstance(item, BaseException):
                    over = program.take(item) or over
                elif not isinstance(item, StreamBusyError):
                    raise item
            if over:
                return stream.status != "done"


async def ainvoke(program: Program, held: List[Any]) -> bool:
    """Not at all: the output is waited for, maybe not for long."""
    held.clear()
    calling = asyncio.ensure_future(program.graph.ainvoke({"x": []}, **program.call()))
    done, _ = await asyncio.wait({calling}, timeout=program.chance.choice((0.001, 0.005, program.patience)))
    if not done:
        program.leaving()
        calling.cancel()
        await asyncio.wait({calling})
    if not calling.cancelled():
        calling.result()
    return True


ASYNC = [close, close, drop, drop, cancel, cancel_scope, close_outside, time_out, gather, ainvoke]

Way = Callable[[Program, List[Any]], Any]

__all__ = ["ASYNC", "HANGING", "SYNC", "Program", "Way"]
