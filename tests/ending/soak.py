"""Random graphs, random endings, for a while: `python tests/ending/soak.py --seconds 60 --seed 1`.

Sync and async runs side by side, of all modes and of some, with fast and slow consumers, which leave at any moment in
any way; nodes fail at random. Prints numbers; the exit status is 1 if anything leaked, hung or came out of order.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import gc
import logging
import os
import random
import sys
import threading
import time
import warnings
import weakref
from collections import Counter
from typing import Any, Dict, List, Optional

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import anyio

from ending.checking import Disorder, Order
from ending.random_graphs import MODES, Maker, RandomError, Tally
from streamgraph.errors import location_of

HANGING = 20.0  # seconds after which a run that has not ended never will
BATCH = 120  # runs between two looks at what is left


class Numbers:
    """What came of the runs so far."""

    def __init__(self) -> None:
        self.runs = self.chunks = self.left = self.failed = self.finished = self.checked = 0
        self.slowest = 0.0
        self.faults: List[str] = []
        self._lock = threading.Lock()

    def add(self, **counts: int) -> None:
        """Count; from any thread."""
        with self._lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)

    def ending(self, seconds: float) -> None:
        """Note how long it took to leave."""
        with self._lock:
            self.slowest = max(self.slowest, seconds)

    def fault(self, text: str) -> None:
        """Note something that should not be."""
        with self._lock:
            self.faults.append(text)

    def __str__(self) -> str:
        return (
            f"{self.runs} runs, {self.chunks} chunks, {self.finished} finished, {self.left} left early, "
            f"{self.failed} failed, {self.checked} checked for order, {len(self.faults)} leaks or other faults, "
            f"slowest ending {self.slowest * 1000:.0f} ms"
        )


class Consumer:
    """One run as it is read: what is asked for, when it is left, how slow it is read."""

    def __init__(self, chance: random.Random, graph: Any, numbers: Numbers) -> None:
        self.chance = chance
        self.graph = graph
        self.numbers = numbers
        everything = chance.random() < 0.5
        self.order: Optional[Order] = Order() if everything else None
        self.options: Dict[str, Any] = {
            "stream_mode": list(MODES) if everything else chance.sample(MODES, chance.randint(1, 3)),
            "subgraphs": True if everything else chance.choice((None, True, False)),
            "version": "v2" if everything else chance.choice(("v1", "v2")),
        }
        self.leave_after = chance.choice((0, 1, 2, 3, 5, 8, 13, 21)) if chance.random() < 0.5 else 10**9
        self.slow = chance.random() < 0.2
        self.taken = 0

    def take(self, chunk: Any) -> bool:
        """Look at a chunk; says whether it is time to leave."""
        self.taken += 1
        if self.order is not None:
            self.order.take(chunk)
        return self.taken >= self.leave_after

    def over(self, left: bool, error: Optional[BaseException], how: str) -> None:
        """The run is over."""
        self.numbers.add(runs=1, chunks=self.taken)
        if isinstance(error, RandomError):
            self.numbers.add(failed=1)
            location = location_of(error)
            if location is None or location.node != str(error):
                self.numbers.fault(f"{error!r} is said to be from {location}")
        elif error is not None:
            self.numbers.fault(f"{type(error).__name__} from a stream {how}: {error}")
        elif left:
            self.numbers.add(left=1)
        else:
            self.numbers.add(finished=1)
            if self.order is not None:
                self.numbers.add(checked=1)
                try:
                    self.order.finished()
                except Disorder as disorder:
                    self.numbers.fault(f"{disorder} ({how})")


class Soak:
    """Runs until the time is over.

    Args:
        seed: Where the randomness begins.
    """

    def __init__(self, seed: int) -> None:
        self.numbers = Numbers()
        self._chance = random.Random(seed)
        self._tally = Tally()
        self._streams: List[Any] = []

    def run(self, seconds: float) -> Numbers:
        """Run for so long."""
        gc.collect()
        gc.freeze()  # what has been imported is none of the collector's business, which is called often here
        before, end = set(threading.enumerate()), time.monotonic() + seconds
        while time.monotonic() < end:
            faulthandler.dump_traceback_later(HANGING * 3, exit=True)
            (self._async_batch if self._chance.random() < 0.6 else self._sync_batch)()
            self._look(before)
        faulthandler.cancel_dump_traceback_later()
        return self.numbers

    def _consumers(self, stuck: float = 0.0) -> List[Consumer]:
        maker = Maker(self._chance, self._tally, failing=0.04, stuck=stuck)
        graphs = [maker.graph() for _ in range(BATCH // 6)]
        consumers = [
            Consumer(random.Random(self._chance.random()), self._chance.choice(graphs), self.numbers)
            for _ in range(BATCH)
        ]
        if stuck:
            for consumer in consumers:
                consumer.leave_after = min(consumer.leave_after, 30)
        return consumers

    def _look(self, before: Any) -> None:
        """Look for what the last batch has left."""
        deadline = time.monotonic() + HANGING
        while (self._tally.running or set(threading.enumerate()) - before) and time.monotonic() < deadline:
            time.sleep(0.002)
        if self._tally.running:
            self.numbers.fault(f"{self._tally.running} nodes still run")
        for thread in set(threading.enumerate()) - before:
            self.numbers.fault(f"thread {thread.name} is left")
            before.add(thread)
        gc.collect()
        for stream in self._streams:
            if stream() is not None:
                self.numbers.fault(f"{stream()!r} is left")
        self._streams.clear()

    # Sync runs, in several threads.

    def _sync_batch(self) -> None:
        waiting, lock = self._consumers(), threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    if not waiting:
                        return
                    consumer = waiting.pop()
                self._pull(consumer)

        threads = [threading.Thread(target=work, name="reader") for _ in range(self._chance.choice((1, 1, 3)))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _pull(self, consumer: Consumer) -> None:
        stream = consumer.graph.stream({"x": []}, **consumer.options)
        self._streams.append(weakref.ref(stream))
        left, error = False, None
        closer: Optional[threading.Timer] = None
        if consumer.chance.random() < 0.15:
            closer = threading.Timer(consumer.chance.choice((0.0, 0.001, 0.003)), stream.close)
            closer.start()
        try:
            for chunk in stream:
                if consumer.take(chunk):
                    left = True
                    break
                if consumer.slow:
                    time.sleep(0.0005)
        except BaseException as raised:
            error = raised.with_traceback(None)
        if closer is not None:
            closer.join()
        began = time.perf_counter()
        stream.close()
        self.numbers.ending(time.perf_counter() - began)
        how = "read to the end" if closer is None else "closed by another thread"
        consumer.over(left or (error is None and not _ended(stream)), error, how)

    # Async runs, several at a time on one loop.

    def _async_batch(self) -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda loop, context: self.numbers.fault(f"the loop complains: {context}"))
            waiting = self._consumers(self._chance.choice((0.0, 0.05)))

            async def work() -> None:
                while waiting:
                    await self._await(waiting.pop())

            await asyncio.gather(*(work() for _ in range(self._chance.choice((1, 2, 4)))))
            gc.collect()
            await self._alone()

        asyncio.run(main())

    async def _alone(self) -> None:
        deadline = time.monotonic() + HANGING
        while len(asyncio.all_tasks()) > 1:
            if time.monotonic() > deadline:
                self.numbers.fault(f"tasks are left: {asyncio.all_tasks()}")
                return
            await asyncio.sleep(0.001)

    async def _await(self, consumer: Consumer) -> None:
        held = [consumer.graph.astream({"x": []}, **consumer.options)]
        self._streams.append(weakref.ref(held[0]))
        way = consumer.chance.choice((self._close, self._drop) * 2 + (self._cancel, self._scope, self._close_outside))
        began: List[float] = []
        try:
            reader = asyncio.ensure_future(way(consumer, held, began))
            done, _ = await asyncio.wait({reader}, timeout=HANGING)
            if not done:
                self.numbers.fault(f"hangs: {way.__name__} of {consumer.options}")
                reader.cancel()
                return
            left = reader.result()
        except BaseException as raised:
            consumer.over(False, raised.with_traceback(None), f"left by {way.__name__}")
            return
        if began:
            self.numbers.ending(time.perf_counter() - began[0])
        consumer.over(left, None, f"left by {way.__name__}")

    async def _read(self, consumer: Consumer, stream: Any) -> bool:
        async for chunk in stream:
            if consumer.take(chunk):
                return True
            if consumer.slow:
                await asyncio.sleep(0.0005)
        return False

    async def _rounds(self, consumer: Consumer) -> None:
        for _ in range(consumer.chance.choice((1, 3, 10, 30, 100))):
            await asyncio.sleep(0)

    async def _close(self, consumer: Consumer, held: List[Any], began: List[float]) -> bool:
        """Leave a block after some chunks, or be cancelled in it where there are none."""
        async with held.pop() as stream:
            reader = asyncio.ensure_future(self._read(consumer, stream))
            limit = 0.03 if consumer.leave_after <= 30 else HANGING
            done, _ = await asyncio.wait({reader}, timeout=limit)
            began.append(time.perf_counter())
            await stream.aclose()
            return await reader or not done

    async def _cancel(self, consumer: Consumer, held: List[Any], began: List[float]) -> bool:
        """Cancel the task that reads after some rounds of the loop."""
        reader = asyncio.ensure_future(self._read(consumer, held.pop()))
        await self._rounds(consumer)
        if reader.done():
            return await reader
        began.append(time.perf_counter())
        reader.cancel()
        await asyncio.wait({reader})
        return True if reader.cancelled() else reader.result()

    async def _scope(self, consumer: Consumer, held: List[Any], began: List[float]) -> bool:
        """Cancel an anyio scope around the loop after some rounds of the loop."""
        left: List[bool] = []
        scope = anyio.CancelScope()

        async def within() -> None:
            with scope:
                left.append(await self._read(consumer, held.pop()))

        reader = asyncio.ensure_future(within())
        await self._rounds(consumer)
        began.append(time.perf_counter())
        scope.cancel()
        await reader
        return left != [False]

    async def _close_outside(self, consumer: Consumer, held: List[Any], began: List[float]) -> bool:
        """Close it from another task after some rounds of the loop."""
        stream = held.pop()
        reader = asyncio.ensure_future(self._read(consumer, stream))
        await self._rounds(consumer)
        began.append(time.perf_counter())
        await stream.aclose()
        return await reader or not _ended(stream)

    async def _drop(self, consumer: Consumer, held: List[Any], began: List[float]) -> bool:
        """Forget it after some chunks, or cancel where there are none."""
        reader = asyncio.ensure_future(self._read(consumer, held.pop()))
        limit = 0.03 if consumer.leave_after <= 30 else HANGING
        done, _ = await asyncio.wait({reader}, timeout=limit)
        if not done:
            reader.cancel()
            await asyncio.wait({reader})
            return True
        return await reader


def _ended(stream: Any) -> bool:
    """Whether a run has come to its end by itself."""
    try:
        stream.output  # noqa: B018
    except RuntimeError:
        return False
    return True


class Complaints(logging.Handler):
    """Takes what anybody logs for a fault."""

    def __init__(self, numbers: Numbers) -> None:
        super().__init__(logging.WARNING)
        self._numbers = numbers

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        self._numbers.fault(f"logged: {record.getMessage()}")


def main(arguments: Optional[List[str]] = None) -> int:
    """Soak, print the numbers, and say whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    soak = Soak(given.seed)
    logging.getLogger().addHandler(Complaints(soak.numbers))
    warnings.simplefilter("error")
    sys.unraisablehook = lambda what: soak.numbers.fault(f"unraisable: {what.exc_value!r} in {what.object!r}")
    threading.excepthook = lambda what: soak.numbers.fault(f"in a thread: {what.exc_value!r}")
    numbers = soak.run(given.seconds)
    print(f"Python {sys.version.split()[0]}, seed {given.seed}, {given.seconds:g} s: {numbers}")
    kinds = Counter(text.split(":")[0] for text in numbers.faults)
    for kind, count in kinds.most_common():
        example = next(text for text in numbers.faults if text.startswith(kind))
        print(f"  {count} x {example[:400]}")
    return 1 if numbers.faults else 0


if __name__ == "__main__":
    sys.exit(main())
