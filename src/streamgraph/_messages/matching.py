"""Find messages in node results and in the state, and compare them."""

from __future__ import annotations

from itertools import chain
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from langchain_core.messages import BaseMessage

from streamgraph._core.plan import Channel, Plan
from streamgraph._core.results import Pairs
from streamgraph._core.state import unwrap
from streamgraph._messages.batches import messages_with_ids
from streamgraph._messages.message_list import MessageList
from streamgraph._streams.copying import CopyOnAccess
from streamgraph._types import Overwrite


class PriorMessages:
    """Messages that existed before a task ran.

    Args:
        state: The values of the state.
        given: The input of the task.
    """

    def __init__(self, state: Mapping[str, object], given: object) -> None:
        values: List[object] = [*state.values()]
        if isinstance(given, CopyOnAccess):
            values += given.original.values()
        else:
            values += given.values() if isinstance(given, dict) else [given]
        # Most are one and the same: what the task got of the state.
        self._lists = list({id(value): value for value in values if type(value) is MessageList}.values())
        self._others = [value for value in values if type(value) is not MessageList]
        self._by_id: Optional[Dict[Optional[str], List[BaseMessage]]] = None

    def mentions(self, id: Optional[str]) -> bool:  # noqa: A002  (the field's name)
        """Return whether a message with this id existed."""
        return any(True for _ in self._with_id(id))

    def has(self, message: BaseMessage) -> bool:
        """Return whether this message existed with the same content."""
        return any(same_message(message, old) for old in self._with_id(message.id))

    def _with_id(self, id: Optional[str]) -> Iterator[BaseMessage]:  # noqa: A002  (the field's name)
        for messages in self._lists:
            found = messages.with_id(id)
            if found is not None:
                yield found
        if self._by_id is None:
            self._by_id = {}
            for message in chain.from_iterable(map(messages_in, self._others)):
                self._by_id.setdefault(message.id, []).append(message)
        yield from self._by_id.get(id, ())


def prepared(channel: Optional[Channel], value: object) -> object:
    """Return a written value in the form in which it is stored."""
    prepare = channel.prepare if channel is not None else None
    if prepare is None or value is None:
        return value
    replaces, inner = unwrap(value)
    return Overwrite(prepare(inner)) if replaces else prepare(value)


def storable_writes(plan: Plan, writes: Pairs) -> Pairs:
    """Return writes from which the same values can be made again: messages have ids, whatever the reducer.

    Args:
        plan: The graph.
        writes: The writes of a task, or an input.
    """
    return tuple(
        [
            (key, value if _is_plain(plan, key) else messages_with_ids(prepared(plan.channels[key], value)))
            for key, value in writes
        ]
    )


def _is_plain(plan: Plan, key: str) -> bool:
    channel = plan.channels.get(key)
    return channel is None or (channel.reduce is None and channel.template is None)


def prepared_writes(plan: Plan, writes: Pairs) -> Pairs:
    """Return writes in the form in which they are stored."""
    return tuple([(key, prepared(plan.channels.get(key), value)) for key, value in writes])


def ids_come_from_reducers(plan: Plan, writes: Pairs) -> bool:
    """Return whether a message without an id is written to a key whose own reducer may give it one."""
    for key, value in writes:
        channel = plan.channels.get(key)
        if channel is None or channel.reduce is None or channel.prepare is not None or channel.pure:
            continue
        if any(message.id is None for message in messages_in(value)):
            return True
    return False


def without_ids(writes: Pairs) -> Pairs:
    """Return writes in which messages without an id are copies, which stay without one."""

    def kept(value: object) -> object:
        if isinstance(value, BaseMessage):
            return value if value.id is not None else value.model_copy()
        if isinstance(value, Overwrite):
            return Overwrite(kept(value.value))
        return [kept(item) for item in value] if type(value) is list else value

    return tuple([(key, kept(value)) for key, value in writes])


def parts_of(plan: Plan, value: object) -> Iterable[Tuple[Optional[str], object]]:
    """Return the values of a task's whole result to search for messages, as pairs without a state key."""
    fields = None
    if not isinstance(value, BaseMessage):
        fields = value if isinstance(value, Mapping) else plan.as_mapping(value)
    return ((None, part) for part in ((value,) if fields is None else fields.values()))


def messages_in(value: object) -> Iterator[BaseMessage]:
    """Yield the messages in a written value, which may be a message or a list of messages."""
    if isinstance(value, Overwrite):
        value = value.value
    if isinstance(value, BaseMessage):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            if isinstance(item, BaseMessage):
                yield item


def same_message(one: BaseMessage, other: Optional[BaseMessage]) -> bool:
    """Return whether two messages have the same content, whole or summed up from chunks; ids are ignored."""
    return one is other or (
        other is not None
        and one.type.replace("MessageChunk", "").lower() == other.type.replace("MessageChunk", "").lower()
        and _same_content(one, other)
        and one.name == other.name
        and getattr(one, "tool_calls", None) == getattr(other, "tool_calls", None)
        and getattr(one, "tool_call_id", None) == getattr(other, "tool_call_id", None)
    )


def _same_content(one: BaseMessage, other: BaseMessage) -> bool:
    """Return whether two contents are equal; text and content blocks are compared by their text."""
    if type(one.content) is type(other.content):
        return one.content == other.content
    return text_of(one) == text_of(other)


def text_of(message: BaseMessage) -> str:
    """Return the text of a message; the texts of content blocks are joined."""
    content = message.content
    if isinstance(content, str):
        return content
    return "".join(block if isinstance(block, str) else str(block.get("text", "")) for block in content)
