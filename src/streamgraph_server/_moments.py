"""Something that happens once, and those who wait for it: `asyncio.Event` in a tenth of the memory."""

from __future__ import annotations

import asyncio
from typing import List, Tuple, Union


class Moment:
    """Whether something has happened, for the tasks of one event loop.

    An `asyncio.Event` has a queue for those who wait, which takes most of a kilobyte also if nobody does; a server has
    some of them for each stream.
    """

    __slots__ = ("_is_set", "_waiting")

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: Union[Tuple[()], List[asyncio.Future[None]]] = ()

    def is_set(self) -> bool:
        """Return whether it has happened."""
        return self._is_set

    def set(self) -> None:
        """Note that it has happened, and let those go on who wait."""
        self._is_set = True
        waiting, self._waiting = self._waiting, ()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self) -> bool:
        """Wait until it has happened; return `True`."""
        if not self._is_set:
            future = asyncio.get_running_loop().create_future()
            self._waiting = [*self._waiting, future]
            try:
                await future
            finally:
                self._waiting = [other for other in self._waiting if other is not future]
        return True
