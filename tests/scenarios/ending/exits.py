"""Leaves streams open in many ways and comes to the end; says how long that takes.

    python tests/scenarios/ending/exits.py

Each way is gone by a process of its own, forked off this one, since an interpreter takes long to start, and this is
about how it ends. What a process prints is a fault as well.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import os
import select
import signal
import sys
import tempfile
import threading
import time
from itertools import product
from pathlib import Path
from typing import Any, AsyncIterator, Callable, Dict, Iterator, List, Optional, Tuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from langchain_core.callbacks import BaseCallbackHandler

from streamgraph.config import get_stream_writer
from streamgraph.func import task
from streamgraph.graph import START, StateGraph
from streamgraph.types import TimeoutPolicy
from support.models import Model
from support.value_graphs import State, graph_of, line_of

PROMISED = 1.0  # seconds until the process has to be gone
HANGS = 30.0  # seconds after which it never will be
ATTEMPTS = 5  # of which one has to be as quick: a busy machine may spoil the others


class Slow(Model):
    """A model that takes its time."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        for chunk in super()._stream(*args, **kwargs):
            yield chunk
            time.sleep(0.001)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async for chunk in super()._astream(*args, **kwargs):
            yield chunk
            await asyncio.sleep(0.001)


ENDLESS = Slow(words=["word "] * 100000, ids=[None] * 100000)


# Nodes that never end by themselves.


def writes(state: State) -> None:
    """Write again and again."""
    writer = get_stream_writer()
    while True:
        writer("more")
        time.sleep(0.001)


def speaks(state: State) -> None:
    """Let a model speak."""
    ENDLESS.invoke("?")


async def aspeaks(state: State) -> None:
    """Let a model speak, on the loop."""
    await ENDLESS.ainvoke("?")


async def waits(state: State) -> None:
    """Wait on the loop, and clean up."""
    get_stream_writer()("started")
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.01)


def yields(state: State) -> Iterator[str]:
    """Yield tokens and data."""
    while True:
        yield {"some": "thing"}
        yield "token"
        time.sleep(0.001)


@task
def endless(number: int) -> None:
    """Write again and again, called inside a node."""
    writes({})


@task
async def aendless(number: int) -> None:
    """Wait on the loop, called inside a node."""
    await waits({})


def calls(state: State) -> None:
    """Wait for a task that never ends."""
    endless(1).result()


def calls_async(state: State) -> None:
    """Wait in a thread for a task on the loop."""
    aendless(1).result()


def starts_a_thread(state: State) -> None:
    """Wait for a thread of its own, which ends with the process."""
    writer = get_stream_writer()

    def work() -> None:
        while True:
            time.sleep(0.001)

    threading.Thread(target=work, daemon=True).start()
    while True:
        writer("more")
        time.sleep(0.001)


async def leaves_a_task(state: State) -> None:
    """Wait, with a task of its own beside it."""
    get_stream_writer()("started")
    keep.append(asyncio.create_task(asyncio.Event().wait()))
    await asyncio.Event().wait()


keep: List[Any] = []
"""Keeps what is open from being collected."""


def _wide() -> Any:
    return graph_of(one=writes, two=speaks, three=waits)


def _limited() -> Any:
    policy = TimeoutPolicy(run_timeout=60, idle_timeout=50)
    return StateGraph(State).add_node("node", writes, timeout=policy).add_edge(START, "node").compile()


GRAPHS: Dict[str, Any] = {
    "writes": graph_of(node=writes),
    "speaks": graph_of(node=speaks),
    "speaks on a loop": graph_of(node=aspeaks),
    "waits on a loop": graph_of(node=waits),
    "yields": graph_of(node=yields),
    "calls": graph_of(node=calls),
    "calls on a loop": graph_of(node=calls_async),
    "beside each other": _wide(),
    "with a limit": _limited(),
    "nested": line_of(outer=graph_of(inner=graph_of(node=speaks))),
    "nested on a loop": line_of(outer=graph_of(inner=graph_of(node=waits))),
    "with a thread": graph_of(node=starts_a_thread),
    "with a task": graph_of(node=leaves_a_task),
}


class Heard(BaseCallbackHandler):
    """A handler, so that something has to be told in the end."""


OPTIONS: Dict[str, Dict[str, Any]] = {
    "one mode": {"stream_mode": ["custom", "messages"]},
    "all modes": {
        "stream_mode": ["custom", "messages", "tasks", "values", "debug"],
        "subgraphs": True,
        "version": "v2",
    },
    "full": {"stream_mode": ["custom", "messages"], "max_buffer": 1},
    "watched": {"stream_mode": ["custom", "messages"], "timeout": 60, "heartbeat": 30},
    "traced": {"stream_mode": ["custom", "messages"], "config": {"callbacks": [Heard()]}},
}


# Ways to come to the end.


def _begun(graph: Any, options: Dict[str, Any]) -> Any:
    stream = graph.stream({"value": "?"}, **options)
    next(stream)
    return stream


def held(graph: Any, options: Dict[str, Any]) -> None:
    """It is referred to by a variable of the module."""
    keep.append(_begun(graph, options))


def raised(graph: Any, options: Dict[str, Any]) -> None:
    """An exception that nobody catches leaves the loop."""
    for _ in graph.stream({"value": "?"}, **options):
        raise SystemExit  # as any other, but nothing is printed


def cycled(graph: Any, options: Dict[str, Any]) -> None:
    """It is in a reference cycle."""
    cycle = [_begun(graph, options)]
    cycle.append(cycle)


def read_in_a_thread(graph: Any, options: Dict[str, Any]) -> None:
    """A thread that has ended has read it."""
    thread = threading.Thread(target=held, args=(graph, options))
    thread.start()
    thread.join()


def read_by_a_daemon(graph: Any, options: Dict[str, Any]) -> None:
    """A daemon thread is reading it."""
    begun = threading.Event()

    def read() -> None:
        for _ in graph.stream({"value": "?"}, **options):
            begun.set()

    threading.Thread(target=read, daemon=True).start()
    begun.wait()


def read_on(graph: Any, options: Dict[str, Any]) -> None:
    """Another thread goes on when the main thread has come to its end, and leaves it open later."""
    begun = threading.Event()

    def read() -> None:
        held(graph, options)
        begun.set()
        threading.main_thread().join()
        time.sleep(0.1)

    threading.Thread(target=read).start()
    begun.wait()


def loop_left(graph: Any, options: Dict[str, Any]) -> None:
    """Its event loop runs no more, and is not closed."""
    loop = asyncio.new_event_loop()
    stream = graph.astream({"value": "?"}, **options)
    loop.run_until_complete(stream.__anext__())
    keep.extend((loop, stream))


def loop_closed(graph: Any, options: Dict[str, Any]) -> None:
    """Its event loop was ended by `asyncio.run`."""

    async def main() -> None:
        stream = graph.astream({"value": "?"}, **options)
        await stream.__anext__()
        keep.append(stream)

    asyncio.run(main())


def loop_in_a_daemon(graph: Any, options: Dict[str, Any]) -> None:
    """Its event loop runs in a daemon thread."""
    begun = threading.Event()

    async def main() -> None:
        async for _ in graph.astream({"value": "?"}, **options):
            begun.set()

    threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
    begun.wait()


SYNC = [held, raised, cycled, read_in_a_thread, read_by_a_daemon, read_on]
ASYNC = [loop_left, loop_closed, loop_in_a_daemon]


def ways() -> Iterator[Tuple[str, Callable[[], None]]]:
    """Yield what to do, by name: every graph with every end, every set of options with some."""
    for (graph_name, graph), end in product(GRAPHS.items(), [*SYNC, *ASYNC]):
        if (graph_name, end) == ("with a task", loop_left):
            continue  # asyncio complains of the node's own task, as it should
        yield f"{graph_name}, {end.__name__}", lambda end=end, graph=graph: end(graph, OPTIONS["one mode"])
    for (name, options), graph_name, end in product(OPTIONS.items(), ("writes", "waits on a loop"), (held, loop_left)):
        graph = GRAPHS[graph_name]
        yield f"{graph_name}, {end.__name__}, {name}", lambda end=end, graph=graph, options=options: end(graph, options)


def go(way: Callable[[], None]) -> Optional[Tuple[float, str]]:
    """Go a way in a process of its own; returns how long that took to end, and what it said. In there `None`."""
    said = tempfile.TemporaryFile()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        for output in (1, 2):
            os.dup2(said.fileno(), output)
        faulthandler.dump_traceback_later(HANGS - 1)
        way()
        os.write(write, b"!")
        return None
    os.close(write)
    select.select([read], [], [], HANGS)
    began = time.monotonic()
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() - began > HANGS:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
    took = time.monotonic() - began
    os.close(read)
    said.seek(0)
    return took, said.read().decode()


def main(arguments: Optional[List[str]] = None) -> int:
    """Go each of the ways in a process, and say which of them were wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wanted", nargs="?", default="", help="only ways with this in their names")
    parser.add_argument("--every", type=int, default=1, help="only each so many of them")
    given = parser.parse_args(arguments)
    faults, slowest = [], 0.0
    wanted = [(name, way) for name, way in ways() if given.wanted in name][:: given.every]
    for name, way in wanted:
        took, said = HANGS, ""
        for _ in range(ATTEMPTS):
            gone = go(way)
            if gone is None:
                return 0
            took, said = min(took, gone[0]), said + gone[1]
            if took <= PROMISED or said or gone[0] > HANGS:
                break
        slowest = max(slowest, took)
        if took > PROMISED or said:
            faults.append(f"{name}: {took:.2f} s {said[:3000]}")
    print(f"Python {sys.version.split()[0]}: {len(wanted)} ways to end, slowest {slowest:.2f} s, {len(faults)} faults")
    for fault in faults:
        print(f"  {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
