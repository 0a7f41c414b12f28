"""What a node of a `Pregel` writes: entries that say which channels get its result."""

from __future__ import annotations

from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple, Union

from streamgraph._core.results import Pairs, Route, TaskResult
from streamgraph._reserved import TASKS
from streamgraph._types import Send
from streamgraph.errors import InvalidUpdateError

__all__ = ["PASSTHROUGH", "SKIP_WRITE", "ChannelWriteEntry", "ChannelWriteTupleEntry"]

PASSTHROUGH: object = object()
"""Stands for the node's result, as the value of an entry."""

SKIP_WRITE: object = object()
"""Returned by the mapper of an entry, it means that nothing is written."""


class ChannelWriteEntry(NamedTuple):
    """One write of a node: to which channel, and what.

    Attributes:
        channel: The channel.
        value: What is written; by default the node's result.
        skip_none: Write nothing if the value is `None`.
        mapper: Makes the written value from `value`; `SKIP_WRITE` means that nothing is written.
    """

    channel: str
    value: object = PASSTHROUGH
    skip_none: bool = False
    mapper: Optional[Callable[..., object]] = None


class ChannelWriteTupleEntry(NamedTuple):
    """Several writes of a node, which are known when it has run.

    Attributes:
        mapper: Returns pairs of a channel and a value; `None` means that nothing is written. A `Send` is written to the
            channel `__pregel_tasks`.
        value: What `mapper` gets; by default the node's result.
        static: Declares writes for drawings; not used.
    """

    mapper: Callable[..., Optional[Sequence[Tuple[str, object]]]]
    value: object = PASSTHROUGH
    static: Optional[Sequence[Tuple[str, object, Optional[str]]]] = None


Entry = Union[ChannelWriteEntry, ChannelWriteTupleEntry, Send]
"""An entry; a `Send` starts a node in the next step."""


def written(entries: Sequence[Entry], node: str, result: object) -> TaskResult:
    """Return what a node has written, given its result.

    Args:
        entries: Its entries.
        node: Its name.
        result: Its result.

    Raises:
        InvalidUpdateError: Something other than a `Send` was written to the channel of sends.
    """
    pairs: List[Tuple[str, object]] = []
    for entry in entries:
        if isinstance(entry, Send):
            pairs.append((TASKS, entry))
            continue
        value = result if entry.value is PASSTHROUGH else entry.value
        if isinstance(entry, ChannelWriteTupleEntry):
            pairs += entry.mapper(value) or ()
            continue
        if entry.mapper is not None:
            value = entry.mapper(value)
        if value is not SKIP_WRITE and not (entry.skip_none and value is None):
            pairs.append((entry.channel, value))
    writes: Pairs = tuple(pair for pair in pairs if pair[0] != TASKS)
    return TaskResult(writes, tuple(_sent(node, value) for key, value in pairs if key == TASKS))


def _sent(node: str, value: object) -> Route:
    if not isinstance(value, Send):
        raise InvalidUpdateError(f"{value!r:.80} was written to {TASKS!r}, which takes a Send", node=node)
    return value
