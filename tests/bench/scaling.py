"""How cost grows: ten times the work beside one time, in one process; and what importing and waiting cost.

    python tests/bench/scaling.py

Linear is a growth of 10. Times are the best of several interleaved repetitions.
"""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import subprocess
import sys
import time
import tracemalloc
from typing import Any, Callable, Dict, List, Tuple, TypedDict

from compare import alone, areading, at_once, best, chain, fan, reading, speaking, writing
from real_work import Library, Loaded, count, line, records

LIB = Library("streamgraph")
N: Dict[str, Any] = {"n": 0}


def wide(keys: int) -> Any:
    """A chain of 100 nodes in a state of many keys, of which each step writes one."""
    state = TypedDict("state", {f"k{index}": int for index in range(keys)})  # type: ignore[misc]
    builder, before = LIB.StateGraph(state), LIB.START
    for index in range(100):
        builder.add_node(f"n{index}", lambda state: {"k0": 1})
        builder.add_edge(before, f"n{index}")
        before = f"n{index}"
    return builder.compile()


def idle_nodes(nodes: int) -> Any:
    """A loop of 100 steps beside nodes that never run."""

    def step(state: Any) -> Any:
        return {"n": state["n"] + 1}

    builder = LIB.StateGraph(TypedDict("State", {"n": int})).add_node("loop", step)
    for index in range(nodes):
        builder.add_node(f"idle{index}", step)
    routes = {"again": "loop", "end": "__end__", **{f"idle{index}": f"idle{index}" for index in range(nodes)}}
    builder.add_edge(LIB.START, "loop")
    return builder.add_conditional_edges("loop", lambda state: "again" if state["n"] < 100 else "end", routes).compile()


def held() -> Any:
    """A chain of 1,000 steps in a state with data that no step writes."""
    return line(LIB, Loaded, count, 1000)


def holding(size: int) -> Dict[str, Any]:
    """An input with so many nested dicts."""
    return {"n": 0, "data": records(size)}


GROWTHS: List[Tuple[str, Callable[[int], Callable[[], Any]], int]] = [
    ("nodes of a chain, updates", lambda size: reading(chain(LIB, size), N), 100),
    ("steps of a long chain, updates", lambda size: reading(chain(LIB, size), N), 1000),
    ("nodes of a chain, debug", lambda size: reading(chain(LIB, size), N, stream_mode="debug"), 100),
    ("nodes of a fan-out, async", lambda size: areading(fan(LIB, size, True), {"total": 0}), 100),
    ("nodes compiled", lambda size: lambda: chain(LIB, size), 100),
    ("tokens, sync", lambda size: reading(speaking(LIB, size), N, stream_mode="messages"), 2000),
    ("tokens, async", lambda size: areading(speaking(LIB, size, 0, True), N, stream_mode="messages"), 2000),
    ("tokens without a graph, sync", lambda size: alone(size), 2000),
    ("tokens without a graph, async", lambda size: alone(size, True), 2000),
    ("writer calls", lambda size: reading(writing(LIB, size), N, stream_mode="custom"), 2000),
    ("async streams at once", lambda size: at_once(speaking(LIB, 20, asynchronous=True), size), 20),
]

CONSTANTS: List[Tuple[str, Callable[[int], Callable[[], Any]], int]] = [
    ("keys that no step of a chain writes", lambda size: reading(wide(size), {"k0": 0}), 10),
    ("nodes that take no part in a loop", lambda size: reading(idle_nodes(size), N), 10),
    ("nested dicts in a key that no step of 1,000 writes", lambda size: reading(held(), holding(size)), 100),
]


def growth(make: Callable[[int], Callable[[], Any]], size: int) -> float:
    """Return how many times longer ten times the work takes."""
    times = best({"one": make(size), "ten": make(10 * size)})
    return times["ten"] / times["one"]


def import_times() -> Tuple[float, float]:
    """Return the seconds of importing the package, and of importing the parts of langchain-core that it needs."""
    needed = (
        "langchain_core.runnables, langchain_core.runnables.graph, langchain_core.messages, langchain_core.tools, "
        "langchain_core.callbacks, langchain_core.language_models, langchain_core.outputs, "
        "langchain_core.tracers.context, langchain_core.utils.json"
    )
    times = {"streamgraph": float("inf"), needed: float("inf")}
    for _ in range(5):
        for names in times:
            code = f"import time; t = time.perf_counter(); import {names}; print(time.perf_counter() - t)"
            environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
            done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
            times[names] = min(times[names], float(done.stdout))
    ours, floor = times.values()
    return ours, floor


def memory() -> Tuple[float, float]:
    """Return the bytes that a stream takes that waits between two chunks, and that a compiled node takes."""
    graph = speaking(LIB, 2, asynchronous=True)

    async def waiting(count: int) -> float:
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        streams = [graph.astream(N, stream_mode="messages") for _ in range(count)]
        for stream in streams:
            await stream.__anext__()
        gc.collect()
        taken = (tracemalloc.get_traced_memory()[0] - before) / count
        for stream in streams:
            await stream.aclose()
        tracemalloc.stop()
        return taken

    asyncio.run(waiting(10))
    per_stream = asyncio.run(waiting(200))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = chain(LIB, 1000)
    gc.collect()
    per_node = (tracemalloc.get_traced_memory()[0] - before) / 1000
    tracemalloc.stop()
    del kept
    return per_stream, per_node


def main() -> None:
    """Print the tables."""
    print(f"Python {platform.python_version()}\n\n| ten times the | from | time grows |\n|---|---|---|")
    for name, make, size in GROWTHS:
        print(f"| {name} | {size:,} | {growth(make, size):.1f} × |", flush=True)
    print("\n| ten times the | from | time grows (1 is best) |\n|---|---|---|")
    for name, make, size in CONSTANTS:
        print(f"| {name} | {size:,} | {growth(make, size):.2f} × |", flush=True)
    start = time.perf_counter()
    chain(LIB, 1000)
    print(f"\nA graph of 1,000 nodes is compiled in {(time.perf_counter() - start) * 1e3:.0f} ms.")
    ours, floor = import_times()
    print(f"Import: {ours * 1e3:.0f} ms, {ours / floor:.2f} × what it needs of langchain-core.")
    per_stream, per_node = memory()
    print(f"Memory: {per_stream / 1024:.1f} KiB per waiting stream, {per_node / 1024:.1f} KiB per compiled node.")


if __name__ == "__main__":
    main()
