"""The journal of a thread: the events of its runs, numbered and kept once for all clients that read them."""

from __future__ import annotations

import asyncio
import logging
from time import time
from typing import (
    AsyncIterator,
    Callable,
    Dict,
    Iterable,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
    cast,
)
from weakref import WeakKeyDictionary

from streamgraph.runs import Part
from streamgraph.serialization import to_json
from streamgraph_server._reading import within
from streamgraph_server._refusals import refusal
from streamgraph_server.frames import CONNECTED, HEARTBEAT
from streamgraph_server.protocols.thread_stream.encoder import ThreadEncoder
from streamgraph_server.protocols.thread_stream.events import GAP, Event, Namespace
from streamgraph_server.protocols.thread_stream.numbers import SharedNumbers, numbers_of
from streamgraph_server.protocols.thread_stream.tokens import Tokens, tokens_of
from streamgraph_server.protocols.thread_stream.wanted import Wanted
from streamgraph_server.runs import Runs
from streamgraph_server.served import ServedRun, failure
from streamgraph_server.threads import Thread

_SMALL = frozenset(("messages", "lifecycle", "input", "tools", GAP))
"""Channels whose events are made bytes once; those of others hold states, which few clients ask for."""

_AFTER_ALL = 1 << 31
"""Greater than the number of any part."""

_PIECE = 256
"""The most events that are looked at for one write."""


_log = logging.getLogger("streamgraph_server")


class _Place(NamedTuple):
    """What is known of an event beside what it says."""

    seq: int
    id: str
    timestamp: int


class _Entry(NamedTuple):
    """An event of the journal. As far as it is of bytes and texts, the garbage collector need not look at it."""

    run: str
    channel: str
    ns: Namespace
    node: Optional[str]
    tags: Tuple[str, ...]
    frame: Union[bytes, Tuple[_Place, Event]]


class Journal:
    """The events of the runs of one thread, in the order in which they were made.

    Their numbers begin with 1 and have no gaps. The run that goes on and the one before it are kept; what a client has
    missed of others it is told.

    Args:
        runs: The runs of the server.
        numbers: What numbers the events in all processes; `None` if this one is alone.

    Attributes:
        last: The number of the last event.
    """

    def __init__(self, runs: Runs, numbers: Optional[SharedNumbers] = None) -> None:
        self._runs = runs
        self._numbers = numbers
        self._looking: Optional[asyncio.Task[None]] = None
        self._entries: List[_Entry] = []
        self._waiting: List[ServedRun] = []
        self._recording: Optional[asyncio.Task[None]] = None
        self._changed = asyncio.Event()
        self._is_closed = False
        self._ended: List[str] = []
        self._gone: Set[str] = set()
        self._seen: Dict[object, int] = {}
        self.last = 0

    @property
    def first(self) -> int:
        """The number of the first event that is kept; that of the next one if none is kept."""
        return self.last - len(self._entries) + 1

    def expect(self, run: object) -> None:
        """Record a run after those before it."""
        assert isinstance(run, ServedRun)
        self._is_closed = False
        self._waiting.append(run)
        if self._recording is None:
            self._recording = asyncio.get_running_loop().create_task(self._record_all())

    def close(self) -> None:
        """End the streams of all clients after what there is."""
        self._is_closed = True
        self._notify()

    async def begin(self) -> None:
        """Record the runs of all processes, those that go on and the one before them."""
        numbers = self._numbers
        if numbers is not None:
            await numbers.watch(self)
            runs, self.last = await numbers.begin()
            for run in runs:
                self.expect(run)

    def look(self) -> None:
        """Look for runs that any process has put on the thread, without waiting."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        assert self._numbers is not None
        for run in await self._numbers.news():
            self.expect(run)

    async def caught_up(self) -> None:
        """Wait until the runs that are over are recorded."""
        if self._numbers is not None:
            await self._look()
        while self._waiting and self._waiting[0].over.is_set():
            await self._changed.wait()

    async def _record_all(self) -> None:
        try:
            while self._waiting:
                run = self._waiting[0]
                try:
                    await self._record(run)
                except Exception:
                    _log.exception("The events of run %s cannot be made", run.id)
                    await run.over.wait()
                    what = {"message": "The server cannot show all of this run; its log says why."}
                    self._add(run, _AFTER_ALL, [Event(GAP, (), what), *ThreadEncoder(repr).end(run.end)])
                del self._waiting[0]
                self._notify()
        finally:
            self._recording = None

    async def _record(self, run: ServedRun) -> None:
        await run.open()
        await run.begun.wait()
        handle = run.handle
        if handle is None and run.is_withdrawn:
            return  # the graph has refused its input, which its client knows
        if self._numbers is not None:
            last = await self._numbers.first(run, self.last)
            if last != self.last:  # another process knows what was before
                self._entries.clear()
                self.last = last
        self._forget(self._ended[:-1])
        encoder = ThreadEncoder(lambda error: _shown(error, self._runs), run.answers)
        self._add(run, run.first_place, encoder.begin(run.facts))
        last, seen, first = 0, 0, run.first_place
        while handle is not None:
            reader = handle.aparts()
            reader.make_tokens(tokens_of)
            forget = run.reading(reader)
            async with reader:
                while True:
                    try:
                        batch: List[Tuple[int, object]] = list(await reader.numbered())
                    except Exception:
                        if handle.status != "failed":
                            raise
                        break  # what the run has failed with is said at its end
                    if not batch:
                        break
                    now = _now()
                    for last, part in batch:
                        if last <= seen:
                            continue
                        if isinstance(part, Part):
                            self._add(run, first + last, encoder.part(part))
                            continue
                        tokens, text = cast("Tuple[Tokens, str]", part)
                        index = encoder.grow(tokens.id, text)
                        if index is None:
                            self._add(run, first + last, encoder.part(tokens.part(text)))
                        else:
                            self.last += 1
                            frame = tokens.frame(run.id, first + last, self.last, now, index, text)
                            self._entries.append(_Entry(run.id, "messages", tokens.ns, tokens.node, tokens.tags, frame))
                    self._notify()
            forget()
            following = await run.following(handle)
            if following is None:
                break
            if run.first_place == first:  # it was taken for dead, and goes on
                seen, handle = last, following
                continue
            why = f"Attempt {run.facts.attempt - 1} of the run was lost, and attempt {run.facts.attempt} goes on."
            self._add(run, first + last + 1, [*encoder.abandoned(why), Event(GAP, (), {"message": why})])
            encoder = ThreadEncoder(lambda error: _shown(error, self._runs), run.answers)
            last, seen, first, handle = 0, 0, run.first_place, following
            self._add(run, first, encoder.begin(run.facts))
        await run.over.wait()
        if run.left:
            return
        self._add(run, first + last + 1, encoder.end(run.end))
        if self._numbers is not None:
            await self._numbers.over(run, self.last)
        self._ended.append(run.id)
        asyncio.get_running_loop().call_later(self._runs.settings.keep, self._forget, [run.id])

    def _add(self, run: ServedRun, number: int, events: Iterable[Event]) -> None:
        now = _now()
        for index, event in enumerate(events):
            self.last += 1
            channel = event.channel
            # Of these clients read which run they belong to.
            prefix = "synth:" if channel in ("lifecycle", "input") else ""
            place = _Place(self.last, f"{prefix}{run.id}:{number}-{index}", now)
            small = channel in _SMALL
            entry = _Entry(
                run.id, channel, event.ns, event.node, event.tags, _frame(place, event) if small else (place, event)
            )
            self._entries.append(entry)

    def _trim(self) -> None:
        """Drop the first events if there are too many."""
        limit = self._runs.settings.max_events
        if len(self._entries) > limit + limit // 4:
            del self._entries[:-limit]

    def _forget(self, runs: Sequence[str]) -> None:
        """Forget runs that have ended, the oldest ones."""
        self._gone.update(run for run in self._ended if run in runs)
        self._ended = [run for run in self._ended if run not in runs]
        self._drop()

    def _drop(self) -> None:
        """Drop the events of runs that are to be forgotten, as far as all who read now have them."""
        if not self._gone:
            return
        first, read = self.first, min(self._seen.values(), default=self.last)
        count = 0
        while count < len(self._entries) and first + count <= read and self._entries[count].run in self._gone:
            count += 1
        del self._entries[:count]
        if not self._entries or self._entries[0].run not in self._gone:
            self._gone.clear()

    def _notify(self) -> None:
        self._trim()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def check(self, since: int) -> None:
        """Refuse to begin after an event that is not known.

        Raises:
            HTTPException: Events after it are not kept any more, or it is still to come.
        """
        if since > self.last:
            what = f"There is no event {since} yet, the last one is {self.last}: the server has been started again."
            raise refusal(409, f"{what} Read the state of the thread, and begin without since.")
        if 0 < since < self.first - 1:
            what = f"The events from {since + 1} to {self.first - 1} are not kept any more."
            raise refusal(409, f"{what} Read the state of the thread, and begin without since.")

    async def read(
        self, wanted: Wanted, since: int, heartbeat: float, is_needed: Callable[[], bool]
    ) -> AsyncIterator[bytes]:
        """Yield what a client gets: what there is, then what comes, of all runs, until the server ends.

        Args:
            wanted: What the client asks for.
            is_needed: Returns whether the thread is still there.
            since: The number of the event after which it begins; 0 for all that is kept.
            heartbeat: Seconds without an event after which a comment is sent.
        """
        reader = object()
        self._seen[reader] = max(since, self.first - 1)
        try:
            yield CONNECTED
            while True:
                changed = self._changed
                seen = self._seen[reader]
                if seen < self.first - 1:
                    yield _frame(_Place(seen, "", 0), _gap(seen + 1, self.first - 1))
                    seen = self.first - 1
                begin = seen - self.first + 1
                entries = self._entries[begin : begin + _PIECE]
                self._seen[reader] = seen + len(entries)
                piece = b"".join(
                    [
                        entry.frame if isinstance(entry.frame, bytes) else _frame(*entry.frame)
                        for entry in entries
                        if wanted(entry.channel, entry.ns, entry.node, entry.tags)
                    ]
                )
                if piece:
                    yield piece
                elif entries:
                    await asyncio.sleep(0)
                elif self._is_closed:
                    return
                else:
                    self._drop()
                    if not await within(changed.wait(), heartbeat):
                        if not is_needed():
                            return
                        yield HEARTBEAT
        finally:
            del self._seen[reader]
            self._drop()


def _now() -> int:
    return int(time() * 1000)


def _frame(place: _Place, event: Event) -> bytes:
    if event.method == GAP:
        # Clients report what is an error without being an answer.
        told = {"type": "error", "id": None, "error": "unknown_error", "message": event.data["message"]}
        return b"event: error\ndata: %b\n\n" % to_json(told)
    params: Dict[str, object] = {"namespace": list(event.ns), "timestamp": place.timestamp, "data": event.data}
    if event.node is not None:
        params["node"] = event.node
    shape = {"type": "event", "event_id": place.id, "seq": place.seq, "method": event.method, "params": params}
    return b"event: %b\ndata: %b\nid: %d\n\n" % (event.method.encode(), to_json(shape), place.seq)


def _gap(first: int, last: int) -> Event:
    return Event(GAP, (), {"message": f"The events from {first} to {last} are not kept any more."})


def _shown(error: BaseException, runs: Runs) -> str:
    if not isinstance(error, Exception):
        return type(error).__name__
    return failure(error, runs.settings).message or type(error).__name__


class Journals:
    """The journals of the threads that clients read through this protocol.

    Args:
        runs: The runs of the server.
    """

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._journals: WeakKeyDictionary[Thread, Journal] = WeakKeyDictionary()
        self._lock: Optional[asyncio.Lock] = None
        runs.on_drained.append(self._close)

    async def of(self, thread: Thread) -> Journal:
        """Return the journal of a thread. It begins with the last run that is over and those that go on."""
        found = self._journals.get(thread)
        if found is None and self._runs.shared is not None:
            async with self._beginning():
                found = self._journals.get(thread)
                if found is None:
                    found = Journal(self._runs, numbers_of(self._runs, thread.id))
                    await found.begin()
                    self._journals[thread] = found
        if found is None:
            found = self._journals[thread] = Journal(self._runs)
            known = self._runs.of(thread)
            going_on = [run for run in known if not run.over.is_set()]
            for run in reversed(known[: len(going_on) + 1]):
                found.expect(run)
            thread.watchers.append(found.expect)
        return found

    def _beginning(self) -> asyncio.Lock:
        if self._lock is None:  # made on the event loop, as Python 3.9 wants it
            self._lock = asyncio.Lock()
        return self._lock

    def _close(self) -> None:
        for journal in self._journals.values():
            journal.close()
