"""Messages that are stored again with every step are serialised once.

A list of messages that grows is stored as a whole in each record. Nearly all the time that this takes is spent on
messages that have been serialised before. A serializer of msgpack takes the bytes of such a message as they are, in an
object of the class `Ext`, and what it makes of the list is the same.
"""

from __future__ import annotations

from operator import attrgetter
from operator import is_ as _is_same
from threading import Lock
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from langchain_core.messages import BaseMessage

_ATOMS = frozenset((str, int, float, bool, type(None)))

_MOST_LISTS = 32
"""How many lists are remembered: nested runs have lists of their own, which are done with when they end."""

_fields, _extra = attrgetter("__dict__"), attrgetter("__pydantic_extra__")


class _Unknown:
    """Equals everything: stands for the fields of a message that is serialised each time."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True


class _PackedList:
    """The messages of a list as it was stored last, and what they were stored as, item by item.

    Users may change a message in place, so there is a copy of what its bytes were made from.
    """

    __slots__ = ("extras", "fields", "items", "messages")

    def __init__(self) -> None:
        self.messages: List[object] = []
        self.fields: List[object] = []
        self.extras: List[object] = []
        self.items: List[object] = []

    def begins(self, messages: Sequence[object]) -> bool:
        """Return whether all messages are unchanged at the beginning of a list; each of these loops is one call."""
        own = self.messages
        beginning = list(messages[: len(own)])
        try:
            return bool(
                len(beginning) == len(own)
                and all(map(_is_same, beginning, own))
                and list(map(_fields, beginning)) == self.fields
                and list(map(_extra, beginning)) == self.extras
            )
        except Exception:  # what was put into a message since refuses to be compared, as arrays do
            return False

    def append(self, message: object, fields: object, extra: object, item: object) -> None:
        """Add a message, with copies of its fields and what it is stored as."""
        self.messages.append(message)
        self.fields.append(fields)
        self.extras.append(extra)
        self.items.append(item)

    def unchanged(self) -> Dict[int, int]:
        """Return the places of the messages that are unchanged, by the identities of the messages."""
        places = {}
        for place, message in enumerate(self.messages):
            try:
                if _fields(message) == self.fields[place] and _extra(message) == self.extras[place]:
                    places[id(message)] = place
            except Exception:  # see `begins`
                continue
        return places


class Packing:
    """Replaces messages by their bytes in checkpoints that are to be stored.

    Args:
        serializer: Makes the bytes: the distribution's `JsonPlusSerializer`.
    """

    def __init__(self, serializer: Any) -> None:
        self._serializer = serializer
        self._lists: Dict[Tuple[str, str], _PackedList] = {}
        self._lock = Lock()

    def checkpoint(self, ns: str, checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a checkpoint with bytes in place of the messages in its lists.

        A list that is stored for the first time is left alone: it might be the only time.

        Args:
            ns: The namespace of the checkpoint; those of one namespace are stored one after the other.
            checkpoint: The checkpoint, which is not changed.
        """
        values = checkpoint["channel_values"]
        packed = {key: self._list((ns, key), value) for key, value in values.items() if _is_of_messages(value)}
        return {**checkpoint, "channel_values": {**values, **packed}} if packed else checkpoint

    def _list(self, key: Tuple[str, str], value: List[object]) -> List[object]:
        known = self._lists.get(key)
        if known is None:
            with self._lock:
                if len(self._lists) >= _MOST_LISTS:
                    del self._lists[next(iter(self._lists))]
                self._lists[key] = _PackedList()
            return value
        if not known.begins(value):
            old, places = known, known.unchanged()
            self._lists[key] = known = _PackedList()
            for message in value:
                at = places.get(id(message))
                if at is None:
                    self._pack(message, known)
                else:
                    known.append(message, old.fields[at], old.extras[at], old.items[at])
        for message in value[len(known.messages) :]:
            self._pack(message, known)
        return known.items.copy()

    def _pack(self, message: object, into: _PackedList) -> None:
        from ormsgpack import Ext, unpackb

        if isinstance(message, BaseMessage):
            try:
                fields, extra = _copied(_fields(message)), _copied(_extra(message))
            except _UncomparableError:
                pass
            else:
                kind, data = self._serializer.dumps_typed(message)
                item = unpackb(data, ext_hook=Ext) if kind == "msgpack" else None
                if type(item) is Ext:
                    into.append(message, fields, extra, item)
                    return
        into.append(message, _Unknown(), _Unknown(), message)


class _UncomparableError(Exception):
    """There is an object of which it is not known what being equal means."""


def _copied(value: object) -> object:
    """Return a copy of plain data, at all levels."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if isinstance(value, dict) and kind is dict:
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list) and kind is list:
        return [_copied(item) for item in value]
    raise _UncomparableError


def _is_of_messages(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], BaseMessage)
