"""Making the calls of some work on an event loop."""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import CancelledError
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Awaitable, Callable, Coroutine, Generator, Optional, Set, Tuple, TypeVar, Union

from streamgraph._drivers.exceptions import WrappedExit, wrap_for_throw
from streamgraph._drivers.futures import own_future
from streamgraph._drivers.workers import RunThreads
from streamgraph._propagation import propagates
from streamgraph._protocols import Call, Join, Sleep, Work
from streamgraph._streams.cancellation import CancelToken

T = TypeVar("T")


@propagates
async def drive(work: Work[T], pool: RunThreads, stop: Optional[CancelToken] = None) -> T:
    """Make the calls of `work`, one after the other, and return its result.

    Args:
        work: The calls.
        pool: Where calls are made that must not block the loop.
        stop: Tells what runs in a thread to end when the loop has cancelled this.
    """
    try:
        call = next(work)
        while True:
            error: Optional[BaseException] = None
            try:
                if type(call) is not Call:
                    value = await _wait(call)
                elif call.watch is not None:
                    value = await _call_with_timeout(call, pool)
                else:
                    sync, asyn = call.action
                    if asyn is not None:
                        value = await (_shielded(asyn(*call.args)) if call.shielded else asyn(*call.args))
                    elif call.nonblocking:
                        assert sync is not None
                        value = sync(*call.args)
                    else:
                        assert sync is not None
                        value, raised_there = await _in_thread(pool, sync, call.args, stop)
                        error = wrap_for_throw(raised_there)
            except BaseException as raised:
                error = wrap_for_throw(raised)
            call = work.send(value) if error is None else work.throw(error)
    except StopIteration as result:
        return result.value  # type: ignore[no-any-return]
    except WrappedExit as left:
        # The work has let it out again: this coroutine is being closed, as when it is collected in the middle.
        raise left.error from None


async def _wait(what: Union[Call, Sleep, Join]) -> Any:
    if isinstance(what, Join):
        await asyncio.wait(set(map(own_future, what.futures)))
    else:
        assert isinstance(what, Sleep)
        await asyncio.sleep(what.seconds)


async def _shielded(awaitable: Awaitable[T]) -> T:
    """Await something to its end, also if this task is cancelled meanwhile."""
    running = asyncio.ensure_future(awaitable)
    try:
        return await asyncio.shield(running)
    except CancelledError:
        await wait_cancelled({running})
        raise


async def wait_cancelled(tasks: Set[Any]) -> None:
    """Wait until these cancelled tasks have ended, also if this task is cancelled meanwhile.

    An anyio scope cancels whatever waits inside it again and again; waiting must survive that, or what the
    tasks do in the end would still be going on when the stream is over.
    """
    cancelled: Optional[CancelledError] = None
    while tasks:
        try:
            _, tasks = await asyncio.wait(tasks)
        except CancelledError as error:
            cancelled = error
            tasks = {task for task in tasks if not task.done()}
    if cancelled is not None:
        raise cancelled


def _submit(
    pool: RunThreads, function: Callable[..., Any], args: Tuple[Any, ...]
) -> Future[Tuple[Any, Optional[BaseException]]]:
    """Call `function(*args)` in a thread, in a copy of this context; the result is what it returned or raised."""

    def call() -> Tuple[Any, Optional[BaseException]]:
        try:
            return function(*args), None
        except BaseException as error:
            # As a value: a Future of asyncio refuses to carry StopIteration.
            return None, error

    return pool.submit(contextvars.copy_context().run, call)


async def _in_thread(
    pool: RunThreads, function: Callable[..., Any], args: Tuple[Any, ...], stop: Optional[CancelToken]
) -> Tuple[Any, Optional[BaseException]]:
    """Call `function(*args)` off the loop; return its result or what it raised."""
    running = _submit(pool, function, args)
    try:
        return await asyncio.wrap_future(running)
    except CancelledError:
        # Beside a task that has failed, or by somebody who ends all that is on the loop, as asyncio.run does.
        # Its end is waited for as that of any other.
        if stop is not None:
            stop.set()
        while not running.done() and not pool.leaving:
            over = asyncio.wrap_future(running)
            with suppress(CancelledError):
                await asyncio.wait({over})
            over.cancel()  # else a thread that ends after the loop would call there
        if running.done() and not running.cancelled() and not pool.leaving:
            _, raised = running.result()
            if isinstance(raised, Exception):
                return None, raised  # it has failed as well, and traces are to know how
        raise


@propagates
async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


async def _call_with_timeout(call: Call, pool: RunThreads) -> Any:
    """Make a call that may take only so long.

    Raises:
        NodeTimeoutError: It has taken longer, and has been cancelled. What runs in a thread cannot be: it is told to
            stop, and ends at its next token or writer call, but nobody waits for that.
    """
    sync, asyn = call.action
    watch = call.watch
    assert watch is not None
    running: asyncio.Future[Any]
    if asyn is not None:
        running = asyncio.ensure_future(_awaited(asyn(*call.args)))
    else:
        assert sync is not None
        running = asyncio.wrap_future(_submit(pool, sync, call.args))
    try:
        while not (await asyncio.wait({running}, timeout=watch.remaining()))[0]:
            error = watch.error()
            if error is not None:
                watch.expire()
                await _end(running)
                raise error
    except CancelledError:
        await _end(running)
        raise
    if asyn is not None:
        return running.result()
    value, raised = running.result()
    if raised is not None:
        raise raised
    return value


async def _end(running: asyncio.Future[Any]) -> None:
    """Cancel something and wait until it has ended; however it does, that is of no interest any more."""
    running.cancel()
    await wait_cancelled({running})
    if not running.cancelled():
        running.exception()


class ContextCoroutine:
    """Awaits a coroutine inside a context of its own, without the cost of a task.

    Every step of the coroutine runs in the context, as a task would run it; what it waits for is waited
    for by the awaiting task.

    Args:
        coroutine: What to await.
        context: Where it runs.
        on_interrupt: Is called when an exception comes from the awaiting task.

    Attributes:
        interrupted: An exception, such as a cancellation, came from the awaiting task.
    """

    __slots__ = ("_context", "_coroutine", "_on_interrupt", "interrupted")

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], context: contextvars.Context, on_interrupt: Callable[[], None]
    ) -> None:
        self._coroutine = coroutine
        self._context = context
        self._on_interrupt = on_interrupt
        self.interrupted = False

    def __await__(self) -> Generator[Any, Any, Any]:
        run, send, throw = self._context.run, self._coroutine.send, self._coroutine.throw
        try:
            waiting = run(send, None)
            while True:
                try:
                    sent = yield waiting
                except GeneratorExit:
                    run(self._coroutine.close)
                    raise
                except BaseException as error:
                    self.interrupted = True
                    self._on_interrupt()
                    waiting = run(throw, error)
                else:
                    waiting = run(send, sent)
        except StopIteration as result:
            return result.value
