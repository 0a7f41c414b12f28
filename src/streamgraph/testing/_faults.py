"""What can go wrong between a run and its reader: parts that are cut off, late, doubled, or in the wrong order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple, Union

from streamgraph.types import StreamPart

__all__ = ["Cut", "Delay", "Duplicate", "Fault", "Place", "Reorder"]

Place = Union[int, Sequence[int], Callable[[StreamPart], bool]]
"""Where a fault happens: at the part with this index, where negative ones count from the end; at several; or at each
part for which a function returns True."""


class Timed(NamedTuple):
    """A part that is to be replayed.

    Attributes:
        at: The seconds after the beginning at which it was recorded.
        raw: The part as exact JSON.
        part: The part.
        late: The seconds by which it is delayed, at any speed.
    """

    at: float
    raw: bytes
    part: StreamPart
    late: float = 0.0


@dataclass(frozen=True)
class Cut:
    """The connection breaks before a part, of several the first: it and what follows do not arrive.

    Args:
        at: The part; the number of parts stands for their end.
        error: What the reader gets instead; `None` for an end without an error, as of a run that is over.
    """

    at: Place
    error: Optional[BaseException] = field(default_factory=lambda: ConnectionError("The connection was cut (a fault)"))


@dataclass(frozen=True)
class Delay:
    """A part is late, and everything after it with it.

    Args:
        at: The part; of several, each adds its delay.
        seconds: By how much, at any speed.
    """

    at: Place
    seconds: float


@dataclass(frozen=True)
class Duplicate:
    """A part arrives twice, the second time as an object of its own.

    Args:
        at: The part.
        after: How many parts come in between.
    """

    at: Place
    after: int = 0


@dataclass(frozen=True)
class Reorder:
    """A part arrives after parts that were made after it.

    Args:
        at: The part.
        after: How many parts overtake it.
    """

    at: Place
    after: int = 1


Fault = Union[Cut, Delay, Duplicate, Reorder]


def with_faults(
    parts: List[Timed], faults: Sequence[Fault], decode: Callable[[bytes], StreamPart]
) -> Tuple[List[Timed], Optional[Cut]]:
    """Return the parts as they arrive, and the cut that ends them, if there is one.

    Args:
        parts: The parts.
        faults: The faults, each applied to what those before have made.
        decode: Makes a part of its JSON once more.

    Raises:
        TypeError: Something is not a fault.
        ValueError: There is no part where a fault is to happen, or a number is negative.
    """
    cut: Optional[Cut] = None
    for fault in faults:
        if isinstance(fault, Cut):
            places = _places(fault, parts, len(parts) + 1)
            parts, cut = parts[: min(places)], fault
        elif isinstance(fault, Delay):
            _check_number(fault, "seconds", fault.seconds)
            late = set(_places(fault, parts, len(parts)))
            seconds, delayed = 0.0, []
            for place, timed in enumerate(parts):
                seconds += fault.seconds * (place in late)
                delayed.append(timed._replace(late=timed.late + seconds))
            parts = delayed
        elif isinstance(fault, (Duplicate, Reorder)):
            _check_number(fault, "after", fault.after)
            parts = _moved(parts, fault, decode)
        else:
            raise TypeError(f"{fault!r:.100} is not a fault: they are Cut, Delay, Duplicate and Reorder")
    return parts, cut


def _moved(parts: List[Timed], fault: Union[Duplicate, Reorder], decode: Callable[[bytes], StreamPart]) -> List[Timed]:
    """Return the parts with some of them once more, or only, at a later place, at the time of the part before it."""
    chosen = set(_places(fault, parts, len(parts)))
    due: List[List[Timed]] = [[] for _ in parts]
    arriving: List[Timed] = []
    for place, timed in enumerate(parts):
        if place in chosen:
            last = min(place + fault.after, len(parts) - 1)
            again = timed._replace(part=decode(timed.raw)) if isinstance(fault, Duplicate) else timed
            due[last].append(again._replace(at=parts[last].at, late=parts[last].late))
        if place not in chosen or isinstance(fault, Duplicate):
            arriving.append(timed)
        arriving += due[place]
    return arriving


def _places(fault: Fault, parts: Sequence[Timed], count: int) -> List[int]:
    """Return the indices of the parts at which a fault happens; there is at least one."""
    at = fault.at
    if callable(at):
        found = [place for place, timed in enumerate(parts) if at(timed.part)]
        if not found:
            raise ValueError(f"None of the {len(parts)} parts fits {_shown(fault)}")
        return found
    found = [at] if isinstance(at, int) else list(at)
    for place in found:
        if not -len(parts) <= place < count:
            raise ValueError(f"There is no part {place} for {_shown(fault)}: there are {len(parts)} parts")
    if not found:
        raise ValueError(f"{_shown(fault)} names no part")
    return [place % len(parts) if place < 0 else place for place in found]


def _check_number(fault: Fault, name: str, number: float) -> None:
    if number < 0:
        raise ValueError(f"{name} is {number} in {_shown(fault)}; it cannot be negative")


def _shown(fault: Fault) -> str:
    return repr(replace(fault, error=None) if isinstance(fault, Cut) else fault)
