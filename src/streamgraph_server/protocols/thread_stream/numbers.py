"""The numbers of the events of a thread, which are the same in all processes of a server."""

from __future__ import annotations

import asyncio
from typing import Dict, List, Optional, Set, Tuple
from weakref import finalize, ref

from streamgraph_server.runs import Runs
from streamgraph_server.served import ServedRun
from streamgraph_server.shared import SharedRuns, asked, thread_group


class SharedNumbers:
    """Which number the first event of each run of a thread has, and in which order the runs come.

    The events of a run are made of its parts alone, so every process makes the same ones. Those of the next run go on
    after the last of them. The first process that gets to a run writes its first number down, for when the runs before
    it are not kept any more.

    Args:
        runs: The runs of the server.
        shared: What the processes share.
        thread_id: The thread.
    """

    def __init__(self, runs: Runs, shared: SharedRuns, thread_id: str) -> None:
        self._runs = runs
        self._shared = shared
        self._group = thread_group(thread_id)
        self._seen: Set[str] = set()
        self._looking = asyncio.Lock()

    async def begin(self) -> Tuple[List[ServedRun], int]:
        """Return the runs to begin with, and the number of the last event before them."""
        ids = await self._shared.members(self._group)
        going_on = await self._shared.members(self._group, active=True)
        numbers = dict(await asked(self._shared.events.acounts(self._group)))
        kept = max(0, len(ids) - len(going_on) - 1)
        start, last = _start(ids, numbers, kept)
        self._seen.update(ids[:start])
        return await self.news(), last

    async def news(self) -> List[ServedRun]:
        """Return the runs that were put on the thread since the last time."""
        async with self._looking:
            ids = [id for id in await self._shared.members(self._group) if id not in self._seen]
            self._seen.update(ids)
            return await self._shared.find(ids, self._runs.known)

    async def first(self, run: ServedRun, last: int) -> int:
        """Return the number of the last event before a run.

        Args:
            run: The run.
            last: The number as this process knows it.
        """
        return await self._shared.events.acount(self._group, run.id, last)

    async def over(self, run: ServedRun, last: int) -> None:
        """Write down the number of the last event of a run."""
        await self._shared.events.acount(self._group, _end(run.id), last)

    async def watch(self, journal: object) -> None:
        """Call the method `look` of a journal, on this event loop, when runs are put on the thread."""
        loop, weak = asyncio.get_running_loop(), ref(journal)

        def look() -> None:
            found = weak()
            if found is not None:
                found.look()  # type: ignore[attr-defined]

        def listen() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(look)

        finalize(journal, await asked(self._shared.events.awatch(self._group, listen)))


def _start(ids: List[str], numbers: Dict[str, int], kept: int) -> Tuple[int, int]:
    """Return the place of the run to begin with, and the number of the last event before it.

    Args:
        ids: The runs of the thread.
        numbers: The numbers that were written down.
        kept: The place of the first run whose events are to be kept.
    """
    highest = max(numbers.values(), default=0)
    for place in range(min(kept, len(ids) - 1), -1, -1):
        if ids[place] in numbers and (place == kept or _end(ids[place]) not in numbers):
            return place, numbers[ids[place]]
        if _end(ids[place]) in numbers:
            return place + 1, highest
    return kept, highest


def _end(run_id: str) -> str:
    return f"{run_id}:end"


def numbers_of(runs: Runs, thread_id: str) -> Optional[SharedNumbers]:
    """Return what numbers the events of a thread in all processes; `None` if this one is alone."""
    return None if runs.shared is None else SharedNumbers(runs, runs.shared, thread_id)
