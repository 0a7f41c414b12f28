"""Calls of objects that have stayed with the run: its store and its saver.

What such a call takes and returns is pickled: it has the form that stores and savers hand out, and both ends are
processes of one program.
"""

from __future__ import annotations

import asyncio
import pickle
from itertools import count
from typing import Callable, Dict, Tuple, cast

from streamgraph._propagation import on_loop
from streamgraph.errors import EventLoopError, StreamClosed
from streamgraph.executors._failures import packed_error, unpacked_error
from streamgraph.executors._protocol import CALL, Item


class Home:
    """The way from a task on a worker to its run.

    Args:
        put: Takes what is sent; on the loop.
        loop: The event loop of the worker.
    """

    def __init__(self, put: Callable[[Item], None], loop: asyncio.AbstractEventLoop) -> None:
        self._put = put
        self._loop = loop
        self._open: Dict[int, asyncio.Future[bytes]] = {}
        self._numbers = count()
        self._closed = False

    async def acall(self, name: str, *args: object) -> object:
        """Call something, and return what it returns.

        Args:
            name: Its name.
            args: Its arguments.

        Raises:
            StreamClosed: The task has ended meanwhile.
        """
        if asyncio.get_running_loop() is self._loop:
            return await self._call(name, args)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._call(name, args), self._loop))

    def call(self, name: str, *args: object) -> object:
        """Call something in a thread that may block; see `acall`.

        Raises:
            EventLoopError: This thread runs an event loop, which would be blocked.
        """
        if on_loop():
            raise EventLoopError(
                "The store of the run is in another process, and this call would block the event loop until it answers",
                hint="Await the async method: aget, aput, asearch, ...",
            )
        return asyncio.run_coroutine_threadsafe(self._call(name, args), self._loop).result()

    def answer(self, number: int, text: bytes) -> None:
        """Take the answer to a call; on the loop."""
        waiting = self._open.pop(number, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(text)

    def close(self) -> None:
        """Let nobody wait any more; on the loop."""
        self._closed = True
        for waiting in self._open.values():
            waiting.cancel()
        self._open.clear()

    async def _call(self, name: str, args: Tuple[object, ...]) -> object:
        if self._closed:
            raise StreamClosed
        number = next(self._numbers)
        waiting = self._open[number] = self._loop.create_future()
        self._put((CALL, pickle.dumps((number, name, args)), None, None))
        try:
            failed, value = pickle.loads(await waiting)
        finally:
            self._open.pop(number, None)
        if failed:
            raise unpacked_error(value)
        return cast("object", value)


def called(text: bytes) -> Tuple[int, str, Tuple[object, ...]]:
    """Return the number of a call, what is called, and the arguments."""
    return cast("Tuple[int, str, Tuple[object, ...]]", pickle.loads(text))


def returned(value: object) -> bytes:
    """Return the answer of a call that has returned a value."""
    return pickle.dumps((False, value))


def raised(error: BaseException) -> bytes:
    """Return the answer of a call that has raised an error."""
    return pickle.dumps((True, packed_error(error)))
