"""One task on a Ray actor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, AsyncGenerator, Sequence

from streamgraph.executors import Item
from streamgraph_integrations.ray_nodes import _ray

if TYPE_CHECKING:
    from streamgraph_integrations.ray_nodes._pool import Member

_TOLD = 64
"""After how many items that were read the actor is told so."""


class RayTask:
    """A task that an actor of a pool runs; see `TaskHandle`.

    Args:
        member: The actor.
        key: The name of the task, unique among those of the actor.
        request: The task.
    """

    def __init__(self, member: Member, key: str, request: bytes) -> None:
        self._member = member
        self._key = key
        self._over = self._lost = False
        self._read = 0
        self._yielded: Any = _ray.started_generator(member.actor.run, key, request)

    async def batches(self) -> AsyncGenerator[Sequence[Item], None]:
        """Yield what the task sends; see `TaskHandle.batches`."""
        try:
            async for reference in self._yielded:
                batch: Sequence[Item] = await reference
                yield batch
                self._read += len(batch)
                if self._read >= _TOLD:
                    self._member.actor.read.remote(self._key, self._read)
                    self._read = 0
        except _ray.FAILED as error:
            raise error.cause from error
        except _ray.GONE as error:
            self._member.suspect = self._lost = True
            raise _ray.lost(error) from error
        finally:
            self._end()

    async def answer(self, number: int, text: bytes) -> None:
        """Bring the answer to a call of the task; see `TaskHandle.answer`."""
        try:
            await self._member.actor.answer.remote(self._key, number, text)
        except _ray.GONE as error:
            raise _ray.lost(error) from error

    async def cancel(self) -> None:
        """Cancel the task, and wait for its end; see `TaskHandle.cancel`."""
        if self._lost:
            return  # a call would wait until Ray has started the actor again
        try:
            if not await self._member.actor.cancel.remote(self._key):
                _ray.cancel(self._yielded)  # it has not begun, or has ended
        except _ray.GONE:
            self._member.suspect = True  # and the task is gone with it
        finally:
            self._end()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._member.tasks -= 1
