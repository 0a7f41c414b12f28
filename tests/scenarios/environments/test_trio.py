"""Under trio: the sync stream works in a thread, and the async one says that."""

from __future__ import annotations

from typing import Any, List

import pytest
import trio

from scenarios.environments.speaking_graphs import Speaking
from streamgraph.errors import EventLoopError
from support.waiting import PATIENCE

WORDS = ["tell", " me", " now"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_sync_stream_in_a_thread(asynchronous: bool) -> None:
    """Tokens arrive in trio's task as they are made, of sync and of async nodes."""
    speaking = Speaking(asynchronous=asynchronous, endless=False)
    seen: List[str] = []

    async def main() -> None:
        with speaking.stream() as stream:
            end: Any = object()
            while True:
                chunk = await trio.to_thread.run_sync(next, stream, end)
                if chunk is end:
                    return
                seen.append(chunk[0].content)

    trio.run(main)
    assert [word for word in seen if word] == WORDS


@pytest.mark.parametrize("asynchronous", [False, True])
def test_leaving(asynchronous: bool) -> None:
    """A scope that is cancelled ends the model."""
    speaking = Speaking(asynchronous=asynchronous)

    def read() -> None:
        with speaking.stream() as stream:
            for _ in stream:
                trio.from_thread.run(trio.sleep, 0)  # raises when the scope is cancelled

    async def main() -> None:
        with trio.move_on_after(0.05) as scope:
            await trio.to_thread.run_sync(read)
        assert scope.cancelled_caught

    trio.run(main)
    assert speaking.ended.wait(PATIENCE)


def test_async_stream() -> None:
    """There is no event loop of asyncio's; the error says what to do instead, and nothing has run."""
    speaking = Speaking(asynchronous=True)

    async def main() -> None:
        with pytest.raises(EventLoopError, match=r"need asyncio's event loop.* trio\.to_thread\.run_sync"):
            async for _ in speaking.astream():
                pass
        with pytest.raises(EventLoopError):
            await speaking.graph.ainvoke({"value": "?"})

    trio.run(main)
    assert not speaking.ended.is_set()
