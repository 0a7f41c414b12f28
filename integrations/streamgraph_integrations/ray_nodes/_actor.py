"""The actor that runs tasks; Ray imports this module in the processes of its workers."""

from __future__ import annotations

from typing import AsyncIterator, Sequence

from streamgraph.executors import Item, TaskHost


class HostActor:
    """Runs the tasks of nodes in a process of its own.

    Args:
        warm_up: References to load before the first task.
        limit: The most tasks at once; others wait.
    """

    def __init__(self, warm_up: Sequence[str], limit: int) -> None:
        self._host = TaskHost(limit=limit)
        self._warm_up = warm_up

    async def ready(self) -> bool:
        """Load what it was told to, and return True."""
        # Not when it is made: an actor whose `__init__` fails is dead, and Ray has only a text of the reason.
        self._host.warm_up(self._warm_up)
        return True

    async def run(self, key: str, request: bytes) -> AsyncIterator[Sequence[Item]]:
        """Run a task; see `TaskHost.run`."""
        async for batch in self._host.run(key, request):
            yield batch

    async def read(self, key: str, items: int) -> None:
        """Note that items of a task were read; see `TaskHost.read`."""
        await self._host.read(key, items)

    async def answer(self, key: str, number: int, text: bytes) -> None:
        """Give a task the answer to a call; see `TaskHost.answer`."""
        await self._host.answer(key, number, text)

    async def cancel(self, key: str) -> bool:
        """Cancel a task; see `TaskHost.cancel`."""
        return await self._host.cancel(key)
