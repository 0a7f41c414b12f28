"""The portal of the sync driver: a loop of its own for what can only be awaited."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextvars import ContextVar
from typing import Any, Iterator, List

import pytest

from streamgraph._drivers.portal import Portal
from streamgraph._streams.cancellation import CancelToken
from streamgraph.errors import StreamClosed
from support.endless import Forever
from support.value_graphs import graph_of
from support.waiting import PATIENCE, eventually, threads

color: ContextVar[str] = ContextVar("color", default="none")


@pytest.fixture
def portal() -> Iterator[Portal]:
    """A portal that is closed in the end."""
    made = Portal()
    yield made
    made.close()


async def forever(log: List[str], started: threading.Event) -> None:
    """Wait until cancelled, and clean up."""
    started.set()
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        log.append("finally")


class Caller(threading.Thread):
    """A thread that calls through a portal; `outcome` is what came of it."""

    def __init__(self, portal: Portal, function: Any, *args: Any, stop: Any = None) -> None:
        super().__init__()
        self.stop = stop or CancelToken()
        self.outcome: Any = None
        self._call = (portal, function, args)
        self.start()

    def run(self) -> None:
        portal, function, args = self._call
        try:
            self.outcome = portal.call(function, args, self.stop)
        except BaseException as error:
            self.outcome = error

    def end(self) -> Any:
        """Wait for the end of the call."""
        self.join(PATIENCE)
        assert not self.is_alive()
        return self.outcome


def test_result_and_error(portal: Portal) -> None:
    """A call returns what the coroutine returns, and raises what it raises."""

    async def double(value: int) -> int:
        await asyncio.sleep(0)
        return value * 2

    async def fail(error: BaseException) -> None:
        raise error

    error = ValueError("no")
    assert portal.call(double, (21,), CancelToken()) == 42
    with pytest.raises(ValueError, match="no") as caught:
        portal.call(fail, (error,), CancelToken())
    assert caught.value is error


def test_starts_with_the_first_call_and_keeps_its_loop(portal: Portal) -> None:
    """There is no thread before the first call, and one loop for all of them."""

    async def where() -> Any:
        return asyncio.get_running_loop(), threading.current_thread()

    before = threads()
    assert threads() == before
    first = portal.call(where, (), CancelToken())
    assert portal.call(where, (), CancelToken()) == first
    assert threads() - before == {first[1]}
    assert first[1].daemon


def test_context_is_copied(portal: Portal) -> None:
    """The coroutine sees the caller's context variables, and its changes stay with it."""

    async def look() -> str:
        await asyncio.sleep(0)
        seen = color.get()
        color.set("changed")
        return seen

    token = color.set("mine")
    try:
        assert [portal.call(look, (), CancelToken()) for _ in range(2)] == ["mine", "mine"]
        assert color.get() == "mine"
    finally:
        color.reset(token)


def test_calls_run_together(portal: Portal) -> None:
    """Calls of several threads are on the loop at the same time."""
    arrived: List[asyncio.Event] = []

    async def meet() -> str:
        arrived.append(asyncio.Event())
        if len(arrived) == 8:
            for event in arrived:
                event.set()
        await asyncio.wait_for(arrived[len(arrived) - 1].wait(), PATIENCE)
        return "met"

    callers = [Caller(portal, meet) for _ in range(8)]
    assert [caller.end() for caller in callers] == ["met"] * 8


def test_stop_cancels_its_call_only(portal: Portal) -> None:
    """Setting a signal cancels the call that it was given for, which cleans up; others go on."""
    log: List[str] = []
    started = [threading.Event(), threading.Event()]
    callers = [Caller(portal, forever, log, event) for event in started]
    assert all(event.wait(PATIENCE) for event in started)

    callers[0].stop.set()
    assert isinstance(callers[0].end(), asyncio.CancelledError)
    assert log == ["finally"]
    assert callers[1].is_alive()

    callers[1].stop.set()
    callers[1].end()
    assert log == ["finally"] * 2


def test_stop_of_what_is_above(portal: Portal) -> None:
    """The signal reaches a call from further up."""
    above = CancelToken()
    between = CancelToken(above)  # whoever is above knows it only weakly
    log: List[str] = []
    started = threading.Event()
    caller = Caller(portal, forever, log, started, stop=CancelToken(between))
    assert started.wait(PATIENCE)
    above.set()
    assert isinstance(caller.end(), asyncio.CancelledError)
    assert log == ["finally"]


def test_stop_that_was_set_before(portal: Portal) -> None:
    """A call that is no longer wanted when it is made is cancelled as well."""
    stop = CancelToken()
    stop.set()
    assert isinstance(Caller(portal, forever, [], threading.Event(), stop=stop).end(), asyncio.CancelledError)


def test_signal_forgets_a_call_that_is_over(portal: Portal) -> None:
    """A signal that is set later does not reach what has ended."""

    async def quick() -> str:
        return "done"

    stop = CancelToken()
    for _ in range(3):
        assert portal.call(quick, (), stop) == "done"
    portal.close()
    stop.set()


def test_close_cancels_and_joins(portal: Portal) -> None:
    """Closing cancels what runs, lets it clean up, and leaves no thread."""
    before = threads()
    log: List[str] = []
    events = [threading.Event() for _ in range(3)]
    callers = [Caller(portal, forever, log, event) for event in events]
    assert all(event.wait(PATIENCE) for event in events)

    portal.close()

    assert log == ["finally"] * 3
    assert threads() == before
    assert all(isinstance(caller.end(), asyncio.CancelledError) for caller in callers)


def test_close_ends_async_generators(portal: Portal) -> None:
    """Async generators that nobody read to the end are closed with the loop."""
    log: List[str] = []
    kept: List[Any] = []

    async def items() -> Any:
        try:
            yield 1
        finally:
            log.append("closed")

    async def begin() -> int:
        kept.append(items())
        return await kept[0].__anext__()

    assert portal.call(begin, (), CancelToken()) == 1
    portal.close()
    assert log == ["closed"]


def test_close_from_within(portal: Portal) -> None:
    """A coroutine that closes its own portal does not wait for itself."""

    async def close() -> str:
        portal.close()
        return "closed"

    before = threads()
    assert Caller(portal, close).end() == "closed"
    eventually(lambda: threads() <= before)


def test_call_after_close(portal: Portal) -> None:
    """A closed portal takes no calls, whether it was ever used or not; closing again is harmless."""
    before = threads()
    portal.close()
    portal.close()
    with pytest.raises(StreamClosed):
        portal.call(Forever().node, ({},), CancelToken())
    assert threads() == before


def test_what_a_node_leaves_behind_on_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    """Tasks and generators that a node has begun and not ended are ended with the loop; nobody complains."""
    log: List[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            log.append("task")

    async def numbers() -> Any:
        try:
            for number in range(10):
                yield number
        finally:
            await asyncio.sleep(0)
            log.append("generator")

    kept: List[Any] = []

    async def node(state: Any) -> None:
        kept.append(asyncio.ensure_future(forever()))
        kept.append(numbers())
        dropped = numbers()
        assert await kept[1].__anext__() == await dropped.__anext__() == 0

    graph_of(work=node).invoke({"value": "?"})
    assert sorted(log) == ["generator", "generator", "task"]
    kept.clear()
    gc.collect()
    assert caplog.records == []


@pytest.mark.parametrize("turns", range(6))
def test_generators_that_end_one_another(turns: int, caplog: pytest.LogCaptureFixture) -> None:
    """One that is collected while the loop is wound up may be at the end of another: the loop waits for it first."""
    log: List[str] = []

    async def connection() -> Any:
        try:
            while True:
                yield b"token"
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            log.append("connection")

    async def response(tokens: Any) -> Any:
        try:
            async for token in tokens:
                yield token
        finally:
            await tokens.aclose()
            log.append("response")

    kept: List[Any] = []

    async def reads() -> None:
        answer = response(connection())
        await answer.__anext__()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(turns):
                await asyncio.sleep(0)

    async def node(state: Any) -> None:
        kept.append(asyncio.ensure_future(reads()))
        await asyncio.sleep(0)

    graph_of(work=node).invoke({"value": "?"})
    assert log == ["connection", "response"]
    assert caplog.records == []


def test_interrupts_do_not_end_the_loop(caplog):
    """A task that ends in a KeyboardInterrupt ends nothing else, not even while the loop is being wound up."""
    caplog.set_level("ERROR")
    portal, cleaned = Portal(), []

    async def interrupted():
        try:
            await asyncio.sleep(60)
        finally:
            raise KeyboardInterrupt

    async def cleans():
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.02)
            cleaned.append(True)

    async def node():
        kept = [asyncio.ensure_future(work()) for work in (interrupted, cleans)]
        await asyncio.sleep(0)
        kept[0].add_done_callback(asyncio.Task.exception)

    portal.call(node, (), CancelToken())
    portal.close()
    assert cleaned == [True]
    assert not caplog.records
