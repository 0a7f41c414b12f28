"""Ends programs in which a run was started that has not been waited for.

    python tests/scenarios/started/leaving_a_program.py

Each way is gone by a process of its own, forked off this one. It is a fault if it prints something, fails, or does not
end at once; all faults are printed.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

sys.path.insert(0, str(Path(__file__).parents[2]))

from streamgraph.config import get_stream_writer
from streamgraph.runs import RunHandle
from support.value_graphs import State, graph_of

HANGS = 60.0  # seconds after which a process counts as one that never ends

KEPT: List[Any] = []
"""Global, so that the end of the program finds it."""


def writes(state: State) -> None:
    """Write again and again."""
    writer = get_stream_writer()
    while True:
        writer("more")
        time.sleep(0.001)


async def waits(state: State) -> None:
    """Wait on the loop, and clean up."""
    get_stream_writer()("started")
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.001)


async def writes_on_loop(state: State) -> None:
    """Write again and again, on the loop."""
    writer = get_stream_writer()
    while True:
        writer("more")
        await asyncio.sleep(0.001)


def ends(state: State) -> None:
    """Write once."""
    get_stream_writer()("once")


def fails(state: State) -> None:
    """Write once, and fail."""
    get_stream_writer()("once")
    raise ValueError("as it should")


def started(**nodes: Any) -> RunHandle[Any]:
    """A run of these nodes, of which something was read."""
    run = graph_of(**nodes).start({})
    KEPT.append(run)
    next(run.stream("custom"))
    return run


async def astarted(**nodes: Any) -> RunHandle[Any]:
    """The same on the loop."""
    run = await graph_of(**nodes).astart({})
    KEPT.append(run)
    await run.astream("custom").__anext__()
    return run


def in_thread() -> None:
    """A sync node runs."""
    started(node=writes)


def in_portal() -> None:
    """An async node runs in a run in a thread."""
    started(node=waits)


def side_by_side() -> None:
    """Two nodes run, so neither is in place."""
    started(one=writes, two=waits)


def not_yet_begun() -> None:
    """The program ends at once."""
    KEPT.append(graph_of(node=writes).start({}))


def not_kept() -> None:
    """Nobody has the handle."""
    graph_of(node=writes).start({})


def cancelled() -> None:
    """It is being cancelled."""
    started(node=waits).cancel()


def over() -> None:
    """It has ended, and a reader is in the middle of it."""
    run = started(node=ends)
    run.result()
    KEPT.append(run.stream("custom"))
    next(KEPT[-1])


def failed() -> None:
    """It has failed, and nobody has asked."""
    started(node=fails).join()


def open_reader() -> None:
    """A reader is in the middle of it."""
    KEPT.append(started(node=writes).stream("custom"))
    next(KEPT[-1])


def held() -> None:
    """A reader holds it back, and reads no more."""
    run = graph_of(node=writes).start({})
    KEPT.extend((run, run.stream("custom", max_buffer=1, overflow="block")))
    next(KEPT[-1])
    time.sleep(0.01)


def daemon_reads() -> None:
    """A thread reads it that ends with the program."""
    run = started(node=writes)
    threading.Thread(target=lambda: list(run.stream("custom")), daemon=True).start()


def daemon_waits() -> None:
    """A thread waits for it that ends with the program."""
    threading.Thread(target=started(node=waits).join, daemon=True).start()


def thread_reads() -> None:
    """A thread reads some of it after the end of the main thread, and then the run is ended."""
    run, begun = started(node=writes), threading.Event()

    def read() -> None:
        reader = run.stream("custom")
        next(reader)
        begun.set()
        threading.main_thread().join()
        for _ in range(20):
            next(reader)

    threading.Thread(target=read).start()
    begun.wait()


def on_loop() -> None:
    """The loop is closed by `asyncio.run`, which cancels the run."""
    asyncio.run(astarted(node=waits))


def on_loop_side_by_side() -> None:
    """The same, with two nodes."""
    asyncio.run(astarted(one=waits, two=writes_on_loop))


def on_loop_in_thread() -> None:
    """The same, with a sync node."""
    asyncio.run(astarted(node=writes))


def on_stopped_loop() -> None:
    """The loop is stopped for good, but neither closed nor are its tasks cancelled."""
    loop = asyncio.new_event_loop()
    KEPT.append(loop)
    loop.run_until_complete(astarted(node=waits))


def on_stopped_loop_side_by_side() -> None:
    """The same, with two nodes."""
    loop = asyncio.new_event_loop()
    KEPT.append(loop)
    loop.run_until_complete(astarted(one=waits, two=waits))


def on_stopped_loop_in_thread() -> None:
    """The same, with a sync node."""
    loop = asyncio.new_event_loop()
    KEPT.append(loop)
    loop.run_until_complete(astarted(node=writes))


def on_stopped_loop_not_yet_begun() -> None:
    """The same, before the run has begun."""
    loop = asyncio.new_event_loop()
    KEPT.extend((loop, loop.run_until_complete(graph_of(node=waits).astart({}))))


def dropped_on_stopped_loop() -> None:
    """Nobody has the handle or the loop."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(astarted(node=waits))
    KEPT.clear()
    del loop
    gc.collect()


def by_exception() -> None:
    """The program fails."""
    started(node=writes)
    raise SystemExit(0)


WAYS: Dict[str, Callable[[], None]] = {
    way.__name__: way
    for way in (
        in_thread,
        in_portal,
        side_by_side,
        not_yet_begun,
        not_kept,
        cancelled,
        over,
        failed,
        open_reader,
        held,
        daemon_reads,
        daemon_waits,
        thread_reads,
        on_loop,
        on_loop_side_by_side,
        on_loop_in_thread,
        on_stopped_loop,
        on_stopped_loop_side_by_side,
        on_stopped_loop_in_thread,
        on_stopped_loop_not_yet_begun,
        dropped_on_stopped_loop,
        by_exception,
    )
}


def main() -> None:
    """Go all ways."""
    faults = 0
    for name, way in WAYS.items():
        with tempfile.TemporaryFile() as printed:
            child = os.fork()
            if not child:
                for stream in (1, 2):
                    os.dup2(printed.fileno(), stream)
                faulthandler.dump_traceback_later(HANGS, exit=True)
                way()
                return  # and the process comes to its end
            status = os.waitpid(child, 0)[1]
            printed.seek(0)
            text = printed.read().decode()
        if status or text:
            faults += 1
            print(f"{name}: status {status}\n{text}", flush=True)
    print(f"{len(WAYS)} ways, {faults} faults")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
