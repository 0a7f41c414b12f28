"""Makes the calls of work on an event loop."""

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
    """Make the calls of `work` one after the other, and return its result.

    Args:
        work: The calls.
        pool: Threads for calls that would block the loop.
        stop: Cancel token of the work, set when this coroutine is cancelled while a call runs in a thread.
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
        # The work has re-raised it: this coroutine is being closed, for example by the collector.
        raise left.error from None


async def _wait(what: Union[Call, Sleep, Join]) -> Any:
    if isinstance(what, Join):
        await asyncio.wait(set(map(own_future, what.futures)))
    else:
        assert isinstance(what, Sleep)
        await asyncio.sleep(what.seconds)


async def _shielded(awaitable: Awaitable[T]) -> T:
    """Await `awaitable` to its end, even if this task is cancelled meanwhile."""
    running = asyncio.ensure_future(awaitable)
    try:
        return await asyncio.shield(running)
    except CancelledError:
        try:
            await wait_cancelled({running})
        finally:
            if running.done() and not running.cancelled():
                running.exception()  # else asyncio would log that it was never retrieved
        raise


async def wait_cancelled(tasks: Set[Any]) -> None:
    """Wait until these cancelled tasks have ended, even if this task is cancelled meanwhile.

    An anyio scope cancels a waiting task repeatedly. Waiting has to survive that, or the clean-up of the tasks would
    still run after the end of the stream.
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
    """Call `function(*args)` in a thread, in a copy of this context.

    Returns:
        A future of the pair (returned value, raised exception).
    """

    def call() -> Tuple[Any, Optional[BaseException]]:
        try:
            return function(*args), None
        except BaseException as error:
            # As a value: an asyncio Future refuses to carry StopIteration.
            return None, error

    return pool.submit(contextvars.copy_context().run, call)


class _ThreadCall:
    """A call in a thread, for which a task of a loop waits.

    A future of `concurrent.futures`, with its lock and condition, that is chained to one of asyncio takes as long as
    all the rest of a step.

    Args:
        loop: The loop of the waiting task.
        function: The function to call.
        args: Its arguments.

    Attributes:
        outcome: The pair (returned value, raised exception); `None` before the end.
    """

    __slots__ = ("_args", "_function", "_loop", "_unclaimed", "_waiter", "outcome")

    def __init__(self, loop: asyncio.AbstractEventLoop, function: Callable[..., Any], args: Tuple[Any, ...]) -> None:
        self.outcome: Optional[Tuple[Any, Optional[BaseException]]] = None
        self._loop = loop
        self._function = function
        self._args = args
        self._waiter: Optional[asyncio.Future[None]] = None
        # Taken, in one operation, by the thread that begins the call or by the task that cancels it before.
        self._unclaimed = [None]

    @propagates
    def run(self) -> None:
        """Call the function; in the thread."""
        if not self._claim():
            return
        try:
            outcome = self._function(*self._args), None
        except BaseException as error:
            # As a value: an asyncio Future refuses to carry StopIteration.
            outcome = None, error  # type: ignore[assignment]
        self.outcome = outcome
        del outcome  # a frame that refers to an exception that refers to the frame is a cycle
        try:
            self._loop.call_soon_threadsafe(self._wake)
        except RuntimeError:  # the loop is closed
            return

    def cancel(self) -> bool:
        """Cancel the call if it has not begun; return whether it was cancelled."""
        return self._claim()

    async def wait(self) -> None:
        """Wait for the end of the call; the loop gets a turn in any case, so that a cancellation is noticed."""
        self._waiter = waiter = self._loop.create_future()
        if self.outcome is None:
            await waiter
        else:
            await asyncio.sleep(0)

    def _claim(self) -> bool:
        try:
            self._unclaimed.pop()
        except IndexError:
            return False
        return True

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def _in_thread(
    pool: RunThreads, function: Callable[..., Any], args: Tuple[Any, ...], stop: Optional[CancelToken]
) -> Tuple[Any, Optional[BaseException]]:
    """Call `function(*args)` in a thread, in a copy of this context; return `(returned value, raised exception)`."""
    call = _ThreadCall(asyncio.get_running_loop(), function, args)
    pool.start(contextvars.copy_context().run, call.run)
    try:
        await call.wait()
    except CancelledError:
        # Cancelled because another task of the step has failed, or by code that cancels every task of the loop, as
        # asyncio.run does. The end of the call is waited for like that of any other.
        if stop is not None:
            stop.set()
        if call.cancel():
            raise
        while call.outcome is None and not pool.leaving:
            with suppress(CancelledError):
                await call.wait()
        if call.outcome is not None and not pool.leaving and isinstance(call.outcome[1], Exception):
            return None, call.outcome[1]  # it has failed as well, and traces show the error
        raise
    outcome, call.outcome = call.outcome, None  # breaks the cycle of the call, an exception, and its frames
    assert outcome is not None
    return outcome


@propagates
async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable


async def _call_with_timeout(call: Call, pool: RunThreads) -> Any:
    """Make a call with a time limit.

    Raises:
        NodeTimeoutError: It took too long and was cancelled. A call in a thread cannot be cancelled: its token is set,
            it ends at its next token or writer call, and its end is not waited for.
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
    """Cancel a future and wait for its end; its result or error is ignored."""
    running.cancel()
    await wait_cancelled({running})
    if not running.cancelled():
        running.exception()


class ContextCoroutine:
    """Awaits a coroutine inside a context of its own, without the cost of a task.

    Every step of the coroutine runs in the context, as in a task; the awaiting task waits for the futures that the
    coroutine yields.

    Args:
        coroutine: The coroutine to await.
        context: The context for its steps.
        on_interrupt: Called when an exception is thrown in by the awaiting task.

    Attributes:
        interrupted: An exception, such as a cancellation, was thrown in by the awaiting task.
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
