"""Queues with one reader."""

from __future__ import annotations

import asyncio

import pytest

from streamgraph.stream import StreamChannel
from support.waiting import run


def bound(*, is_async=False, name=None):
    channel = StreamChannel(name)
    channel._bind(is_async=is_async)
    return channel


def collect(channel):
    async def read():
        return [item async for item in channel]

    return run(read()) if channel._is_async else list(channel)


@pytest.mark.parametrize("is_async", [False, True])
def test_items_are_kept_for_the_reader(is_async):
    """What was pushed before somebody reads is not kept; then everything is, in order."""
    channel = bound(is_async=is_async)
    channel.push("too early")
    reader = channel.__aiter__() if is_async else iter(channel)
    for item in (1, 2):
        channel.push(item)
    channel.close()
    assert (run(_all(reader)) if is_async else list(reader)) == [1, 2]


async def _all(reader):
    return [item async for item in reader]


@pytest.mark.parametrize("is_async", [False, True])
def test_reading_asks_for_more(is_async):
    """An empty channel asks its source, until that has no more or the channel ends."""
    channel, asked = bound(is_async=is_async), []

    def more():
        asked.append(len(asked))
        if len(asked) < 3:
            channel.push(asked[-1])
        return len(asked) < 4

    async def amore():
        return more()

    channel._request_more, channel._arequest_more = more, amore
    assert collect(channel) == [0, 1]
    assert len(asked) == 4


@pytest.mark.parametrize("is_async", [False, True])
def test_an_error_comes_after_what_is_left(is_async):
    """The reader of a channel that failed gets the items before the error."""
    channel, got = bound(is_async=is_async), []

    async def aread():
        async for item in channel:
            got.append(item)

    def more():
        channel.push("left")
        channel.fail(KeyError("no"))
        return True

    async def amore():
        return more()

    channel._request_more, channel._arequest_more = more, amore
    with pytest.raises(KeyError):
        run(aread()) if is_async else got.extend(channel)
    assert got == ["left"]
    assert "failed" in repr(channel)


def test_wrong_readers():
    """An unbound channel, the wrong kind of loop and a second reader are refused, with what to do."""
    with pytest.raises(TypeError, match="not been bound"):
        iter(StreamChannel())
    with pytest.raises(TypeError, match="bound to async mode: read it with 'async for'"):
        iter(bound(is_async=True))
    with pytest.raises(TypeError, match="bound to sync mode: read it with 'for'"):
        bound().__aiter__()
    channel = bound()
    iter(channel)
    with pytest.raises(RuntimeError, match=r"already has a subscriber; use .tee\(n\)"):
        iter(channel)
    with pytest.raises(RuntimeError, match="already bound"):
        channel._bind(is_async=False)
    with pytest.raises(ValueError, match="maxlen"):
        StreamChannel(maxlen=0)
    channel.close()
    with pytest.raises(RuntimeError, match="closed"):
        channel.push(1)


def test_forwarding():
    """Items of a wired channel are forwarded whether somebody reads or not."""
    seen, channel = [], bound(name="c")
    channel._wire(seen.append)
    channel.push(1)
    reader = iter(channel)
    channel.push(2)
    channel.close()
    assert (seen, list(reader)) == ([1, 2], [2])


def test_tee():
    """Each iterator gets every item, and the error, at its own pace."""
    channel, count = bound(), iter(range(3))

    def more():
        item = next(count, None)
        channel.push(item) if item is not None else channel.fail(KeyError("end"))
        return True

    channel._request_more = more
    first, second = channel.tee()
    assert [next(first), next(first)] == [0, 1]
    assert [next(second), next(second), next(second)] == [0, 1, 2]
    for reader in (second, first):
        with pytest.raises(KeyError):
            list(reader)
    with pytest.raises(ValueError, match="n >= 1"):
        channel.tee(0)


def test_atee():
    """Iterators may be read by several tasks at once; each gets every item."""

    async def main():
        channel, count = bound(is_async=True), iter(range(5))

        async def more():
            await asyncio.sleep(0)
            item = next(count, None)
            channel.push(item) if item is not None else channel.close()
            return True

        channel._arequest_more = more
        return await asyncio.gather(*map(_all, channel.atee(3)))

    assert run(main()) == [[0, 1, 2, 3, 4]] * 3

    async def failing():
        channel = bound(is_async=True)

        async def more():
            channel.fail(KeyError("end"))
            return True

        channel._arequest_more = more
        return await asyncio.gather(*map(_all, channel.atee(2)), return_exceptions=True)

    assert [type(error) for error in run(failing())] == [KeyError, KeyError]
    with pytest.raises(ValueError, match="n >= 1"):
        bound(is_async=True).atee(0)
