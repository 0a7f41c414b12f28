"""Random programs, random endings, so many or for some `--seconds`.

    python tests/scenarios/ending/soak.py --programs 20000 --seed 1

Sync and async runs side by side, of all modes and of some, with fast and slow readers, which leave at any moment in
any way; nodes fail at random, call tasks, start threads and asyncio tasks of their own, and have limits; handlers are
slow and fail. Prints numbers; the exit status is 1 if anything leaked, hung or came out of order. Each fault names the
seed of its batch, which `--batch` runs again.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import gc
import logging
import random
import sys
import threading
import time
import warnings
import weakref
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Optional, Set

sys.path.insert(0, str(Path(__file__).parents[2]))

from langchain_core.callbacks.manager import _executor

from scenarios.ending.order_checks import Disorder
from scenarios.ending.random_graphs import Maker, RandomError, Tally
from scenarios.ending.readers import ASYNC, HANGING, SYNC, Program
from scenarios.ending.wild_graphs import WildMaker
from streamgraph.errors import (
    GraphRecursionError,
    NodeTimeoutError,
    RunTimeoutError,
    StreamOverflowError,
    location_of,
)

SIZE = 120  # programs in a batch, between two looks at what is left

WILD_ERRORS = (
    RandomError,
    GraphRecursionError,
    NodeTimeoutError,
    RunTimeoutError,
    StreamOverflowError,
    KeyboardInterrupt,
)


class Numbers:
    """What came of the programs so far."""

    def __init__(self) -> None:
        self.programs = self.chunks = self.left = self.failed = self.finished = self.checked = 0
        self.slowest = 0.0
        self.faults: List[str] = []
        self.batch = 0
        self._lock = threading.Lock()

    def add(self, **counts: int) -> None:
        """Count; from any thread."""
        with self._lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)

    def ending(self, program: Program) -> None:
        """Note how long it took to leave."""
        if program.left_at is not None:
            with self._lock:
                self.slowest = max(self.slowest, time.perf_counter() - program.left_at)

    def fault(self, text: str) -> None:
        """Note something that should not be."""
        with self._lock:
            self.faults.append(f"{text} (batch {self.batch})")

    def over(self, program: Program, left: bool, error: Optional[BaseException], how: str) -> None:
        """A program is over."""
        self.add(programs=1, chunks=program.taken)
        if isinstance(error, WILD_ERRORS) and (program.wild or isinstance(error, RandomError)):
            self.add(failed=1)
            where = location_of(error)
            if (
                isinstance(error, RandomError)
                and str(error) != "handler"
                and (where is None or where.node != str(error))
            ):
                self.fault(f"{error!r} is said to be from {where}")
        elif error is not None:
            self.fault(f"{type(error).__name__} from a stream {how}: {error}")
        elif left:
            self.add(left=1)
        else:
            self.add(finished=1)
            if program.order is not None:
                self.add(checked=1)
                try:
                    program.order.finished()
                except Disorder as disorder:
                    self.fault(f"{disorder} ({how})")

    def __str__(self) -> str:
        return (
            f"{self.programs} programs, {self.chunks} chunks, {self.finished} finished, {self.left} left early, "
            f"{self.failed} failed, {self.checked} checked for order, {len(self.faults)} leaks or other faults, "
            f"slowest ending {self.slowest * 1000:.0f} ms"
        )


class Batch:
    """Some programs that run side by side, and a look at what they leave.

    Args:
        seed: All that is random comes from it.
        numbers: What came of the programs.
    """

    def __init__(self, seed: int, numbers: Numbers) -> None:
        self.numbers = numbers
        self._chance = random.Random(seed)
        self._tally = Tally()
        self._streams: List[Any] = []
        numbers.batch = seed

    def run(self) -> None:
        """Run them all."""
        before = _threads()
        asynchronous = self._chance.random() < 0.6
        programs = self._programs(asynchronous)
        asyncio.run(self._await_all(programs)) if asynchronous else self._read_all(programs)
        programs.clear()
        self._look(before)

    def _programs(self, asynchronous: bool) -> List[Program]:
        chance, wild = self._chance, self._chance.random() < 0.6
        stuck = chance.choice((0.0, 0.05)) if asynchronous and not wild else 0.0
        maker = WildMaker(chance, self._tally) if wild else Maker(chance, self._tally, failing=0.04, stuck=stuck)
        graphs = [maker.graph() for _ in range(SIZE // 6)]
        return [
            Program(
                random.Random(chance.random()),
                chance.choice(graphs),
                wild=wild,
                stuck=stuck > 0,
                asynchronous=asynchronous,
            )
            for _ in range(SIZE)
        ]

    def _look(self, before: Any) -> None:
        """Look for what the batch has left."""
        gc.collect()  # which ends the streams that were dropped in a cycle
        deadline = time.monotonic() + HANGING
        while (self._tally.running or _threads() - before) and time.monotonic() < deadline:
            time.sleep(0.002)
        if self._tally.running:
            self.numbers.fault(f"{self._tally.running} nodes still run")
        for thread in _threads() - before:
            self.numbers.fault(f"thread {thread.name} is left")
        while time.monotonic() < deadline:
            gc.collect()
            if not any(stream() is not None for stream in self._streams):
                return
        for stream in self._streams:
            if stream() is not None:
                self.numbers.fault(f"{stream()!r} is left")

    def _read_all(self, waiting: List[Program]) -> None:
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    if not waiting:
                        return
                    program = waiting.pop()
                self._read(program)

        threads = [threading.Thread(target=work, name="reader") for _ in range(self._chance.choice((1, 1, 3)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _read(self, program: Program) -> None:
        held = [program.stream()]
        self._streams.append(weakref.ref(held[0]))
        way, left, error = program.chance.choice(SYNC), False, None
        try:
            left = way(program, held)
        except BaseException as raised:
            error = raised.with_traceback(None)
        self.numbers.ending(program)
        self.numbers.over(program, left, error, f"left by {way.__name__}")

    async def _await_all(self, waiting: List[Program]) -> None:
        asyncio.get_running_loop().set_exception_handler(self._complaint)

        async def work() -> None:
            while waiting:
                await self._await(waiting.pop())

        await asyncio.gather(*(work() for _ in range(self._chance.choice((1, 2, 4)))))
        deadline = time.monotonic() + HANGING
        while len(asyncio.all_tasks()) > 1:
            gc.collect()
            if time.monotonic() > deadline:
                self.numbers.fault(f"tasks are left: {asyncio.all_tasks()}")
                return
            await asyncio.sleep(0.001)

    def _complaint(self, loop: asyncio.AbstractEventLoop, context: Dict[str, Any]) -> None:
        if not _is_shielded(repr(context.get("future"))):
            self.numbers.fault(f"the loop complains: {context}")

    async def _await(self, program: Program) -> None:
        held = [program.astream()]
        self._streams.append(weakref.ref(held[0]))
        way, left, error = program.chance.choice(ASYNC), False, None
        reader = asyncio.ensure_future(way(program, held))
        try:
            done, _ = await asyncio.wait({reader}, timeout=HANGING)
            if not done:
                self.numbers.fault(f"hangs: {way.__name__} of {program.options}")
                faulthandler.dump_traceback()
                reader.cancel()
                return
            left = reader.result()
        except BaseException as raised:
            error = raised.with_traceback(None)
        self.numbers.ending(program)
        self.numbers.over(program, left, error, f"left by {way.__name__}")


def _is_shielded(complaint: str) -> bool:
    """Whether langchain-core shields it: what a handler raises there finds nobody when the call was cancelled."""
    return "langchain_core" in complaint and "('handler')" in complaint


def _threads() -> Set[threading.Thread]:
    """Return the threads that there are, without those that langchain-core keeps for async handlers of sync calls."""
    return set(threading.enumerate()) - set(_executor()._threads)


class Complaints(logging.Handler):
    """Takes what anybody logs for a fault, but for what langchain-core says of our handlers that fail."""

    def __init__(self, numbers: Numbers) -> None:
        super().__init__(logging.WARNING)
        self._numbers = numbers

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        raised = record.exc_info[1] if record.exc_info else None
        said = record.getMessage()
        ours = "RandomError" in said or "StreamOverflowError" in said or isinstance(raised, WILD_ERRORS)
        if not _is_shielded(said) and not (
            ours and record.name.startswith(("langchain_core.callbacks", "streamgraph"))
        ):
            self._numbers.fault(f"logged: {record.getMessage()}")


def soak(seeds: Any, numbers: Numbers, *, programs: float, seconds: float, verbose: bool = False) -> None:
    """Run batches until there have been so many programs, or so many seconds have passed."""
    gc.collect()
    gc.freeze()  # what has been imported is none of the collector's business, which is called often here
    end = time.monotonic() + seconds
    for seed in seeds:
        faulthandler.dump_traceback_later(HANGING * 3, exit=True)
        if verbose:  # which tells the batch that hangs
            print(f"batch {seed}: {numbers}", file=sys.stderr, flush=True)
        Batch(seed, numbers).run()
        if numbers.programs >= programs or time.monotonic() >= end:
            break
    faulthandler.cancel_dump_traceback_later()


def main(arguments: Optional[List[str]] = None) -> int:
    """Soak, print the numbers, and say whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="where the seeds of the batches begin")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--programs", type=int, default=None, help="how many; 2000 if no time is said")
    parser.add_argument("--batch", type=int, default=None, help="run this batch alone, again and again")
    parser.add_argument("--verbose", action="store_true", help="say which batch runs")
    given = parser.parse_args(arguments)
    programs = given.programs or (2000 if given.seconds == float("inf") else float("inf"))
    numbers = Numbers()
    logging.getLogger().addHandler(Complaints(numbers))
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", "A stream writer was used after its run had ended", RuntimeWarning)
    # langchain-core makes a coroutine for each handler, then awaits one after the other until one fails.
    warnings.filterwarnings("ignore", "coroutine 'ahandle_event' was never awaited", RuntimeWarning)
    sys.unraisablehook = lambda what: numbers.fault(f"unraisable: {what.exc_value!r} in {what.object!r}")
    threading.excepthook = lambda what: numbers.fault(f"in a thread: {what.exc_value!r}")
    chance = random.Random(given.seed)
    seeds = iter(lambda: chance.randrange(10**9) if given.batch is None else given.batch, None)
    soak(seeds, numbers, programs=programs, seconds=given.seconds, verbose=given.verbose)
    print(f"Python {sys.version.split()[0]}, seed {given.seed}: {numbers}")
    kinds = Counter(text.split(":")[0].split(" (")[0] for text in numbers.faults)
    for kind, count in kinds.most_common():
        example = next(text for text in numbers.faults if text.startswith(kind))
        print(f"  {count} x {example[:400]} … {example[-20:]}")
    return 1 if numbers.faults else 0


if __name__ == "__main__":
    sys.exit(main())
