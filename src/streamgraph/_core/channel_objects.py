"""Channel objects: keys of the state whose values are kept by an object of their own, one for each run.

Most keys need no object: a plain key holds the last value, and a key with a reducer is folded by the state itself. A
channel object gets all values of a step at once, and decides what its value is, and for how long: `EphemeralValue`,
`Topic`, `DeltaChannel` and the classes of users.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import (
    Any,
    Callable,
    Dict,
    FrozenSet,
    Iterable,
    List,
    Mapping,
    Optional,
    Protocol,
    Sequence,
    Set,
    Tuple,
    Union,
)

from streamgraph._streams.copying import COPIES, own
from streamgraph._types import Overwrite
from streamgraph.channels._overwrite import overwriting
from streamgraph.errors import EmptyChannelError, InvalidUpdateError

NO_VALUE: object = object()
"""Stands for the value of a channel that has none."""


class ChannelObject(Protocol):
    """What a run asks of a channel object; the public `BaseChannel` describes each method."""

    def copy(self) -> ChannelObject: ...
    def checkpoint(self) -> object: ...
    def from_checkpoint(self, checkpoint: object, /) -> ChannelObject: ...
    def get(self) -> object: ...
    def is_available(self) -> bool: ...
    def update(self, values: Sequence[object], /) -> bool: ...
    def consume(self) -> bool: ...
    def finish(self) -> bool: ...


@dataclass(frozen=True)
class ChannelTemplate:
    """Makes the channel object of a run, and says what its class is known to do.

    Attributes:
        key: The key of the state.
        made: An object that is never written to.
        missing: What its class takes in place of a checkpoint that there is not.
        idle: An update with no values changes nothing, so it need not be made.
        holds_one: Its value is one of the written values, so an `Overwrite` stands for the value in it.
        prepare: Converts an update to the form in which it is stored.
        overwriting: Wraps a value that replaces the current one, in the form that its class knows.
        copies: Its class knows how to copy it; otherwise it is copied by way of its checkpoint.
        saves_value: It can be made from its value, and has no other checkpoint.
        finishes: It does something at the end of a run.
    """

    key: str
    made: ChannelObject
    missing: object
    idle: bool = False
    holds_one: bool = False
    prepare: Optional[Callable[[Any], object]] = None
    overwriting: Callable[[object], object] = Overwrite
    copies: bool = True
    saves_value: bool = False
    finishes: bool = True

    def make(self) -> ChannelObject:
        """Return the channel object of a new run."""
        return self._made_from(self.missing)

    def restored(self, saved: object) -> ChannelObject:
        """Return a channel object made from what `saved` returned, whose containers stay as they are."""
        return self._made_from(_owned(saved))

    def saved(self, current: ChannelObject) -> object:
        """Return what a channel object can be made from again, or `NO_VALUE` if it keeps nothing."""
        if self.saves_value:
            return value_of(current)
        saved = current.checkpoint()
        return NO_VALUE if saved is self.missing else _owned(saved)

    def copied(self, current: ChannelObject) -> ChannelObject:
        """Return a copy of a channel object, which can be written to without a change to the object."""
        return current.copy() if self.copies else self.restored(current.checkpoint())

    def _made_from(self, checkpoint: object) -> ChannelObject:
        made: Any = self.made.from_checkpoint(checkpoint)
        if getattr(made, "key", None) == "":
            made.key = self.key  # for its errors; a user's class may not have passed it on
        return made  # type: ignore[no-any-return]


class ChannelObjectError(Exception):
    """What a channel object has raised, on the way to the state.

    Args:
        key: The key of the channel.
        error: The error.
    """

    def __init__(self, key: str, error: Exception) -> None:
        super().__init__(key, error)
        self.key = key
        self.error = error


class Folded(Dict[str, object]):
    """The new values of keys after a step, for a state with channel objects.

    Attributes:
        written: The keys that were written to, also those that have no value now.
        updated: The keys whose channels say that they were updated, and have a value.
        gone: The keys that had a value and have none now, or were written and have none.
        objects: The new channel objects.
    """

    __slots__ = ("gone", "objects", "updated", "written")

    def __init__(self, values: Mapping[str, object] = {}) -> None:
        super().__init__(values)
        self.written: Set[str] = set(values)
        self.updated: Set[str] = set(values)
        self.gone: Set[str] = set()
        self.objects: Dict[str, ChannelObject] = {}

    def touches(self, keys: Union[str, Sequence[str], None]) -> bool:
        """Return whether some of these keys were written, and some updated: then their values are shown.

        Args:
            keys: The keys, or one; `None` for all.
        """
        if keys is None:
            return bool(self.written and self.updated)
        asked = {keys} if isinstance(keys, str) else set(keys)
        return not (asked.isdisjoint(self.written) or asked.isdisjoint(self.updated))

    def put(self, key: str, changed: ChannelObject, updated: bool) -> None:
        """Take a new channel object.

        Args:
            key: The key.
            changed: The object.
            updated: Whether it says that it was updated.
        """
        self.objects[key] = changed
        value = value_of(changed)
        self.pop(key, None)
        if value is NO_VALUE:
            self.gone.add(key)
            self.updated.discard(key)
            return
        self.gone.discard(key)
        # A reader's value must stay as it is, and the object may change its own container in place.
        self[key] = own(value) if type(value) in COPIES else value
        if updated:
            self.updated.add(key)


class ChannelObjects:
    """The channel objects of one run.

    Args:
        templates: What makes them, by key.
        saved: What `saved` returned for an earlier run; nothing for a new run.

    Attributes:
        current: The objects by key.
    """

    def __init__(self, templates: Mapping[str, ChannelTemplate], saved: Mapping[str, object]) -> None:
        self._templates = templates
        self._changing = tuple(key for key, template in templates.items() if not template.idle)
        self._finishing = tuple(key for key, template in templates.items() if template.finishes)
        self.current: Dict[str, ChannelObject] = {
            key: template.restored(saved[key]) if key in saved else template.make()
            for key, template in templates.items()
        }

    def saved(self) -> Dict[str, object]:
        """Return what the objects can be made from again, for those that keep something."""
        pairs = ((key, template.saved(self.current[key])) for key, template in self._templates.items())
        return {key: value for key, value in pairs if value is not NO_VALUE}

    def values(self) -> Folded:
        """Return the values of the objects, as if they had just been written."""
        folded = Folded()
        for key, current in self.current.items():
            folded.put(key, current, True)
        return folded

    def fold(self, folded: Folded, given: Mapping[str, Sequence[object]], consumed: Iterable[str]) -> None:
        """Update copies of the objects with the values of one step, and add them to what the step changes.

        Args:
            folded: What the step changes.
            given: The values written to each key, in order.
            consumed: The keys whose channels have started tasks of the step.

        Raises:
            ChannelObjectError: A channel does not take these values, or a user's channel has failed.
        """
        for key in consumed:
            if key in self.current:
                self._change(folded, key, _consume, updates=False)
        for key, values in given.items():
            folded.written.add(key)
            taken = self._taken(key, values)
            self._change(folded, key, lambda copied, taken=taken: copied.update(taken), always=True)  # type: ignore[misc]
        for key in self._changing:
            if key not in given:
                self._change(folded, key, _update_with_nothing, if_available=True)

    def finish(self, folded: Folded) -> None:
        """Tell copies of the objects that nothing else is due, and add those that it changes to what a step changes.

        Args:
            folded: What the step changes.

        Raises:
            ChannelObjectError: A user's channel has failed.
        """
        for key in self._finishing:
            self._change(folded, key, _finish)

    def _change(
        self,
        folded: Folded,
        key: str,
        change: Callable[[ChannelObject], bool],
        *,
        updates: bool = True,
        always: bool = False,
        if_available: bool = False,
    ) -> None:
        """Change a copy of an object.

        Args:
            folded: Takes the copy.
            key: Its key.
            change: Changes the copy, and returns whether it has.
            updates: It counts as an update of the key.
            always: Take the copy even if it says that it has not changed.
            if_available: Do nothing if there is no value.
        """
        try:
            known = folded.objects.get(key)
            if if_available and not (self.current[key] if known is None else known).is_available():
                return
            copied = self._templates[key].copied(self.current[key]) if known is None else known
            changed = bool(change(copied))
            if changed or always:
                folded.put(key, copied, changed and updates)
        except Exception as error:
            raise ChannelObjectError(key, _own_error(key, error)) from error

    def _taken(self, key: str, values: Sequence[object]) -> List[object]:
        """Return written values in the form in which the channel takes them."""
        template = self._templates[key]
        taken: List[object] = []
        for value in values:
            replaces, inner = overwriting(value)
            if not replaces or not (template.holds_one or isinstance(value, Overwrite)):
                replaces, inner = False, value
            if template.prepare is not None and inner is not None:
                inner = template.prepare(inner)
            inner = own(inner)
            taken.append(template.overwriting(inner) if replaces and not template.holds_one else inner)
        return taken


def _consume(copied: ChannelObject) -> bool:
    return copied.consume()


def _finish(copied: ChannelObject) -> bool:
    return copied.finish()


def _update_with_nothing(copied: ChannelObject) -> bool:
    return copied.update(())


def value_of(current: ChannelObject) -> object:
    """Return the value of a channel object, or `NO_VALUE` if it has none."""
    try:
        return current.get()
    except Exception as error:
        if isinstance(error, _own_and_peer("EmptyChannelError", EmptyChannelError)):
            return NO_VALUE
        raise


def _own_error(key: str, error: Exception) -> Exception:
    """Return what a channel has raised; for LangGraph's own class users of this package look for this package's."""
    if isinstance(error, InvalidUpdateError) or not isinstance(
        error, _own_and_peer("InvalidUpdateError", InvalidUpdateError)
    ):
        return error
    own_error = InvalidUpdateError(str(error).rstrip("."), key=key)
    own_error.__cause__ = error
    return own_error


def _own_and_peer(name: str, own_class: type) -> Tuple[type, ...]:
    """Return an error class of this package, and LangGraph's of that name if it is loaded."""
    peer = getattr(sys.modules.get("langgraph.errors"), name, None)
    return (own_class, peer) if isinstance(peer, type) else (own_class,)


def _owned(saved: object) -> object:
    """Return a checkpoint with containers of its own: it is a value, or a tuple with values."""
    return tuple(map(own, saved)) if type(saved) is tuple else own(saved)


def updated_keys(fresh: Mapping[str, object]) -> FrozenSet[str]:
    """Return the keys that were updated in a step and have a value, which is what nodes can be started by.

    That is less than what was written, if a channel drops a value or waits for others, and more, if a channel changes
    by itself.

    Args:
        fresh: What `State.fold` returned for the step.
    """
    return frozenset(fresh.updated) if isinstance(fresh, Folded) else frozenset(fresh)


def touches(fresh: Mapping[str, object], keys: Union[str, Sequence[str], None]) -> bool:
    """Return whether a step has written some of these keys, so that their values are shown.

    Args:
        fresh: What `State.fold` returned for the step.
        keys: The keys, or one; `None` for all.
    """
    if isinstance(fresh, Folded):
        return fresh.touches(keys)
    if keys is None:
        return bool(fresh)
    return keys in fresh if isinstance(keys, str) else any(key in fresh for key in keys)
