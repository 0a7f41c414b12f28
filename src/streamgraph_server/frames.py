"""Frames of server-sent events, and what a protocol has to provide: a fold from the parts of a run to frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterable, NamedTuple, Optional, Sequence, Tuple, Union

from typing_extensions import Literal, Protocol

from streamgraph.types import StreamMode, StreamPart

Cursor = Tuple[int, float]
"""The place of a frame in a run: the number of the event that it was made of, and its index among the frames of it."""

BEGIN: Cursor = (-1, 0)
"""Before the first frame."""

CONNECTED = b": connected\n\n"
HEARTBEAT = b": heartbeat\n\n"
"""Comments, which every client ignores."""


class Frame(NamedTuple):
    """One event on the wire.

    Attributes:
        data: Its data, JSON in one line.
        event: Its name; `None` if the protocol has no names.
    """

    data: bytes
    event: Optional[str] = None


@dataclass(frozen=True)
class RunFacts:
    """What an encoder knows of a run before the first part.

    Attributes:
        id: The id of the run.
        thread_id: The thread that it belongs to; `None` if it is not saved.
        graph: The name under which the graph is served.
        created: When it was asked for, in seconds since 1970.
        attempt: Which attempt of it is read: later ones are of workers that have taken it over.
    """

    id: str
    thread_id: Optional[str]
    graph: str
    created: float
    attempt: int = 1


@dataclass(frozen=True)
class RunEnd:
    """How a run has ended.

    Attributes:
        status: The state of the run.
        error: The name of the class of the exception with which it has failed.
        message: What the exception says, as far as clients may read it.
    """

    status: Literal["done", "interrupted", "failed", "cancelled"]
    error: str = ""
    message: str = ""


class Encoder(Protocol):
    """A fold from the parts of one run to frames, with a state of its own and no I/O.

    The same parts give the same frames: a client that comes back is served by a new encoder, which is given the whole
    run again, and whose frames up to the last one that the client has seen are left out.

    Attributes:
        modes: The modes that it reads.
        subgraphs: What it reads of nested graphs; see `RunHandle.stream`.
    """

    modes: Sequence[StreamMode]
    subgraphs: Optional[bool]

    def begin(self, run: RunFacts) -> Iterable[Frame]:
        """Return the frames before anything has happened."""

    def part(self, part: StreamPart) -> Iterable[Frame]:
        """Return the frames of a part."""

    def gap(self, count: int) -> Iterable[Frame]:
        """Return the frames in the place of parts that the server does not keep any more.

        Args:
            count: How many there were.
        """

    def end(self, end: RunEnd) -> Iterable[Frame]:
        """Return the frames at the end of the run."""


class TokenEncoder(Encoder, Protocol):
    """An encoder that writes what the tokens of a message have in common only once."""

    def tokens(self, part: StreamPart) -> Optional[Callable[[str], Union[Frame, Iterable[Frame]]]]:
        """Return a function that makes the frames of a token of its text, or `None` to be given each as a part.

        It is called with the tokens in the order of the run, between the parts that `part` is called with. What has one
        frame is best returned as such.

        Args:
            part: The first of some tokens that differ in their text only, with an empty text.
        """


def framed(frame: Frame, place: Cursor, with_id: bool = True, at: Optional[float] = None) -> bytes:
    """Return a frame as it is sent.

    Args:
        frame: The frame.
        place: Its place, which is its id.
        with_id: Whether clients of the protocol come back with the id of the last frame.
        at: When it happened, in seconds since 1970, for clients that have asked: a field `at`, which others ignore as
            they have to ignore every field that they do not know.
    """
    head = b"" if frame.event is None else b"event: %b\n" % frame.event.encode()
    if at is not None:
        head += b"at: %.4f\n" % at
    if not with_id:
        return b"%bdata: %b\n\n" % (head, frame.data)
    return b"%bdata: %b\nid: %d-%d\n\n" % (head, frame.data, place[0], int(place[1]))


def cursor_of(given: Optional[str]) -> Optional[Cursor]:
    """Return the place that an id names, the begin if it is none of ours, or `None` if no id is given."""
    if not given:
        return None
    number, _, index = given.partition("-")
    if number.isascii() and number.isdigit() and index.isascii() and index.isdigit() and len(given) < _LONGEST:
        return int(number), int(index)
    return BEGIN


_LONGEST = 40
