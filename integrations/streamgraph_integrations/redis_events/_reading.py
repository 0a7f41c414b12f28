"""The log of a run that another process drives, read from Redis."""

from __future__ import annotations

from typing import Callable, Dict, List, Optional, Sequence

from typing_extensions import Protocol

from streamgraph.runs import Codec, Events, Part, RunEnd, RunFacts, RunStatus
from streamgraph.serialization import PartDecoder
from streamgraph_integrations.redis_events._entries import END, EVENT, Entries, end_of, part_of, place_of

PAGE = 64
"""How many events are fetched and kept together."""


class Fetcher(Protocol):
    """What a log asks for what it lacks."""

    def fetch(self, log: RedisSharedLog, after: int) -> None:
        """Fetch the page of the event that follows the one with this number; from any thread, without waiting."""

    def signal(self, log: RedisSharedLog, kind: str) -> None:
        """Tell the process of the run something; from any thread, without waiting."""

    def request(self, log: RedisSharedLog, kind: str, details: Sequence[object]) -> object:
        """Ask the process of the run something, and wait for its answer."""

    async def arequest(self, log: RedisSharedLog, kind: str, details: Sequence[object]) -> object:
        """Ask the process of the run something, and wait for its answer, on an event loop."""


class RedisSharedLog:
    """The events of one attempt of a run, as they are on Redis; all readers of a process share them.

    `RedisEvents.log` makes it. The newest events come by themselves; those before are fetched when somebody reads them.

    Args:
        facts: What has to be known of the run.
        attempt: The number of the attempt.
        last: The number of the last event so far.
        fetcher: Fetches what is missing.
        decoder: Reads the events.
        max_pages: The most pages that are kept here.
    """

    def __init__(
        self, facts: RunFacts, attempt: int, last: int, fetcher: Fetcher, decoder: PartDecoder, max_pages: int
    ) -> None:
        self.facts = facts
        self.attempt = attempt
        self.codec: Optional[Codec] = None
        self.last = last
        self.status: RunStatus = "running"
        self.end: Optional[RunEnd] = None
        self.is_lost = False
        """True if its end is none that was stored, so that it may not be that of the run."""
        self.silent_since: Optional[float] = None
        """When the sign of life of the run was first missed."""
        self.following = last // PAGE * PAGE
        """The number of the event after which what is new is to be fetched."""
        self._fetcher = fetcher
        self._decoder = decoder
        self._max_pages = max_pages
        self._pages: Dict[int, List[Part]] = {}
        self._asked: Dict[int, int] = {}
        self._oldest = 1
        self._listeners: List[Callable[[], None]] = []

    def read(self, after: int) -> Events:
        """Return events that follow the one with this number, if they are at hand, and otherwise fetch them."""
        after = max(after, self._oldest - 1)
        if after < self.last:
            place, offset = divmod(after, PAGE)
            page = self._pages.get(place)
            if page is not None and len(page) > offset and page[offset] is not _GONE:
                items = page[offset:]
                return Events(after + 1, items[: items.index(_GONE)] if _GONE in items else items)
            if after < self.following and self._asked.get(place) != after:
                self._asked[place] = after
                self._fetcher.fetch(self, after)
        return Events(after + 1, ())

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` when something new can be read, and after the end."""
        self._listeners.append(listener)

    def signal(self, kind: str) -> None:
        """Tell the run something; `"cancel"` ends it."""
        self._fetcher.signal(self, kind)

    def request(self, kind: str, *details: object) -> object:
        """Ask the run something, and wait for the answer.

        Raises:
            RequestTimeoutError: The process that drives the run has not answered in time.
            Exception: What the run has raised.
        """
        return self._fetcher.request(self, kind, details)

    async def arequest(self, kind: str, *details: object) -> object:
        """Ask the run something, and wait for the answer, on an event loop; see `request`."""
        return await self._fetcher.arequest(self, kind, details)

    # For the thread that fetches

    def know(self, last: int) -> None:
        """Take note of an event that somebody here may have seen elsewhere already.

        Args:
            last: Its number; that of the last event so far.
        """
        if self.end is None:
            self.last = max(self.last, last)

    def add_new(self, entries: Entries) -> None:
        """Add what follows the events that were fetched so far.

        Args:
            entries: The entries of the attempt.
        """
        for entry_id, fields in entries:
            number = place_of(entry_id)[1]
            if END in fields:
                self.last = max(self.last, number - 1)
                self.status, self.end = end_of(self._decoder, fields[END])
            elif EVENT in fields:
                if number > self.following + 1:  # those between have gone already
                    self._oldest = number
                self._put(number, part_of(self._decoder, fields[EVENT]))
                self.following = number
                self.last = max(self.last, number)
        self._trim()
        self.changed()

    def add_page(self, after: int, entries: Entries) -> None:
        """Add a page that was fetched because somebody reads it.

        Args:
            after: The number of the event after which it was to begin.
            entries: The entries from there on; the first one may be of a later page if those before have gone.
        """
        self._asked.pop(after // PAGE, None)
        numbered = [(place_of(entry)[1], fields[EVENT]) for entry, fields in entries if EVENT in fields]
        first = numbered[0][0] if numbered else self.last + 1
        if first > after + 1:
            self._oldest = max(self._oldest, first)
        for number, value in numbered:
            if number <= self.following:
                self._put(number, part_of(self._decoder, value))
        self._trim()
        self.changed()

    def miss(self) -> None:
        """Record that what was fetched so far is all that will ever be: the rest cannot be read any more."""
        self._oldest = self.last + 1
        self._pages.clear()
        self.changed()

    def lose(self, status: RunStatus, end: RunEnd) -> None:
        """Record that nothing of the run will come any more.

        Args:
            status: How it has ended.
            end: What it has left behind.
        """
        self.is_lost = True
        self.last = self.following
        self.status, self.end = status, end
        self.changed()

    def changed(self) -> None:
        """Tell who reads."""
        for listener in tuple(self._listeners):
            listener()

    def _put(self, number: int, part: Part) -> None:
        place, offset = divmod(number - 1, PAGE)
        page = self._pages.get(place)
        if page is None:
            page = self._pages[place] = []
        page.extend([_GONE] * (offset - len(page)))
        if len(page) == offset:
            page.append(part)
        elif page[offset] is _GONE:
            page[offset] = part

    def _trim(self) -> None:
        while len(self._pages) > self._max_pages:
            del self._pages[next(iter(self._pages))]


_GONE = Part((), "gone", None)
"""Stands for an event of a page that was not fetched (again), and is never returned."""
