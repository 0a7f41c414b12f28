"""Reads the list of a thread's checkpoints in pages.

Savers hold their lock or their connection while they list, and whoever gets a checkpoint may call the saver in between.
The first page is small: often only a few are shown.
"""

from __future__ import annotations

from typing import Any, AsyncIterator, Callable, Dict, Iterator, List, Optional

_FIRST, _LAST = 10, 160
"""The sizes of the first page and of the greatest ones."""


class Pages:
    """How far a list was read.

    Args:
        before: The config before which the list begins, in the order of ids; `None` for the latest checkpoint.
        limit: How many checkpoints are read at most; `None` for all.
    """

    def __init__(self, before: Optional[Any], limit: Optional[int]) -> None:
        self._before = before
        self._left = limit
        self._size = _FIRST
        self._ended = limit is not None and limit <= 0

    def next(self) -> Optional[Dict[str, Any]]:
        """Return the options for the next page, or `None` if there is no other."""
        return None if self._ended else {"before": self._before, "limit": self._wanted()}

    def _wanted(self) -> int:
        return self._size if self._left is None else min(self._size, self._left)

    def read(self, page: List[Any]) -> None:
        """Take note of what a page has come to.

        Args:
            page: The saver's tuples.
        """
        wanted = self._wanted()
        if self._left is not None:
            self._left -= len(page)
        # More than were asked for come from a saver without pages, so that they are all.
        self._ended = len(page) != wanted or self._left == 0 or page[-1].config == self._before
        self._before = page[-1].config if page else None
        self._size = min(2 * self._size, _LAST)


def in_pages(listed: Callable[..., Iterator[Any]], before: Optional[Any], limit: Optional[int]) -> Iterator[Any]:
    """Yield the tuples of a list, the latest first.

    Args:
        listed: Lists with the keywords `before` and `limit`.
        before: See `Pages`.
        limit: See `Pages`.
    """
    pages = Pages(before, limit)
    options = pages.next()
    while options is not None:
        page = list(listed(**options))
        yield from page
        pages.read(page)
        options = pages.next()


async def in_pages_async(
    listed: Callable[..., AsyncIterator[Any]], before: Optional[Any], limit: Optional[int]
) -> AsyncIterator[Any]:
    """Yield the same of an async list; see `in_pages`."""
    pages = Pages(before, limit)
    options = pages.next()
    while options is not None:
        page = [stored async for stored in listed(**options)]
        for stored in page:
            yield stored
        pages.read(page)
        options = pages.next()
