"""An executor whose workers are in this process: everything but the way to another one is as with Ray."""

from __future__ import annotations

import asyncio
import pickle
import threading
from itertools import count

from streamgraph.errors import WorkerLostError
from streamgraph.executors import TaskHost
from support.waiting import PATIENCE


class LoopbackExecutor:
    """Runs tasks on the event loop of a thread of its own; what travels is pickled.

    Attributes:
        sent: The number of batches that were sent.
        items: The items that were sent.
    """

    def __init__(self, limit=None) -> None:
        self.sent = 0
        self.items = []
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._numbers = count()
        self.host = TaskHost(limit)
        self.cancelled = 0

    def close(self) -> None:
        # What the loop was just told to do would never begin, and Python would say so in whatever runs then.
        asyncio.run_coroutine_threadsafe(_end_others(), self.loop).result(PATIENCE)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    async def submit(self, request: bytes) -> LoopbackHandle:
        return LoopbackHandle(self, pickle.loads(pickle.dumps(request)))


async def _end_others() -> None:
    """End all other tasks of this loop."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others)


class LoopbackHandle:
    def __init__(self, executor: LoopbackExecutor, request: bytes) -> None:
        self._executor = executor
        self._key = str(next(executor._numbers))
        self._here = asyncio.get_running_loop()
        self._queue: asyncio.Queue = asyncio.Queue()
        self._lost = False
        self._running = asyncio.run_coroutine_threadsafe(self._pump(request), executor.loop)

    async def _pump(self, request: bytes) -> None:
        async for batch in self._executor.host.run(self._key, request):
            self._executor.sent += 1
            self._executor.items.extend(batch)
            self._here.call_soon_threadsafe(self._queue.put_nowait, pickle.dumps(batch))
        self._here.call_soon_threadsafe(self._queue.put_nowait, None)

    async def batches(self):
        while True:
            batch = await self._queue.get()
            if batch is None:
                return
            if self._lost:
                raise WorkerLostError("The worker was lost")
            items = pickle.loads(batch)
            yield items
            self._tell(self._executor.host.read(self._key, len(items)))

    async def answer(self, number: int, text: bytes) -> None:
        await asyncio.wrap_future(self._tell(self._executor.host.answer(self._key, number, text)))

    def _tell(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._executor.loop)

    def lose(self) -> None:
        """Let the worker be lost."""
        self._lost = True
        self._queue.put_nowait(b"")

    async def cancel(self) -> None:
        self._executor.cancelled += 1
        ending = self._executor.host.cancel(self._key)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(ending, self._executor.loop))
        self._running.cancel()
