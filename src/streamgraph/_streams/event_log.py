"""The event log of a run: what was streamed so far, for readers that come at any time."""

from __future__ import annotations

from itertools import islice
from typing import Any, Callable, Hashable, Mapping, NamedTuple, Optional, Sequence, Tuple

from typing_extensions import Literal, Protocol

from streamgraph._signals import Paused
from streamgraph._streams.part import Part
from streamgraph.errors import UnknownEventError

RunStatus = Literal["pending", "running", "done", "interrupted", "failed", "cancelled"]
"""The state of a started run; the last four are how it has ended."""

BATCH = 64
"""The most events that are read from a log at once."""

_DEPTHS = {"values": 2, "patches": 4}
"""How deep a part is looked into to measure it: not into the elements that it shares with the state."""


class Codec(Protocol):
    """Keeps parts of some kinds in a form that takes less memory and that the garbage collector need not walk.

    Such a part is kept as a pair: what it has in common with others, its group, and the rest.
    """

    def pack(self, part: Part, number: int) -> Optional[Tuple[Hashable, str]]:
        """Return the pair that a part is kept as, or `None` if it is kept as it is.

        It is asked for parts of subclasses of `Part` only: other parts are kept as they are.

        Args:
            part: The part.
            number: Its number.
        """

    def payload(self, part: Part) -> object:
        """Return the payload of a part, for a receiver that may modify it."""

    def sample(self, group: Hashable) -> Part:
        """Return a part of a group, to decide if its parts are wanted.

        Raises:
            KeyError: The group is forgotten.
        """

    def opener(self, group: Hashable, shape: Callable[[Part], object]) -> Callable[[str], object]:
        """Return the function that makes a chunk of the second half of a pair of a group.

        Args:
            group: The group.
            shape: Makes a chunk of a part.
        """

    def forget(self, before: int) -> None:
        """Forget the groups that have no part with this number or a higher one."""


class Events(NamedTuple):
    """Consecutive events of a log.

    Attributes:
        first: The number of the first one. It is higher than asked for if the events before it are gone.
        items: The events: parts, pairs of the log's codec, or `None` for one that has gone meanwhile.
    """

    first: int
    items: Sequence[Any]


class RunFacts(NamedTuple):
    """What a reader in another process has to know of a run, besides its events.

    Attributes:
        run_id: The id of the run.
        ns: The namespace of its graph.
        modes: The modes that it records of its graph.
        nested: The modes that it records of nested graphs.
    """

    run_id: str
    ns: Tuple[str, ...]
    modes: Tuple[str, ...]
    nested: Tuple[str, ...]


class RunEnd(NamedTuple):
    """What a run has left behind.

    Attributes:
        output: Its output, as `invoke` would return it; `None` if it has none.
        error: The error with which it has failed.
        questions: The questions with which it has ended.
        messages: The texts of the streamed messages, as far as they came, by message id.
        state: The state after its last finished step.
    """

    output: object = None
    error: Optional[BaseException] = None
    questions: Sequence[Paused] = ()
    messages: Mapping[str, str] = {}
    state: object = None


class ReadableLog(Protocol):
    """The events of one attempt of a run, as its readers see them.

    Events are numbered from 1, without gaps. No method waits: a log that is kept elsewhere fetches what will be asked
    for by its own means.

    Attributes:
        attempt: The number of the attempt, counted from 1.
        codec: Opens the pairs among the events; `None` if there are only parts.
    """

    attempt: int
    codec: Optional[Codec]

    @property
    def last(self) -> int:
        """The number of the last event that is known of; 0 before the first."""

    @property
    def status(self) -> RunStatus:
        """`"pending"` before the run begins, `"running"`, and in the end how the run has ended."""

    def read(self, after: int) -> Events:
        """Return events that follow the one with this number: at most `BATCH`, and those that are at hand."""

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each event that can be read, and after the end, from any thread."""

    def signal(self, kind: str) -> None:
        """Tell the run something, from any process; `"cancel"` ends it."""


class EventLog(ReadableLog, Protocol):
    """Where the events of one attempt of a run are kept by the process that makes them.

    One thread at a time appends; any number of threads read. No method waits: a log that keeps events elsewhere sends
    what it gets by its own means.

    Attributes:
        run_id: The id that the run of the log has; `None` if any run can have it.
        max_unstored: The most events that may wait to be stored before the run is held back; `None` if none waits.
    """

    run_id: Optional[str]
    max_unstored: Optional[int]

    def begin(self, facts: RunFacts) -> None:
        """Record that the run has begun."""

    def append(self, part: Part) -> int:
        """Add an event, and return its number."""

    def close(self, status: RunStatus, end: RunEnd) -> None:
        """Record how the run has ended; nothing is appended any more."""

    def on_signal(self, listener: Callable[..., object]) -> None:
        """Call `listener` with each signal, and with what belongs to it.

        A request from another process is answered with what the listener returns or raises: `"answer"`, with the id of
        a question and the answer to it; and `"questions"`, for the open ones. `"fail"`, with an error, is for the log
        itself: it cannot keep the events of the run any more, which ends with the error.
        """

    def on_stored(self, listener: Callable[[int], None]) -> None:
        """Call `listener` with the number of each event that was stored, if `max_unstored` is set."""


class SharedLog(ReadableLog, Protocol):
    """The events of a run that another process makes.

    Attributes:
        facts: What has to be known of the run.
        end: What it has left behind; `None` before its end, which is known when all its events are.
    """

    facts: RunFacts
    end: Optional[RunEnd]

    def request(self, kind: str, *details: object) -> object:
        """Ask the run something, and wait for what its process answers; see `EventLog.on_signal`."""

    async def arequest(self, kind: str, *details: object) -> object:
        """Ask the run something, and wait for what its process answers, on an event loop."""


def event_id(attempt: int, number: int) -> str:
    """Return the id of an event."""
    return f"{attempt}-{number}"


def number_of(given: object, attempt: int, last: int) -> int:
    """Return the number of an event, given its id.

    Args:
        given: The id; `None` for what is before the first event.
        attempt: The attempt of the run.
        last: The number of its last event.

    Raises:
        UnknownEventError: The run has no such event (yet).
    """
    if given is None:
        return 0
    what, hint = f"There is no event {given!r:.80} to go on after", 'Ids are texts such as "1-17"; `None` is the begin.'
    if not isinstance(given, str):
        raise UnknownEventError(what, hint=hint)
    of, _, number = given.partition("-")
    if not (of.isascii() and of.isdigit() and number.isascii() and number.isdigit()):
        raise UnknownEventError(what, hint=hint)
    if int(of) != attempt:
        raise UnknownEventError(what, hint=f"It is of attempt {int(of)}, and this is attempt {attempt} of the run.")
    if int(number) > last:
        raise UnknownEventError(what, hint=f"The last event so far is {event_id(attempt, last)!r}.")
    return int(number)


def own_size(part: Part) -> int:
    """Return about how many bytes a part keeps alive.

    The elements of a state's containers are shared with the state and other parts, so they count as pointers.
    """
    data = part.data
    return 100 if type(data) in _SMALL else 100 + _size(data, _DEPTHS.get(part.mode, 6))


def _size(value: object, depth: int) -> int:
    kind = type(value)
    if kind is str or kind is bytes:
        return 50 + len(value)  # type: ignore[arg-type]
    if kind in _SMALL:
        return 0
    if depth == 0:
        return 8
    if kind is dict:
        taken, count = 64, len(value)  # type: ignore[arg-type]
        for inner in islice(tuple(value.values()), _SAMPLED):  # type: ignore[attr-defined]
            taken += 100 if type(inner) in _SMALL else 100 + _size(inner, depth - 1)
        return taken if count <= _SAMPLED else taken * count // _SAMPLED
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        taken, count = 56, len(value)  # type: ignore[arg-type]
        if depth == 1:
            return taken + 8 * count
        for inner in tuple(value)[:_SAMPLED]:  # type: ignore[arg-type]
            taken += 8 + _size(inner, depth - 1)
        return taken if count <= _SAMPLED else taken * count // _SAMPLED
    inside = getattr(value, "__dict__", None)
    return 64 + (_size(inside, depth - 1) if type(inside) is dict else 0)


_SAMPLED = 50
_SMALL = frozenset((int, float, bool, type(None)))
