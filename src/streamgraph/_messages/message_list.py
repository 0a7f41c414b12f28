"""A list of messages that knows where each one is, so that merging an update costs what the update holds."""

from __future__ import annotations

from typing import Dict, Iterable, List, Optional, Sequence

from langchain_core.messages import BaseMessage, RemoveMessage

from streamgraph._streams.copying import copied_as
from streamgraph._streams.recorded import Change, Recorded
from streamgraph.constants import REMOVE_ALL_MESSAGES


class MessageList(List[BaseMessage], Recorded):
    """The messages of a state key, as the state holds them; a receiver gets a plain list.

    It is never changed: each merge makes another list. The lists that follow each other share one dict of places, to
    which each merge adds; an entry that does not fit a list was added by a later list or by one beside it. It has the
    places by the ids of the messages, which are strings, and by the identities of the objects, which are numbers: code
    may have given another id to a message that it got, and return it.
    """

    __slots__ = ("_changes", "_places")

    def __init__(self, messages: Iterable[BaseMessage], places: Optional[Dict[object, int]] = None) -> None:
        super().__init__(messages)
        self._places = places
        # What was changed since `follow`: the changes before, and those of the last merge; `None` if nobody asks.
        self._changes: object = None

    def follow(self, since: object) -> None:
        self._changes = since

    def changes(self, since: object) -> Optional[List[Change]]:
        merges: List[List[Change]] = []
        at = self._changes
        while type(at) is tuple:
            at, merge = at
            merges.append(merge)
        return [change for merge in reversed(merges) for change in merge] if at is since else None

    def place(self, id: Optional[str]) -> Optional[int]:  # noqa: A002  (the field's name)
        """Return where the message with this id is, or `None`; of several with one id, the last."""
        places = self._places
        if places is None:
            places = self._places = self._indexed()
        place = places.get(id)
        if place is None or place >= len(self):
            return None
        if self[place].id != id:
            self._places = None
            return self.place(id)
        return place

    def _indexed(self) -> Dict[object, int]:
        places: Dict[object, int] = {id(message): place for place, message in enumerate(self)}
        places.update((message.id, place) for place, message in enumerate(self))
        return places

    def _renamed(self, message: BaseMessage) -> Optional[int]:
        """Return where this very object is if it has got another id since, or `None`."""
        assert self._places is not None
        place = self._places.get(id(message))
        if place is None or place >= len(self) or self[place] is not message:
            return None
        self._places[message.id] = place
        return place

    def with_id(self, id: Optional[str]) -> Optional[BaseMessage]:  # noqa: A002  (the field's name)
        """Return the message with this id, if there is one."""
        place = self.place(id)
        return None if place is None else self[place]

    def merged(self, update: Sequence[BaseMessage]) -> MessageList:
        """Return a list with an update merged in: see `add_messages`.

        Args:
            update: Whole messages with ids.

        Raises:
            ValueError: A message to remove is not there.
        """
        before = self
        changes: List[Change] = []
        for index in range(len(update) - 1, -1, -1):
            if isinstance(update[index], RemoveMessage) and update[index].id == REMOVE_ALL_MESSAGES:
                before, update = MessageList(()), update[index + 1 :]
                changes.append(Change("clear"))
                break
        before.place(None)  # so that there are places to share
        after = MessageList(before, before._places)
        removed: Dict[int, None] = {}
        recording = self._changes is not None
        for message in update:
            place = after.place(message.id)
            if isinstance(message, RemoveMessage):
                if place is None:
                    after._places = None  # the message may have got this id since
                    place = after.place(message.id)
                if place is None:
                    raise ValueError(f"Attempting to delete a message with an ID that doesn't exist ({message.id!r})")
                removed[place] = None
                continue
            assert after._places is not None
            if place is None:
                place = after._renamed(message)
            if place is None:
                place = len(after)
                after._places[message.id] = place
                after.append(message)
                if recording:
                    changes.append(Change("add", place, message))
            else:
                after[place] = message
                removed.pop(place, None)
                if recording:
                    changes.append(Change("replace", place, message))
            after._places[id(message)] = place
        if removed:
            after = MessageList(message for place, message in enumerate(after) if place not in removed)
        if recording:
            changes += [Change("remove", place) for place in sorted(removed, reverse=True)]
            after._changes = (self._changes, changes)
        return after

    @staticmethod
    def recorded(value: object) -> object:
        """Return a list of whole messages with ids as a `MessageList`, and any other value as it is."""
        if type(value) is list and all(isinstance(message, BaseMessage) and message.id for message in value):
            return MessageList(value)
        return value


copied_as(MessageList, list)
