"""Runs that stand by themselves: what their readers cost beside `graph.stream`, and beside langgraph.

    python tests/bench/readers.py

Times are the best of several interleaved repetitions (A B A B) in one process. Only the ratios mean something. Where
all parts are kept, the garbage collector is on as in a program: what is kept is what it walks.
"""

from __future__ import annotations

import asyncio
import gc
import platform
import time
from typing import Any, Callable, Dict, List

import compare
from compare import LOOP, N, areading, best, chain, reading, speaking, writing
from real_work import Library

LIB = Library("streamgraph")
TOKENS = {"stream_mode": "messages"}
KEPT = ["values", "updates", "custom", "messages"]


def reading_run(graph: Any, start: Any, **options: Any) -> Callable[[], None]:
    """Start a run in a thread, and read it in this one."""

    def read() -> None:
        for _ in graph.start(start, {"recursion_limit": 10_000}, record=options["stream_mode"]).stream(**options):
            pass

    return read


def areading_run(graph: Any, start: Any, **options: Any) -> Callable[[], None]:
    """Start a run on the loop, and read it there."""

    async def read() -> None:
        run = await graph.astart(start, {"recursion_limit": 10_000}, record=options["stream_mode"])
        async for _ in run.astream(**options):
            pass

    return lambda: LOOP.run_until_complete(read())


def read_by(graph: Any, readers: int, late: bool = False) -> Callable[[], None]:
    """Start a run on the loop that many read there, while it goes on or afterwards."""

    async def read(run: Any) -> None:
        async for _ in run.astream("messages"):
            pass

    async def all_of_them() -> None:
        run = await graph.astart(N, record="messages")
        if late:
            await run
        await asyncio.gather(*(read(run) for _ in range(readers)))

    return lambda: LOOP.run_until_complete(all_of_them())


def each_read_by(graph: Any, runs: int, readers: int) -> Callable[[], None]:
    """Many runs at once on the loop, each with some readers."""

    async def read(run: Any) -> None:
        async for _ in run.astream("messages"):
            pass

    async def one() -> None:
        run = await graph.astart(N, record="messages")
        await asyncio.gather(*(read(run) for _ in range(readers)))

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(runs)))

    return lambda: LOOP.run_until_complete(all_of_them())


def streaming(graph: Any, runs: int) -> Callable[[], None]:
    """As many streams at once, each of which is its own run."""

    async def read() -> None:
        async for _ in graph.astream(N, stream_mode="messages"):
            pass

    async def all_of_them() -> None:
        await asyncio.gather(*(read() for _ in range(runs)))

    return lambda: LOOP.run_until_complete(all_of_them())


def kept_as_runs(graph: Any, runs: int) -> Callable[[], float]:
    """Many runs at once, whose logs keep all parts."""

    async def all_of_them() -> List[Any]:
        started = [await graph.astart(N, record=KEPT) for _ in range(runs)]
        for run in started:
            await run.ajoin()
        return started

    return lambda: _time(all_of_them)


def kept_in_lists(graph: Any, runs: int) -> Callable[[], float]:
    """Many streams at once, whose chunks are kept in lists."""

    async def read() -> List[Any]:
        return [chunk async for chunk in graph.astream(N, stream_mode=KEPT)]

    async def all_of_them() -> List[Any]:
        return await asyncio.gather(*(read() for _ in range(runs)))

    return lambda: _time(all_of_them)


def _time(work: Callable[[], Any]) -> float:
    """The seconds of some work, with the garbage collector on; what it keeps is dropped afterwards."""
    gc.enable()
    start = time.perf_counter()
    kept = LOOP.run_until_complete(work())
    took = time.perf_counter() - start
    gc.disable()
    assert len(kept)
    del kept
    return took


def one_reader() -> Dict[str, List[Callable[[], Any]]]:
    """Reading a run beside reading a stream."""
    speaker, aspeaker = speaking(LIB, 2000), speaking(LIB, 2000, asynchronous=True)
    steps, asteps, writer = chain(LIB, 100), chain(LIB, 100, True), writing(LIB, 5000)
    cases: Dict[str, List[Callable[[], Any]]] = {}
    for name, sync, asyn, options in (
        ("2,000 tokens", speaker, aspeaker, TOKENS),
        ("100 steps, updates", steps, asteps, {"stream_mode": "updates"}),
        ("100 steps, values", steps, asteps, {"stream_mode": "values"}),
        ("5,000 writer calls", writer, writer, {"stream_mode": "custom"}),
    ):
        cases[f"{name}, sync"] = [reading_run(sync, N, **options), reading(sync, N, **options)]
        cases[f"{name}, async"] = [areading_run(asyn, N, **options), areading(asyn, N, **options)]
    return cases


def main() -> None:
    """Print the tables."""
    compare.ROUNDS, compare.REPEATS = 4, 1
    theirs = Library("langgraph")
    print(f"Python {platform.python_version()}, best of {compare.ROUNDS * compare.REPEATS}\n")
    print("| one reader of a run ÷ `stream` | ratio |\n|---|---|")
    for name, (run, stream) in one_reader().items():
        times = best({"run": run, "stream": stream})
        print(f"| {name} | {times['run'] / times['stream']:.2f} |", flush=True)
    graph, tokens = speaking(LIB, 2000, asynchronous=True), 2000
    print("\n| each further reader | µs per part |\n|---|---|")
    for name, late in (("of a run that goes on", False), ("of a run that is over", True)):
        times = best({"ten": read_by(graph, 10, late), "hundred": read_by(graph, 100, late)})
        print(f"| {name} | {(times['hundred'] - times['ten']) / 90 / tokens * 1e6:.2f} |", flush=True)
    print("\n| many runs at once | ratio |\n|---|---|")
    few, few_theirs = speaking(LIB, 20, asynchronous=True), speaking(theirs, 20, asynchronous=True)
    times = best(
        {
            "runs": each_read_by(few, 1000, 2),
            "ours": streaming(few, 1000),
            "theirs": streaming(few_theirs, 1000),
        }
    )
    print(f"| 1,000 runs of 20 tokens, two readers each ÷ 1,000 streams | {times['runs'] / times['ours']:.2f} |")
    print(f"| the same ÷ 1,000 streams of langgraph | {times['runs'] / times['theirs']:.2f} |", flush=True)
    many, many_theirs = speaking(LIB, 200, asynchronous=True), speaking(theirs, 200, asynchronous=True)
    times = best({"runs": kept_as_runs(many, 200), "theirs": kept_in_lists(many_theirs, 200)})
    print(f"| 200 runs of 200 tokens, all parts kept ÷ the same in langgraph | {times['runs'] / times['theirs']:.2f} |")


if __name__ == "__main__":
    main()
