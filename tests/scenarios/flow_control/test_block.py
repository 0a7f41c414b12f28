"""`overflow="block"`: who makes chunks is really held up by a slow consumer, wherever it runs."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, List

import pytest

from scenarios.flow_control.token_producers import MODES, PRODUCERS, TokenSource, cut_off, text
from support.value_graphs import graph_of
from support.waiting import eventually, run, soon

LIMIT = 3


@pytest.mark.parametrize("maker", PRODUCERS)
def test_no_token_is_made_ahead(maker: str) -> None:
    """Token k+n+1 is made once the consumer took token k, and the one after it is not."""
    made = TokenSource(30)
    seen: List[str] = []
    with graph_of(node=PRODUCERS[maker](made)).stream({}, stream_mode=MODES, max_buffer=LIMIT) as stream:
        for taken, chunk in enumerate(stream, 1):
            seen.append(text(chunk))
            expected = min(taken + LIMIT + 1, 30)
            eventually(lambda expected=expected: made.count == expected)
            assert stream.buffered <= LIMIT
            assert made.count == expected
    assert "".join(seen) == "".join(TokenSource(30).tokens())


@pytest.mark.parametrize("maker", PRODUCERS)
def test_no_token_is_made_ahead_async(maker: str) -> None:
    """The same on an event loop, which goes on meanwhile."""
    made = TokenSource(30)

    async def main() -> List[str]:
        seen: List[str] = []
        stream = graph_of(node=PRODUCERS[maker](made)).astream({}, stream_mode=MODES, max_buffer=LIMIT)
        async for chunk in stream:
            seen.append(text(chunk))
            expected = min(len(seen) + LIMIT + 1, 30)
            await soon(lambda expected=expected: made.count == expected)
            await asyncio.sleep(0)
            assert stream.buffered <= LIMIT
            assert made.count == expected
        return seen

    assert "".join(run(main())) == "".join(TokenSource(30).tokens())


@pytest.mark.parametrize("maker", PRODUCERS)
def test_close_while_held_up(maker: str) -> None:
    """Closing ends whoever waits for room."""
    made = TokenSource()
    stream = graph_of(node=PRODUCERS[maker](made)).stream({}, stream_mode=MODES, max_buffer=LIMIT)
    next(stream)
    eventually(lambda: made.count == LIMIT + 2)
    stream.close()
    eventually(lambda: made.ended == 1)
    assert made.count <= LIMIT + 3


@pytest.mark.parametrize("maker", PRODUCERS)
def test_aclose_while_held_up(maker: str) -> None:
    """The same on an event loop."""
    made = TokenSource()

    async def main() -> None:
        stream = graph_of(node=PRODUCERS[maker](made)).astream({}, stream_mode=MODES, max_buffer=LIMIT)
        await stream.__anext__()
        await soon(lambda: made.count == LIMIT + 2)
        await stream.aclose()
        await soon(lambda: made.ended == 1)

    run(main())
    assert made.count <= LIMIT + 3


@pytest.mark.parametrize("maker", PRODUCERS)
def test_cancelled_while_held_up(maker: str) -> None:
    """Cancelling the task that reads ends whoever waits for room."""
    made = TokenSource()

    async def read() -> None:
        async with graph_of(node=PRODUCERS[maker](made)).astream({}, stream_mode=MODES, max_buffer=LIMIT) as stream:
            await stream.__anext__()
            await asyncio.Event().wait()

    async def main() -> None:
        reader = asyncio.ensure_future(read())
        await soon(lambda: made.count == LIMIT + 2)
        reader.cancel()
        await asyncio.wait([reader])
        await soon(lambda: made.ended == 1)

    run(main())


@pytest.mark.parametrize("maker", PRODUCERS)
def test_dropped_while_held_up(maker: str) -> None:
    """A stream that is dropped ends whoever waits for room."""
    made = TokenSource()
    next(graph_of(node=PRODUCERS[maker](made)).stream({}, stream_mode=MODES, max_buffer=LIMIT))
    eventually(lambda: made.ended == 1)
    assert made.count <= LIMIT + 3


class Sibling:
    """A node that fails when it is told to; async if that is asked for."""

    def __init__(self, asynchronous: bool) -> None:
        self.told = threading.Event()
        self.node = self._awaited if asynchronous else self._called

    def _called(self, state: Any) -> None:
        assert self.told.wait(5)
        raise ValueError("sibling")

    async def _awaited(self, state: Any) -> None:
        await soon(self.told.is_set)
        raise ValueError("sibling")


@pytest.mark.parametrize("maker", PRODUCERS)
def test_failing_sibling_while_held_up(maker: str) -> None:
    """A node that waits for room ends when the one beside it fails, and what it has made is delivered."""
    made, sibling = TokenSource(), Sibling(asynchronous=False)
    graph = graph_of(node=PRODUCERS[maker](made), sibling=sibling.node)
    stream = graph.stream({}, stream_mode=MODES, max_buffer=LIMIT)
    seen = [text(next(stream))]
    eventually(lambda: made.count == LIMIT + 2)
    sibling.told.set()
    eventually(lambda: made.count == LIMIT + 2)
    with pytest.raises(ValueError, match="sibling"):
        seen.extend(map(text, stream))
    seen = cut_off(seen)
    assert seen == list(TokenSource(len(seen)).tokens())
    assert len(seen) >= LIMIT + 1
    eventually(lambda: made.ended == 1)


@pytest.mark.parametrize("maker", PRODUCERS)
def test_failing_sibling_while_held_up_async(maker: str) -> None:
    """The same on an event loop."""
    made, sibling = TokenSource(), Sibling(asynchronous=True)
    graph = graph_of(node=PRODUCERS[maker](made), sibling=sibling.node)

    async def main() -> List[str]:
        stream = graph.astream({}, stream_mode=MODES, max_buffer=LIMIT)
        seen = [text(await stream.__anext__())]
        await soon(lambda: made.count == LIMIT + 2)
        sibling.told.set()
        with pytest.raises(ValueError, match="sibling"):
            async for chunk in stream:
                seen.append(text(chunk))
        await soon(lambda: made.ended == 1)
        return seen

    seen = run(main())
    seen = cut_off(seen)
    assert seen == list(TokenSource(len(seen)).tokens())
    assert len(seen) >= LIMIT + 1


@pytest.mark.parametrize("maker", PRODUCERS)
def test_parallel_makers(maker: str) -> None:
    """Nodes beside each other share the room, and none is left out."""
    makers = {f"node{number}": TokenSource(40) for number in range(4)}
    graph = graph_of(**{name: PRODUCERS[maker](made) for name, made in makers.items()})
    count = 0
    with graph.stream({}, stream_mode=MODES, max_buffer=LIMIT) as stream:
        for chunk in stream:
            count += bool(text(chunk))
            assert stream.buffered <= LIMIT
    assert count == 160


@pytest.mark.parametrize("maker", PRODUCERS)
def test_parallel_makers_async(maker: str) -> None:
    """The same on an event loop."""
    makers = {f"node{number}": TokenSource(40) for number in range(4)}
    graph = graph_of(**{name: PRODUCERS[maker](made) for name, made in makers.items()})

    async def main() -> int:
        count = 0
        async with graph.astream({}, stream_mode=MODES, max_buffer=LIMIT) as stream:
            async for chunk in stream:
                count += bool(text(chunk))
                await asyncio.sleep(0)
                # `caught_up` says that there is room, not for whom.
                assert stream.buffered <= LIMIT + (3 if maker == "caught up" else 0)
        return count

    assert run(main()) == 160
