"""What saving costs: every figure as a share of LangGraph's, on the same savers, in one process.

    python tests/bench/saved.py [part of a row's name]

Each row is run in turns with both libraries; the figure is the ratio of the least of each. Only the ratios mean
something. A run's time is that to the end of its stream, when all is stored; "as the run sees it" is the time to its
last chunk. PostgreSQL is the one of the tests.
"""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import sqlite3
import sys
import time
from contextlib import contextmanager
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Iterator, List, NamedTuple, Tuple, TypedDict

from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from real_work import Library
from typing_extensions import Annotated

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.savers import open_saver  # (the folder of the tests is not on the path before)

ROUNDS = 5
THREAD: Any = {"configurable": {"thread_id": "1"}, "recursion_limit": 10_000}
START = {"n": 0}


class Count(TypedDict):
    """A state of one number."""

    n: int


def chain(lib: Any, saver: Any, **options: Any) -> Any:
    """Return a graph of 100 nodes, each of which adds one to a number."""

    def step(state: Count) -> Any:
        return {"n": state["n"] + 1}

    builder, before = lib.StateGraph(Count), lib.START
    for index in range(100):
        builder.add_node(f"n{index}", step).add_edge(before, f"n{index}")
        before = f"n{index}"
    return builder.compile(checkpointer=saver, **options)


def chat(lib: Any, saver: Any, messages: int, **options: Any) -> Any:
    """Return a graph that adds one message of 200 characters in each step."""
    state = TypedDict("state", {"messages": Annotated[list, lib.add_messages]})  # type: ignore  # noqa: UP013

    def speak(given: Any) -> Any:
        return {"messages": [AIMessage("x" * 200, id=f"m{len(given['messages'])}")]}

    builder = lib.StateGraph(state).add_node("speak", speak).add_edge(lib.START, "speak")
    builder.add_conditional_edges("speak", lambda given: "speak" if len(given["messages"]) < messages else "__end__")
    return builder.compile(checkpointer=saver, **options)


def timed(run: Callable[[], Any]) -> float:
    """Return the seconds that something takes."""
    gc.collect()
    gc.disable()
    start = time.perf_counter()
    run()
    took = time.perf_counter() - start
    gc.enable()
    return took


def stored_bytes(saver: InMemorySaver) -> int:
    """Return the number of bytes that a saver in memory holds: checkpoints, metadata, values and writes."""
    total = sum(len(data) for _, data in saver.blobs.values())
    for namespaces in saver.storage.values():
        for checkpoints in namespaces.values():
            total += sum(len(item[0][1]) + len(item[1][1]) for item in checkpoints.values())
    return total + sum(len(write[2][1]) for writes in saver.writes.values() for write in writes.values())


@contextmanager
def fresh_saver(kind: str) -> Iterator[Any]:
    """Yield a saver on an empty database."""
    with TemporaryDirectory() as folder, open_saver(kind, Path(folder)) as saver:
        yield saver


def chained(kind: str, durability: str) -> Callable[[Any], float]:
    """Return what times a chain."""

    def run(lib: Any) -> float:
        with fresh_saver(kind) as saver:
            graph = chain(lib, saver)
            return timed(lambda: graph.invoke(START, THREAD, durability=durability))

    return run


def to_last_chunk(kind: str, make: Callable[[Any, Any], Any], start: Any) -> Callable[[Any], float]:
    """Return what times a run up to its last chunk, with `durability="async"`."""

    def run(lib: Any) -> float:
        with fresh_saver(kind) as saver:
            stream = make(lib, saver).stream(start, THREAD, durability="async", stream_mode="updates")
            gc.collect()
            began = last = time.perf_counter()
            for _ in stream:
                last = time.perf_counter()
            return last - began

    return run


def chatted(kind: str, messages: int, durability: str, **options: Any) -> Callable[[Any], float]:
    """Return what times a chat; the options are for this library only."""

    def run(lib: Any) -> float:
        with fresh_saver(kind) as saver:
            graph = chat(lib, saver, messages, **(options if lib is OURS else {}))
            return timed(lambda: graph.invoke({"messages": []}, THREAD, durability=durability))

    return run


def size_of(make: Callable[[Any, Any], Any], start: Any) -> Callable[[Any], float]:
    """Return what counts the bytes that a run stores."""

    def run(lib: Any) -> float:
        saver = InMemorySaver()
        make(lib, saver).invoke(start, THREAD, durability="sync")
        return stored_bytes(saver)

    return run


def listed(kind: str, **options: Any) -> Callable[[Any], float]:
    """Return what times the first 10 states of 1,000."""

    def run(lib: Any) -> float:
        with fresh_saver(kind) as saver:
            graph = chat(lib, saver, 1000, **(options if lib is OURS else {}))
            chat(OURS, saver, 1000).invoke({"messages": []}, THREAD)
            return timed(lambda: list(islice(graph.get_state_history(THREAD), 10)))

    return run


def more_turns(kind: str, messages: int) -> Callable[[Any], float]:
    """Return what times 10 further turns on a thread with many messages."""

    def run(lib: Any) -> float:
        with fresh_saver(kind) as saver:
            chat(OURS, saver, messages).invoke({"messages": []}, THREAD, durability="exit")
            graph = chat(lib, saver, 1)
            return timed(lambda: [graph.invoke({"messages": [AIMessage("x")]}, THREAD) for _ in range(10)])

    return run


def loop_gap(lib: Any) -> float:
    """Return the longest time for which an event loop stands still while 1,000 messages are stored, in seconds."""

    async def run() -> float:
        gaps: List[float] = []

        async def watch() -> None:
            before = time.perf_counter()
            while True:
                await asyncio.sleep(0)
                now = time.perf_counter()
                gaps.append(now - before)
                before = now

        with fresh_saver("memory") as saver:
            graph = chat(lib, saver, 1000)
            watching = asyncio.ensure_future(watch())
            await graph.ainvoke({"messages": []}, THREAD)
            watching.cancel()
        return max(gaps)

    return asyncio.run(run())


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        name: What it is.
        unit: What is compared: `ms`, `MB`, or `gap`, of which ours has to be below 5 ms.
        target: What the ratio has to be.
        rounds: How often it is run.
        run: Returns the figure of a library.
    """

    name: str
    unit: str
    target: float
    rounds: int
    run: Callable[[Any], float]


OURS, THEIRS = Library("streamgraph"), Library("langgraph")


def thousand(lib: Any, saver: Any) -> Any:
    """Return a chat of 1,000 messages."""
    return chat(lib, saver, 1000)


def thousand_delta(lib: Any, saver: Any) -> Any:
    """Return a chat of 1,000 messages that is stored as what is written, where that is an option."""
    return chat(lib, saver, 1000, **({"storage": "delta"} if lib is OURS else {}))


NO_MESSAGES: Any = {"messages": []}
ROWS: Tuple[Row, ...] = (
    Row("chain of 100, in memory, sync", "ms", 1 / 5, ROUNDS, chained("memory", "sync")),
    Row("chain of 100, in memory, async", "ms", 1 / 5, ROUNDS, chained("memory", "async")),
    Row("chain of 100, in memory, exit", "ms", 1 / 5, ROUNDS, chained("memory", "exit")),
    Row("chain of 100, SQLite file, sync", "ms", 0.7, ROUNDS, chained("sqlite", "sync")),
    Row("chain of 100, SQLite file, async", "ms", 0.7, ROUNDS, chained("sqlite", "async")),
    Row("the same, as the run sees it", "ms", 0.25, ROUNDS, to_last_chunk("sqlite", chain, START)),
    Row("chain of 100, PostgreSQL, sync", "ms", 0.6, ROUNDS, chained("postgres", "sync")),
    Row("chain of 100, PostgreSQL, async", "ms", 0.6, ROUNDS, chained("postgres", "async")),
    Row("chain of 100, bytes", "MB", 1 / 10, 1, size_of(chain, START)),
    Row("1,000 messages one per step, in memory, sync", "ms", 1 / 4, 3, chatted("memory", 1000, "sync")),
    Row("the same, async", "ms", 1 / 4, 3, chatted("memory", 1000, "async")),
    Row("the same, SQLite file, sync", "ms", 1, 2, chatted("sqlite", 1000, "sync")),
    Row("the same, SQLite file, async, as the run sees it", "ms", 1, 2, to_last_chunk("sqlite", thousand, NO_MESSAGES)),
    Row("the same, bytes", "MB", 1, 1, size_of(thousand, NO_MESSAGES)),
    Row('the same, storage="delta", in memory', "ms", 1 / 4, 3, chatted("memory", 1000, "sync", storage="delta")),
    Row('the same, storage="delta", bytes', "MB", 1 / 30, 1, size_of(thousand_delta, NO_MESSAGES)),
    Row("10 of 1,000 states, in memory", "ms", 1 / 10, 2, listed("memory")),
    Row("10 of 1,000 states, SQLite file", "ms", 1 / 10, 2, listed("sqlite")),
    Row("10 turns on 1,000 messages, in memory", "ms", 1, ROUNDS, more_turns("memory", 1000)),
    Row("longest gap of the loop, in memory, 1,000 messages", "gap", 1, 2, loop_gap),
)

SCALES = {"ms": 1e3, "gap": 1e3, "MB": 1e-6}


def main() -> None:
    """Print the table."""
    names = ("streamgraph", "langgraph", "langgraph-checkpoint", "langgraph-checkpoint-sqlite", "langchain-core")
    print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}")
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    print(", ".join(f"{name} {version(name)}" for name in names) + "\n")
    print("| workload | unit | streamgraph | langgraph | ratio | target |")
    print("|---|---|---|---|---|---|")
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    for row in ROWS:
        if wanted not in row.name:
            continue
        ours = theirs = float("inf")
        for _ in range(row.rounds):
            ours, theirs = min(ours, row.run(OURS)), min(theirs, row.run(THEIRS))
        scale = SCALES[row.unit]
        target = "5 ms" if row.unit == "gap" else f"{row.target:.3g}"
        unit = "ms" if row.unit == "gap" else row.unit
        print(
            f"| {row.name} | {unit} | {ours * scale:.2f} | {theirs * scale:.2f} | {ours / theirs:.3f} | {target} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
