"""Channels in the annotations of a state: what the classes of this package, of LangGraph and of users stand for.

LangGraph's own classes are told by the name of their module, and nothing of LangGraph is imported.
"""

from __future__ import annotations

import copy
import inspect
import sys
from functools import partial
from types import MappingProxyType
from typing import Any, Mapping, Optional, Sequence, cast

from typing_extensions import get_origin

from streamgraph._core.channel_objects import ChannelTemplate
from streamgraph._core.plan import Channel
from streamgraph._messages.batches import messages_with_ids
from streamgraph._runnable.reducers import check_reducer, reduced_channel
from streamgraph._types import Overwrite
from streamgraph.channels import BaseChannel
from streamgraph.channels._typing import plain_type, same_function
from streamgraph.channels.base import MISSING
from streamgraph.errors import InvalidUpdateError, StateSchemaError

_METHODS = ("from_checkpoint", "update", "get", "is_available", "checkpoint", "copy", "consume", "finish")

_HOLDING_ONE = frozenset(("LastValueAfterFinish", "AnyValue", "EphemeralValue", "UntrackedValue"))
"""The classes whose value is one of the written values."""

_IDLE = frozenset(
    ("LastValueAfterFinish", "UntrackedValue", "DeltaChannel", "NamedBarrierValue", "NamedBarrierValueAfterFinish")
)
"""The classes whose channels do not change in a step that writes nothing to them."""


def channel_mark(key: str, typ: object, marks: Sequence[object]) -> Optional[Channel]:
    """Return the channel that a key's annotations ask for, or `None` if there is none among them.

    Args:
        key: The key.
        typ: The annotated type.
        marks: What it is annotated with: a channel class, a channel, or anything else.

    Raises:
        StateSchemaError: The channel cannot work.
    """
    for mark in marks:
        cls = get_origin(mark) or mark
        if inspect.isclass(cls):
            if _is_channel_class(key, cls):
                return channel_of(key, _instance(key, cls, typ))
        elif _is_channel_class(key, type(mark)):
            return channel_of(key, _typed(mark, typ) if _kind(type(mark)) == "DeltaChannel" else mark)
    return None


def channel_of(key: str, given: Any) -> Channel:
    """Return the channel of a plan for a channel object.

    Args:
        key: The key of the state.
        given: The object, which stays as it is. A `LastValue` and a `BinaryOperatorAggregate` become a key without and
            with a reducer, which is the faster way to the same.

    Raises:
        StateSchemaError: The object cannot work.
    """
    kind = _kind(type(given))
    try:
        shown = copy.copy(given)
        if hasattr(shown, "key"):
            shown.key = key
        if kind == "LastValue":
            return Channel(key, shown=shown)
        if kind == "BinaryOperatorAggregate":
            return reduced_channel(key, given.typ, given.operator, shown)
        template = _template(key, given, kind)
        made = template.make()
        made.is_available()
        template.copied(made)
    except StateSchemaError:
        raise
    except Exception as error:
        raise StateSchemaError(
            f"The channel {type(given).__name__} cannot be used: {type(error).__name__}: {error}",
            key=key,
            hint="Each run makes a channel of its own with from_checkpoint(MISSING), and copies it before each step.",
        ) from error
    return Channel(key, template=template, shown=shown, prepare=template.prepare)


def same_channel(one: Channel, other: Channel) -> bool:
    """Return whether two schemas give a key the same channel; a class of LangGraph's is the same as ours."""
    mine, theirs = one.shown, other.shown
    kind = _kind(type(mine))
    if kind is None or kind != _kind(type(theirs)):
        return bool(mine == theirs)
    names = ("guard", "accumulate", "names", "snapshot_frequency")
    same = all(getattr(mine, name, None) == getattr(theirs, name, None) for name in names)
    return same and all(
        same_function(getattr(mine, name, None), getattr(theirs, name, None)) for name in ("operator", "reducer")
    )


def merged_channels(
    known: Mapping[str, Channel], more: Mapping[str, Channel], state: Mapping[str, Channel]
) -> Mapping[str, Channel]:
    """Return the channels of several schemas.

    Args:
        known: Those of the schemas so far.
        more: Those of another schema. It may leave out what an earlier one says of a key.
        state: Those of the state schema.

    Raises:
        StateSchemaError: Two schemas give one key different channels.
    """
    channels = dict(known)
    for key, channel in more.items():
        before = channels.setdefault(key, channel)
        if is_plain(channel) or same_channel(before, channel):
            continue
        if not is_plain(before) or channel.template is not None:
            raise StateSchemaError(
                f"Channel {key!r} already exists with a different type: one schema gives it {_described(before)}, "
                f"another {_described(channel)}",
                key=key,
                hint="Give the key the same channel in all schemas, or leave it out where only its type matters.",
            )
        if key in state:
            # Reducers of the state schema's keys come from that schema.
            raise StateSchemaError(f"Schemas disagree: only one of them gives {key!r} a reducer", key=key)
        channels[key] = channel
    return channels


def is_plain(channel: Channel) -> bool:
    """Return whether a key holds the last value, one in each step."""
    return channel.reduce is None and channel.template is None


def _described(channel: Channel) -> str:
    if channel.reduce is None:
        return type(channel.shown).__name__
    reducer = getattr(channel.shown, "operator", channel.reduce)
    return f"the reducer {getattr(reducer, '__name__', repr(reducer))}"


def shown_channels(channels: Mapping[str, Channel]) -> Mapping[str, BaseChannel[object, object, object]]:
    """Return the channels of keys as users see them."""
    return MappingProxyType(
        {key: cast("BaseChannel[object, object, object]", channel.shown) for key, channel in channels.items()}
    )


def _template(key: str, given: Any, kind: Optional[str]) -> ChannelTemplate:
    bases = frozenset(map(_kind, type(given).__mro__))
    peer = _peer_base()
    is_peer = peer is not None and isinstance(given, peer)
    missing = sys.modules[peer.__module__].MISSING if peer is not None and is_peer else MISSING
    reduces_batches = "DeltaChannel" in bases
    if reduces_batches:
        check_reducer(key, given.reducer)
    return ChannelTemplate(
        key,
        given,
        missing,
        prepare=getattr(given.reducer, "prepare", messages_with_ids) if reduces_batches else None,
        idle=kind in _IDLE or (kind == "Topic" and bool(given.accumulate)),
        holds_one=not bases.isdisjoint(_HOLDING_ONE),
        overwriting=partial(_refuse_overwrite, key) if kind == "Topic" else partial(_overwriting, is_peer),
        copies=not _inherited(type(given), "copy"),
        saves_value=reduces_batches,
        finishes=not _inherited(type(given), "finish"),
    )


def _overwriting(is_peer: bool, value: object) -> object:
    """Return a value that replaces the current one, for a channel of this package or of LangGraph."""
    peer = getattr(sys.modules.get("langgraph.types"), "Overwrite", None) if is_peer else None
    return Overwrite(value) if peer is None else peer(value)


def _refuse_overwrite(key: str, value: object) -> object:
    raise InvalidUpdateError(
        f"At key {key!r}: a Topic takes no Overwrite, which would be one of its items",
        key=key,
        hint="A Topic without accumulate=True begins each step with an empty list.",
    )


def _is_channel_class(key: str, cls: Any) -> bool:
    """Return whether a class is one of channels, of whatever library.

    Raises:
        StateSchemaError: It looks like one, but lacks methods.
    """
    peer = _peer_base()
    if issubclass(cls, BaseChannel) or (peer is not None and issubclass(cls, peer)):
        return True
    if not all(callable(getattr(cls, name, None)) for name in _METHODS[:2]):
        return False
    lacking = [name for name in _METHODS if not callable(getattr(cls, name, None))]
    if lacking:
        raise StateSchemaError(
            f"{cls.__name__} is not a channel class: it has no {', '.join(lacking)}",
            key=key,
            hint="Derive it from streamgraph.channels.BaseChannel.",
        )
    return True


def _instance(key: str, cls: Any, typ: object) -> Any:
    """Make a channel of a class that stands in an annotation."""
    abstract = sorted(getattr(cls, "__abstractmethods__", ()))
    kind = _kind(cls)
    try:
        if kind == "DeltaChannel":
            raise TypeError("it needs a reducer")
        return cls(typ)
    except Exception as error:
        lacking = f"Define {', '.join(abstract)}, which it inherits as abstract methods." if abstract else ""
        raise StateSchemaError(
            f"The channel class {cls.__name__} cannot make a channel from the type of a key alone: {error}",
            key=key,
            hint=lacking or f"Give an instance: Annotated[..., {cls.__name__}(...)].",
        ) from error


def _typed(channel: Any, typ: object) -> Any:
    """Return a `DeltaChannel` of the type that it annotates; one that annotates nothing keeps its own."""
    if typ is Any:
        return channel
    return type(channel)(channel.reducer, plain_type(typ), snapshot_frequency=channel.snapshot_frequency)


def _kind(cls: type) -> Optional[str]:
    """Return the name of a channel class of this package or of LangGraph; `None` for the classes of users."""
    return cls.__name__ if cls.__module__.startswith(("streamgraph.channels.", "langgraph.channels.")) else None


def _peer_base() -> Optional[type]:
    """Return LangGraph's base class of channels, if it is loaded and is not ours under its name."""
    found = getattr(sys.modules.get("langgraph.channels.base"), "BaseChannel", None)
    return found if isinstance(found, type) and found is not BaseChannel else None


def _inherited(cls: type, name: str) -> bool:
    """Return whether a method is that of a base class of channels, which does nothing in particular."""
    owner = next(base for base in cls.__mro__ if name in vars(base))
    return owner.__name__ == "BaseChannel"
