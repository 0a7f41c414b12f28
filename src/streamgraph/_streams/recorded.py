"""Containers of the state that know what has changed in them since a moment."""

from __future__ import annotations

from typing import List, NamedTuple, Optional

from typing_extensions import Literal


class Change(NamedTuple):
    """One change of a list; several are made one after another.

    Attributes:
        kind: An element was added at the end, replaced, or removed; or the list was emptied.
        place: The place of the element at that moment.
        element: The new element.
    """

    kind: Literal["add", "replace", "remove", "clear"]
    place: int = 0
    element: object = None


class Recorded:
    """A list that can say what has changed since an earlier list, of which it was made."""

    __slots__ = ()

    def follow(self, since: object) -> None:
        """Record what changes in the lists that are made of this one.

        Args:
            since: Stands for this list, in later calls of `changes`.
        """
        raise NotImplementedError

    def changes(self, since: object) -> Optional[List[Change]]:
        """Return what has changed since a call of `follow`, or `None` if that is not known.

        Args:
            since: What `follow` was called with.
        """
        raise NotImplementedError
