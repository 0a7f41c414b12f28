"""A private event loop in a thread of its own, on which a blocking run awaits actions that have no sync form."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, AsyncGenerator, Awaitable, Callable, Coroutine, Optional, Set, Tuple
from weakref import WeakSet

from streamgraph._propagation import propagates
from streamgraph._streams.cancellation import CancelToken
from streamgraph.errors import StreamClosed

private_loops: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
"""The loops of all portals: calls on them are cancelled with the cancel token of their run."""

# A task that a node has created may end with one of these. It reaches the code that awaits the task like any other
# error, but asyncio also lets these two end the loop, on which the other tasks of the run are.
_keep_loop_running = suppress(KeyboardInterrupt, SystemExit)


class Portal:
    """Runs coroutines for threads that block until they are done.

    The loop starts with the first call and lives until `close`, so that a connection that an async client opened in one
    node can be used in the next.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = self._stopped = False
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._thread: Optional[threading.Thread] = None
        self._tasks: Set[asyncio.Task[None]] = set()
        self._cancelled: Set[asyncio.Task[None]] = set()

    def call(self, function: Callable[..., Awaitable[Any]], args: Tuple[Any, ...], stop: CancelToken) -> Any:
        """Await `function(*args)` on the loop, in a copy of the caller's context, and return the result.

        Args:
            function: Returns the awaitable.
            args: Its arguments.
            stop: Cancel token of the call.

        Raises:
            StreamClosed: The portal is closed.
        """
        done: Future[Any] = Future()
        context = contextvars.copy_context()

        task: Optional[asyncio.Task[None]] = None

        def begin() -> None:
            nonlocal task
            task = context.run(loop.create_task, _work(done, function, args))
            self._tasks.add(task)
            task.add_done_callback(ended)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._cancelled.discard(task)
            if not done.done():
                # Cancelled before its first step, so it could not report its end itself.
                done.set_exception(asyncio.CancelledError())

        def cancel() -> None:
            with self._lock:
                if self._loop is loop:  # else another thread is closing it, which cancels the task as well
                    loop.call_soon_threadsafe(cancel_here)

        def cancel_here() -> None:
            if task is not None:
                self._cancel(task)

        with self._lock:
            # Scheduled before close() or not at all: a callback after the loop's end would never run.
            loop = self._started()
            loop.call_soon_threadsafe(begin)
        stop.on_set(cancel)
        try:
            return done.result()
        finally:
            stop.forget(cancel)

    def close(self) -> None:
        """Cancel the running calls and end the loop; a no-op if it was never started."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(self._stop, loop)
            if thread is not threading.current_thread():
                thread.join()

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._closed:
            raise StreamClosed("the run has ended")
        if self._loop is None:
            # In a context of its own: a loop keeps the context in which it was made alive, and with it the node and its
            # stream.
            loop = contextvars.Context().run(asyncio.new_event_loop)
            thread = threading.Thread(target=self._serve, args=(loop,), name="streamgraph-loop", daemon=True)
            private_loops.add(loop)
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads
                loop.close()
                raise
            self._loop, self._thread = loop, thread
        return self._loop

    def _cancel(self, task: asyncio.Task[None]) -> None:
        """Cancel a task once: a second time would interrupt its clean-up."""
        if task not in self._cancelled and not task.done():
            self._cancelled.add(task)
            task.cancel()

    def _stop(self, loop: asyncio.AbstractEventLoop) -> None:
        self._stopped = True
        loop.stop()

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        executor = ThreadPoolExecutor(thread_name_prefix="streamgraph-to-thread")
        loop.set_default_executor(executor)
        generators: WeakSet[AsyncGenerator[object, object]] = WeakSet()
        try:
            while not self._stopped:
                loop.call_soon(_note_generators, generators)
                with _keep_loop_running:
                    loop.run_forever()
            for task in tuple(self._tasks):
                self._cancel(task)
            if self._tasks:
                _complete(loop, asyncio.wait(tuple(self._tasks)))
            _complete(loop, _wind_up(generators))
        finally:
            # A thread that a node has started cannot be stopped, and closing the stream does not wait for it.
            executor.shutdown(wait=False)
            asyncio.set_event_loop(None)
            loop.close()


@propagates
async def _work(done: Future[Any], function: Callable[..., Awaitable[Any]], args: Tuple[Any, ...]) -> None:
    try:
        done.set_result(await function(*args))
    except BaseException as error:
        done.set_exception(error)


def _complete(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> None:
    task = loop.create_task(coroutine)
    while not task.done():
        with _keep_loop_running:
            loop.run_until_complete(task)


def _note_generators(generators: WeakSet[AsyncGenerator[object, object]]) -> None:
    """Add the async generators that are begun while this loop runs, from now on, to a set."""
    begun = sys.get_asyncgen_hooks().firstiter

    def first(generator: AsyncGenerator[object, object]) -> None:
        generators.add(generator)
        if begun is not None:
            begun(generator)

    sys.set_asyncgen_hooks(firstiter=first)  # the loop puts back those that there were before it ran


async def _wind_up(generators: WeakSet[AsyncGenerator[object, object]]) -> None:
    """End the tasks and the unfinished async generators that nodes have left on this loop."""
    await asyncio.sleep(0)
    left = _others()
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left)
    # A generator may close another one, which cannot be closed twice at a time; the loop would close all at once.
    await _others_ended()
    loop = asyncio.get_running_loop()
    for generator in tuple(generators):
        await asyncio.wait([loop.create_task(generator.aclose())])
    await loop.shutdown_asyncgens()
    await _others_ended()


async def _others_ended() -> None:
    """Wait until the other tasks have ended, and those that close what these have dropped."""
    while True:
        # A collected generator is closed by a task that the loop creates in its next turn.
        await asyncio.sleep(0)
        left = _others()
        if not left:
            return
        await asyncio.wait(left)


def _others() -> Set[asyncio.Task[Any]]:
    """Return all tasks of the loop except the current one."""
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
