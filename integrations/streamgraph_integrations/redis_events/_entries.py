"""What an entry of the Redis stream of a run holds.

The id of an entry is that of its event, `<attempt>-<number>`. The entry `<attempt>-0` opens an attempt. An event has
the field `e`: one line with the node and the state key that it comes from, as a JSON array or empty, and one with the
part as exact JSON. The entry after the last event has the field `end`.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Tuple, Union

from streamgraph.runs import Part, RunEnd, RunFacts, RunStatus
from streamgraph.serialization import PartDecoder, PartEncoder

EVENT, END = b"e", b"end"

Written = Tuple[bytes, bytes]
"""The field of an entry, and its value."""


def event_entry(encoder: PartEncoder, part: Part) -> Written:
    """Return the entry of an event.

    Args:
        encoder: The encoder of the run.
        part: The event.
    """
    origin = b"" if part.source is None and part.key is None else json.dumps([part.source, part.key]).encode()
    return EVENT, origin + b"\n" + encoder.encode_part(part.mode, part.ns, part.data)


def part_of(decoder: PartDecoder, value: bytes) -> Part:
    """Return the event of an entry.

    Args:
        decoder: The decoder of the reader.
        value: What the field `e` holds.
    """
    origin, _, text = value.partition(b"\n")
    source, key = json.loads(origin) if origin else (None, None)
    given: Any = decoder.decode(text)
    return Part(given["ns"], given["type"], given["data"], source, key)


def end_entry(encoder: PartEncoder, status: RunStatus, end: RunEnd) -> Written:
    """Return the entry of the end of a run.

    Args:
        encoder: The encoder of the run.
        status: How it has ended.
        end: What it has left behind.
    """
    return END, encoder.encode({"status": status, **end._asdict(), "questions": list(end.questions)})


def end_of(decoder: PartDecoder, value: bytes) -> Tuple[RunStatus, RunEnd]:
    """Return how a run has ended, and what it has left behind.

    Args:
        decoder: The decoder of the reader.
        value: What the field `end` holds.
    """
    given: Dict[str, Any] = decoder.decode(value)
    return given.pop("status"), RunEnd(**given)


def facts_text(facts: RunFacts) -> bytes:
    """Return the facts of a run as JSON."""
    return json.dumps(facts._asdict()).encode()


def facts_of(text: bytes) -> RunFacts:
    """Return the facts of a run that `facts_text` has written."""
    given: Dict[str, Any] = json.loads(text)
    names = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    return RunFacts(**{**given, **names})


def place_of(id: Union[bytes, str]) -> Tuple[int, int]:  # noqa: A002  (the field's name)
    """Return the attempt and the number of an id."""
    attempt, _, number = (id.decode() if isinstance(id, bytes) else id).partition("-")
    return int(attempt), int(number)


def news_of(word: bytes) -> Tuple[int, int, Entries]:
    """Return the attempt that has news, the number of its last entry, and the entries that came with the news.

    Args:
        word: The place of the last entry. If entries come with it, the field and the length of each follow, and in the
            next line their values, one after the other.
    """
    head, _, values = word.partition(b"\n")
    place, *fields = head.split(b" ")
    attempt, last = place_of(place)
    entries: Entries = []
    begin, number = 0, last - len(fields)
    for item in fields:
        field, _, length = item.partition(b":")
        end, number = begin + int(length), number + 1
        entries.append((b"%d-%d" % (attempt, number), {field: values[begin:end]}))
        begin = end
    return attempt, last, entries


Entry = Tuple[bytes, Dict[bytes, bytes]]
"""An entry, as Redis returns it: its id and its fields."""

Entries = List[Entry]
