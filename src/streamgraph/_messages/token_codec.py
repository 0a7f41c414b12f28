"""Keeps the tokens of a run in a log: as a text, and what it has in common with the other tokens of its message.

A token with its metadata is a dozen objects, which take more than a kilobyte and which the garbage collector visits
whenever it visits all. A pair of a number and a text takes a tenth of that, and the collector does not track it.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Callable, Dict, FrozenSet, Hashable, List, Optional, Tuple

from langchain_core.messages import BaseMessage

from streamgraph._compat.pydantic import new, set_extra, set_fields, set_names, set_private
from streamgraph._messages.copying import copy_payload
from streamgraph._messages.token_part import ShownCall, TokenPart
from streamgraph._streams.copying import copy_containers
from streamgraph._streams.event_log import BATCH
from streamgraph._streams.formats import data_of
from streamgraph._streams.part import Part

_FORMS = 4
"""The most groups of one call: a provider's first and last tokens have fields that the others do not have."""

_EXTRA = " extra"
"""Where the fields that the class of a message does not know are kept while it is made; no field has this name."""

_VISITED = 2 * BATCH
"""Number of groups that are visited when events are dropped, which is done once for each batch of them."""

_CALLS = 64
"""Number of calls whose groups are found again; a call that is forgotten gets new ones."""


Payload = Tuple[BaseMessage, Dict[str, Any]]


class _Group:
    """Tokens that differ in their text only.

    Args:
        name: The number of the group.
        part: The first of its tokens.
        message: The message of that.

    Attributes:
        last: The number of the event of its last token.
    """

    __slots__ = (
        "_containers",
        "_extra",
        "_flags",
        "_id",
        "_kind",
        "_names",
        "fields",
        "last",
        "metadata",
        "name",
        "ns",
        "source",
    )

    def __init__(self, name: int, part: TokenPart, message: BaseMessage) -> None:
        call = part.call
        self.name = name
        self.ns = part.ns
        self.source = part.source
        self.metadata = call.metadata
        self.last = 0
        self._id = call.id
        self._kind = type(message)
        self._names: FrozenSet[str] = frozenset(message.__pydantic_fields_set__)
        self._extra = copy_containers(message.__pydantic_extra__)
        self.fields: Dict[str, Any] = {
            **{key: copy_containers(value) for key, value in message.__dict__.items()},
            "content": None,
            "id": None,
        }
        # Equal to 0 and 1, but not the same; langchain-core 0.3 has one in each message.
        self._flags = [(key, value) for key, value in self.fields.items() if type(value) is bool]
        self._containers = [(key, value) for key, value in self.fields.items() if type(value) in (list, dict)]

    def fits(self, message: BaseMessage, fields: Dict[str, Any]) -> bool:
        """Return whether a message differs from the first one in its text only.

        Args:
            message: The message.
            fields: Its fields without text and id.
        """
        return (
            fields == self.fields
            and type(message) is self._kind
            and message.__pydantic_fields_set__ == self._names
            and message.__pydantic_extra__ == self._extra
            and (not self._flags or all(fields[key] is value for key, value in self._flags))
        )

    def maker(self) -> Callable[[str], Payload]:
        """Return the function that makes the payload of a token of its text; payloads share nothing that can change.

        It is called for each token and each reader, so it looks nothing up.
        """
        template = {**self.fields, "id": self._id}
        empty = [(key, type(value)) for key, value in self._containers if not value]
        filled = [(key, value) for key, value in self._containers if value]
        if self._extra:
            filled.append((_EXTRA, self._extra))
        kind, names, metadata = self._kind, self._names, self.metadata
        extra, tags = self._extra, metadata["tags"]

        def payload(text: str) -> Payload:
            fields = template.copy()
            fields["content"] = text
            for key, make in empty:
                fields[key] = make()
            for key, value in filled:
                fields[key] = copy_containers(value)
            message: BaseMessage = new(kind)
            set_fields(message, fields)
            set_names(message, set(names))
            set_extra(message, fields.pop(_EXTRA) if extra else extra)
            set_private(message, None)
            shown = metadata.copy()
            shown["tags"] = tags[:]
            return message, shown

        return payload


class TokenCodec:
    """Keeps tokens as pairs of the number of a group and a text; all other parts as they are."""

    def __init__(self) -> None:
        self._groups: Dict[Hashable, _Group] = {}
        self._made = 0
        self._of_calls: Dict[ShownCall, List[_Group]] = {}

    def pack(self, part: Part, number: int) -> Optional[Tuple[Hashable, str]]:
        """Return the pair that a token is kept as, or `None` for another part, or a token with more than a text."""
        if type(part) is not TokenPart:
            return None
        message = part.message
        fields = message.__dict__.copy()
        text = fields["content"]
        if type(text) is not str or message.__pydantic_private__ is not None:
            return None
        fields["content"] = fields["id"] = None
        groups = self._of_calls.get(part.call)
        if groups is None:
            groups = self._first_groups(part.call)
        for group in groups:
            if group.fits(message, fields):
                break
        else:
            plain = all(type(value) is bool or _is_plain(value) for value in fields.values())
            if len(groups) == _FORMS or not plain or not _is_plain(message.__pydantic_extra__):
                return None
            self._made += 1
            group = _Group(self._made, part, message)
            groups.append(group)
        if not group.last:
            self._groups[group.name] = group
        group.last = number
        return group.name, text

    def payload(self, part: Part) -> object:
        """Return the payload of a part, for a receiver that may modify it."""
        return copy_payload(part.mode, part.data)

    def sample(self, group: Hashable) -> Part:
        """Return a token of a group.

        Raises:
            KeyError: The group is forgotten.
        """
        found = self._groups[group]
        return Part(found.ns, "messages", found.maker()(""), found.source)

    def opener(self, group: Hashable, shape: Callable[[Part], object]) -> Callable[[str], object]:
        """Return the function that makes the chunk of a token from its text.

        Args:
            group: The group of the token.
            shape: Makes a chunk of a part.
        """
        found = self._groups[group]
        payload, ns, source = found.maker(), found.ns, found.source
        if shape is data_of:
            return payload
        return lambda text: shape(Part(ns, "messages", payload(text), source))

    def forget(self, before: int) -> None:
        """Forget the groups that have no token with this number or a higher one."""
        for name in tuple(islice(self._groups, _VISITED)):
            group = self._groups.pop(name)
            if group.last < before:
                group.last = 0
            else:  # visit others next time
                self._groups[name] = group

    def _first_groups(self, call: ShownCall) -> List[_Group]:
        if len(self._of_calls) == _CALLS:
            del self._of_calls[next(iter(self._of_calls))]
        groups: List[_Group] = []
        self._of_calls[call] = groups
        return groups


def _is_plain(value: object) -> bool:
    """Return whether equal values cannot be told apart: texts, and containers of them; `1 == True == 1.0`."""
    if value is None or type(value) is str:
        return True
    if type(value) is list:
        return all(map(_is_plain, value))
    return type(value) is dict and all(type(key) is str and _is_plain(inner) for key, inner in value.items())
