"""Containers of the state that know what has changed in them since a moment."""

from __future__ import annotations

import marshal
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
    """A list that can say what has changed since an earlier list, of which it was made.

    Its methods are abstract without `abc`: each step asks of its values whether they are such lists, and `isinstance`
    takes three times as long for an abstract class.
    """

    __slots__ = ()

    def follow(self, since: object) -> None:
        """Record what changes in the lists that are made of this one.

        Args:
            since: Stands for this list, in later calls of `changes`.
        """
        raise NotImplementedError  # abstract

    def changes(self, since: object) -> Optional[List[Change]]:
        """Return what has changed since a call of `follow`, or `None` if that is not known.

        Args:
            since: What `follow` was called with.
        """
        raise NotImplementedError  # abstract


def fingerprint(element: object) -> Optional[int]:
    """Return a number that another one of the same object is equal to only if nothing has changed in the object.

    Args:
        element: The object.

    Returns:
        The number; `None` if the object has values in it that are not plain data, which may change unnoticed.
    """
    try:
        # The second version, since the later ones depend on how often a text is referred to.
        return hash(marshal.dumps((vars(element), getattr(element, "__pydantic_extra__", None)), 2))
    except (TypeError, ValueError):
        return None
