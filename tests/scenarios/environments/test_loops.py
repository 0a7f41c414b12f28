"""Other event loops, and other threads: uvloop, gevent, and processes that were forked."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import uvloop

from scenarios.environments.speaking_graphs import Speaking
from support.waiting import soon

TESTS = Path(__file__).parents[2]


@pytest.mark.parametrize("leave", ["close", "drop", "cancel"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_uvloop(asynchronous: bool, leave: str) -> None:
    """Streams end on uvloop's loops as on asyncio's own."""
    speaking = Speaking(asynchronous=asynchronous)

    async def main() -> None:
        streams = [speaking.astream()]
        await streams[0].__anext__()
        if leave == "close":
            await streams[0].aclose()
        elif leave == "drop":
            streams.clear()
            gc.collect()
        else:
            reader = asyncio.ensure_future(read(streams[0]))
            await asyncio.sleep(0.01)
            reader.cancel()
            await asyncio.wait([reader])
        await soon(speaking.ended.is_set)
        await soon(lambda: asyncio.all_tasks() == {asyncio.current_task()})

    async def read(stream: Any) -> None:
        async for _ in stream:
            pass

    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_fork() -> None:
    """A process that was forked while a stream was open has threads of its own, and leaves the stream to its parent."""
    speaking = Speaking(asynchronous=True, endless=False)
    stream = Speaking(asynchronous=False, endless=False).stream()
    next(stream)
    child = os.fork()
    if child == 0:
        texts = "".join(message.content for message, _ in speaking.stream())
        os._exit(0 if texts == "tell me now" else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0
    assert "".join(message.content for message, _ in stream) == " me now"


GEVENT = """
from gevent import monkey; monkey.patch_all()
import sys; sys.path.insert(0, sys.argv[1])
import gevent
from scenarios.environments.speaking_graphs import Speaking

finite = Speaking(asynchronous=False, endless=False)
jobs = [gevent.spawn(lambda: "".join(message.content for message, _ in finite.stream())) for _ in range(10)]
gevent.joinall(jobs)
assert [job.value for job in jobs] == ["tell me now"] * 10

def leave():
    with endless.stream() as stream:
        next(stream)

for left in (leave, lambda: next(endless.stream())):
    endless = Speaking(asynchronous=False)
    gevent.spawn(left).join()
    assert endless.ended.wait(5)
print("done")
"""


@pytest.mark.slow
def test_gevent() -> None:
    """With gevent's threads many streams are read side by side, and are left as any others."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", GEVENT, str(TESTS)], capture_output=True, text=True, timeout=50
    )
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr
