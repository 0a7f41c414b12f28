"""A list is read in pages, and yields what it would yield in one piece."""

from __future__ import annotations

import asyncio
from typing import Any, AsyncIterator, Iterator, List, NamedTuple, Optional

import pytest

from streamgraph._checkpoint.pages import in_pages, in_pages_async


class Stored(NamedTuple):
    config: int


class Listing:
    """A list of the numbers below 500, the greatest first, that remembers what was asked for."""

    def __init__(self) -> None:
        self.asked: List[Any] = []

    def __call__(self, before: Optional[int], limit: int) -> Iterator[Stored]:
        self.asked.append((before, limit))
        return iter([Stored(n) for n in range(500 if before is None else before)][::-1][:limit])

    async def alist(self, before: Optional[int], limit: int) -> AsyncIterator[Stored]:
        for stored in self(before, limit):
            yield stored


@pytest.mark.parametrize("before", [None, 0, 1, 10, 30, 499])
@pytest.mark.parametrize("limit", [None, 0, 1, 9, 10, 11, 30, 100, 1000])
def test_pages_are_the_whole(before: Optional[int], limit: Optional[int]) -> None:
    want = [Stored(n) for n in range(500 if before is None else before)][::-1][:limit]

    async def items() -> List[Any]:
        return [stored async for stored in in_pages_async(Listing().alist, before, limit)]

    assert list(in_pages(Listing(), before, limit)) == want
    assert asyncio.run(items()) == want


def test_little_is_read_where_little_is_shown() -> None:
    listing = Listing()
    items = in_pages(listing, None, None)
    assert [next(items).config for _ in range(10)] == list(range(499, 489, -1))
    assert listing.asked == [(None, 10)]
    next(items)
    assert listing.asked == [(None, 10), (490, 20)]
    list(items)
    assert max(limit for _, limit in listing.asked) == 160


def test_no_more_is_asked_for_than_the_limit() -> None:
    listing = Listing()
    assert len(list(in_pages(listing, None, 25))) == 25
    assert listing.asked == [(None, 10), (490, 15)]


def test_savers_that_know_no_pages() -> None:
    def all_at_once(before: Any, limit: Any) -> Iterator[Stored]:
        return iter([Stored(n) for n in range(30)])

    def always_the_first(before: Any, limit: Any) -> Iterator[Stored]:
        return iter([Stored(n) for n in range(limit)])

    assert len(list(in_pages(all_at_once, None, None))) == 30
    assert len(list(in_pages(always_the_first, None, 10))) == 10
