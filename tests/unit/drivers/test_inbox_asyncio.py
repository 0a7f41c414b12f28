"""The inbox of the async driver: nothing is lost or reordered, and the reader is always woken."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, Dict, List

import pytest

from streamgraph._drivers.inbox_asyncio import AsyncInbox
from support.waiting import PATIENCE, run

THREADS, ITEMS = 8, 1250


async def opened() -> AsyncInbox:
    """An inbox of the running loop."""
    inbox = AsyncInbox()
    inbox.open(asyncio.get_running_loop())
    return inbox


async def read(inbox: AsyncInbox, count: int) -> List[Any]:
    """Take so many items, waiting whenever there is none, as the driver does."""
    items: List[Any] = []
    while len(items) < count:
        item = inbox.take()
        if item is None:
            await asyncio.wait_for(inbox.wait(), PATIENCE)
        else:
            items.append(item)
    return items


def test_order_and_wake_ups_from_many_threads() -> None:
    """Ten thousand items of eight threads all arrive, those of each thread in its order."""

    async def main() -> List[Any]:
        inbox = await opened()
        together = threading.Barrier(THREADS)

        def send(name: int) -> None:
            together.wait(PATIENCE)
            for index in range(ITEMS):
                inbox.put((name, index))

        senders = [threading.Thread(target=send, args=(name,)) for name in range(THREADS)]
        for sender in senders:
            sender.start()
        items = await read(inbox, THREADS * ITEMS)
        for sender in senders:
            sender.join()
        assert inbox.take() is None
        return items

    by_thread: Dict[int, List[int]] = {name: [] for name in range(THREADS)}
    for name, index in run(main()):
        by_thread[name].append(index)
    assert by_thread == {name: list(range(ITEMS)) for name in range(THREADS)}


def test_one_by_one() -> None:
    """A thread that sends only after its last item was read is waited for each time anew."""

    async def main() -> List[Any]:
        inbox = await opened()
        turn = threading.Semaphore(0)

        def send() -> None:
            for index in range(300):
                inbox.put(index)
                assert turn.acquire(timeout=PATIENCE)

        sender = threading.Thread(target=send)
        sender.start()
        items = []
        for _ in range(300):
            items += await read(inbox, 1)
            turn.release()
        sender.join()
        return items

    assert run(main()) == list(range(300))


def from_loop(inbox: AsyncInbox) -> None:
    """Put an item on the loop's own thread."""
    asyncio.get_running_loop().call_soon(inbox.put, "item")


def from_thread(inbox: AsyncInbox) -> None:
    """Put an item from another thread."""
    threading.Thread(target=inbox.put, args=("item",)).start()


def from_other_loop(inbox: AsyncInbox) -> None:
    """Put an item from a thread in which another loop runs."""

    async def put() -> None:
        inbox.put("item")

    threading.Thread(target=asyncio.run, args=(put(),)).start()


@pytest.mark.parametrize("send", [from_loop, from_thread, from_other_loop])
def test_wakes_the_reader(send: Callable[[AsyncInbox], None]) -> None:
    """A reader that waits is woken, wherever the item comes from."""

    async def main() -> List[Any]:
        inbox = await opened()
        reader = asyncio.create_task(read(inbox, 1))
        await asyncio.sleep(0)
        send(inbox)
        return await reader

    assert run(main()) == ["item"]


def test_item_that_is_already_there() -> None:
    """Items put before the loop is known, or before anybody waits, are not waited for."""

    async def main() -> None:
        inbox = AsyncInbox()
        inbox.put(1)
        inbox.open(asyncio.get_running_loop())
        inbox.put(2)
        await asyncio.wait_for(inbox.wait(), PATIENCE)
        assert [inbox.take(), inbox.take(), inbox.take()] == [1, 2, None]

    run(main())


def test_wake_without_an_item() -> None:
    """`wake` lets the reader look again though nothing has come."""

    async def main() -> None:
        inbox = await opened()
        waiting = asyncio.create_task(inbox.wait())
        await asyncio.sleep(0)
        inbox.wake()
        await asyncio.wait_for(waiting, PATIENCE)
        assert inbox.take() is None

    run(main())


def test_reader_that_was_cancelled() -> None:
    """After a cancelled wait the inbox works on, and an item that crosses the cancellation is kept."""

    async def main() -> None:
        inbox = await opened()
        waiting = asyncio.create_task(inbox.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        inbox.put("crossing")
        await asyncio.wait([waiting])
        assert await read(inbox, 1) == ["crossing"]
        from_thread(inbox)
        assert await read(inbox, 1) == ["item"]

    run(main())


def test_loop_that_is_closed() -> None:
    """What comes after the loop's end is taken without a word."""

    async def main() -> AsyncInbox:
        inbox = await opened()
        waiting = asyncio.create_task(inbox.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        return inbox

    inbox = run(main())
    inbox.put("late")
    inbox.wake()
    assert inbox.take() == "late"


class _SlowLoop:
    """An event loop that a thread which wakes the reader is held up at, once."""

    def __init__(self, loop):
        self._loop = loop
        self.entered, self.check_alive = threading.Event(), threading.Event()

    def __getattr__(self, name):
        return getattr(self._loop, name)

    def is_closed(self):
        self.entered.set()
        assert self.check_alive.wait(10)
        return self._loop.is_closed()


def test_a_late_waker_does_not_silence_the_next():
    """A thread that is held up while it wakes the reader leaves the reader's next wait alone."""

    async def main():
        slow = _SlowLoop(asyncio.get_running_loop())
        inbox = AsyncInbox()
        inbox.open(slow)
        taken = []

        async def read():
            while len(taken) < 2:
                item = inbox.take()
                if item is None:
                    await inbox.wait()
                else:
                    taken.append(item)

        reader = asyncio.ensure_future(read())
        await asyncio.sleep(0)
        late = threading.Thread(target=inbox.put, args=(1,))
        late.start()
        await asyncio.get_running_loop().run_in_executor(None, slow.entered.wait, 10)
        inbox._waiter.set_result(None)
        while taken != [1] or inbox._waiter is None:
            await asyncio.sleep(0)
        slow.check_alive.set()
        await asyncio.get_running_loop().run_in_executor(None, late.join)
        await asyncio.get_running_loop().run_in_executor(None, inbox.put, 2)
        await asyncio.wait_for(reader, 5)
        assert taken == [1, 2]

    asyncio.run(main())
