"""Runs tasks of other processes on a worker, and sends what they stream."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import AsyncIterator, Deque, Dict, Hashable, List, Optional, Sequence, Set

from streamgraph._drivers.backend_asyncio import AsyncioBackend
from streamgraph._drivers.driver_asyncio import AsyncGraphStream
from streamgraph._messages.coalescing import COALESCER
from streamgraph._messages.token_codec import TokenCodec
from streamgraph._streams.flow import FlowControl
from streamgraph._streams.part import Part
from streamgraph.errors import UnsendableValueError
from streamgraph.executors._attempt import Activity, HostedAttempt
from streamgraph.executors._callbacks import threadsafe
from streamgraph.executors._home import Home
from streamgraph.executors._protocol import ACTIVITY, END, EVENT, FORM, PART, TEXT, Item
from streamgraph.executors._targets import Targets
from streamgraph.executors._wire import Encoder, check_sendable

_PLACEHOLDER = b'"$type":"unserializable"'

BATCH = 64
"""The most items in a batch, and the most that wait to be sent."""

WINDOW = 256
"""The most items that are on their way, or not read yet."""


class TaskHost:
    """Runs the tasks that an executor has brought to this process, any number at once, on one event loop.

    What a task's reference names is loaded once.

    Args:
        limit: The most tasks at once; others wait. `None` for no limit.
    """

    def __init__(self, limit: Optional[int] = None) -> None:
        self._targets = Targets()
        self._limit = limit
        self._room: Optional[asyncio.Semaphore] = None
        self._running: Dict[str, _HostedTask] = {}

    def warm_up(self, targets: Sequence[str]) -> None:
        """Load what tasks will need.

        Args:
            targets: References.

        Raises:
            UnknownOptionError: One of them names nothing that can be a node.
        """
        for target in targets:
            self._targets[target]

    async def run(self, key: str, request: bytes) -> AsyncIterator[Sequence[Item]]:
        """Run a task, and yield what it sends, in batches; see `TaskHandle.batches`.

        Leaving the iterator cancels the task and waits for its end.

        Args:
            key: The name under which it gets messages and is cancelled, unique among the tasks of this host.
            request: The task, as `Executor.submit` was given it.
        """
        if self._room is None and self._limit is not None:
            self._room = asyncio.Semaphore(self._limit)
        task = self._running[key] = _HostedTask(self._targets, self._room)
        try:
            async for batch in task.batches(request):
                yield batch
        finally:
            try:
                await task.cancel()
            finally:
                del self._running[key]

    async def read(self, key: str, items: int) -> None:
        """Note that items of a task were read; it stops if too many are not.

        Args:
            key: The name of the task.
            items: How many more were read.
        """
        task = self._running.get(key)
        if task is not None:
            task.read(items)

    async def answer(self, key: str, number: int, text: bytes) -> None:
        """Give a task the answer to a call; see `TaskHandle.answer`.

        Args:
            key: The name of the task.
            number: The number of the call.
            text: The answer.
        """
        task = self._running.get(key)
        if task is not None:
            task.home.answer(number, text)

    async def cancel(self, key: str) -> bool:
        """Cancel a task, and wait for its end.

        Args:
            key: The name of the task.

        Returns:
            Whether it was running.
        """
        task = self._running.get(key)
        if task is not None:
            await task.cancel()
        return task is not None


class _HostedTask:
    """One task on a worker.

    Args:
        targets: What was loaded.
        room: Has room for so many tasks at once.
    """

    def __init__(self, targets: Targets, room: Optional[asyncio.Semaphore]) -> None:
        self._targets = targets
        self._room = room
        self._items: Deque[Item] = deque()
        self._filled, self._emptied, self._was_read = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._over = False
        self._runner: Optional[asyncio.Task[None]] = None
        self._encoder = Encoder()
        self._signs: Set[Activity] = set()
        self._forms: Set[str] = set()
        self._loop = asyncio.get_running_loop()
        self._unread = 0
        self.home = Home(self._put, self._loop)

    async def batches(self, request: bytes) -> AsyncIterator[List[Item]]:
        """Run the task; see `TaskHost.run`."""
        self._runner = asyncio.ensure_future(self._run(request))
        while True:
            await self._filled.wait()
            self._filled.clear()
            signs, self._signs = self._signs, set()
            batch = [*self._items, *[(ACTIVITY, b"", sign, None) for sign in signs]]
            self._items.clear()
            self._emptied.set()
            if self._over and batch and batch[-1][0] == ACTIVITY:
                batch = [item for item in batch if item[0] != ACTIVITY]  # the end is the last item
            if batch:
                while self._unread >= WINDOW:
                    self._was_read.clear()
                    await self._was_read.wait()
                self._unread += len(batch)
                yield batch
            if self._over and not self._items:
                return

    def read(self, items: int) -> None:
        """Note that items were read."""
        self._unread -= items
        self._was_read.set()

    async def cancel(self) -> None:
        """Cancel the task, and wait for its end."""
        self.home.close()
        runner = self._runner
        if runner is not None and not runner.done():
            runner.cancel()
            await asyncio.wait({runner})
        self._over = True
        self._filled.set()
        self._was_read.set()

    def _put(self, item: Item) -> None:
        self._items.append(item)
        self._filled.set()

    async def _run(self, request: bytes) -> None:
        if self._room is None:
            await self._run_now(request)
        else:
            async with self._room:
                await self._run_now(request)

    async def _run_now(self, request: bytes) -> None:
        attempt = HostedAttempt(self._targets, self.home, threadsafe(self._tell, self._loop), self._alive)
        end: Optional[bytes] = None
        try:
            try:
                await self._stream(attempt, request)
                end = attempt.end()
            except Exception as error:
                end = _failed_end(attempt, error)
        finally:
            self._over = True
            if end is not None:
                self._put((END, end, None, None))
            self._filled.set()
            self.home.close()

    async def _stream(self, attempt: HostedAttempt, request: bytes) -> None:
        backend = AsyncioBackend(FlowControl(max_buffer=BATCH), COALESCER)
        stream: AsyncGraphStream[Part] = AsyncGraphStream(attempt.open(request, backend), backend)
        encode, items, codec = self._encoder.encode_part, self._items, TokenCodec()
        async with stream:
            async for part in stream:
                while len(items) >= BATCH:
                    self._emptied.clear()
                    await self._emptied.wait()
                packed = codec.pack(part, 1)
                if packed is not None:
                    self._put_token(codec, *packed)
                    continue
                text = encode(part.mode, part.ns, part.data)
                if _PLACEHOLDER in text:
                    check_sendable(part.data, f"a part of {part.mode}", str(part.source))
                self._put((PART, text, part.source, part.key))

    def _put_token(self, codec: TokenCodec, form: Hashable, text: str) -> None:
        """Send the text of a token, after the first one of its kind what they have in common."""
        name = str(form)
        if name not in self._forms:
            self._forms.add(name)
            sample = codec.sample(form)
            shown = self._encoder.encode_part(sample.mode, sample.ns, sample.data)
            self._put((FORM, shown, sample.source, name))
        self._put((TEXT, text.encode("utf-8", "surrogatepass"), None, name))

    def _tell(self, event: bytes) -> None:
        self._put((EVENT, event, None, None))

    def _alive(self, kind: Activity) -> None:
        """Send a sign of life, unless the same is being sent; from any thread."""
        if kind not in self._signs:
            self._signs.add(kind)
            self._loop.call_soon_threadsafe(self._filled.set)


def _failed_end(attempt: HostedAttempt, error: Exception) -> bytes:
    try:
        return attempt.end(error)
    except UnsendableValueError as unsendable:  # a question
        return attempt.end(unsendable)
