"""Entries of a task's `configurable` that are made when somebody looks at it.

Most tasks call nothing of LangGraph's, and what its graphs look for takes longer to make than a step of a small graph.
"""

from __future__ import annotations

from typing import Any, Callable, Dict


class Entries(Dict[str, Any]):
    """A `configurable` with all of its entries.

    It is made like a dict, of the entries that are there already: a constructor in Python would be a part of each step.

    Attributes:
        make: Returns the others, given those; set by who makes it.
    """

    __slots__ = ("make",)

    make: Callable[[Dict[str, Any]], Dict[str, Any]]


class LazyEntries(Entries):
    """A `configurable` whose further entries are made at the first look at it; then it is an `Entries`."""

    __slots__ = ()

    def fill(self) -> None:
        """Make the entries."""
        dict.update(self, self.make(dict(dict.items(self))))
        self.__class__ = Entries  # type: ignore[assignment]


def _looks(name: str) -> Callable[..., Any]:
    """Return a method of `dict` that makes the entries first."""
    method = getattr(dict, name)

    def look(self: LazyEntries, *args: Any, **kwargs: Any) -> Any:
        if type(self) is LazyEntries:  # else another thread has made them meanwhile
            self.fill()
        return method(self, *args, **kwargs)

    look.__name__ = name
    return look


for _name in (
    *("__contains__", "__delitem__", "__eq__", "__getitem__", "__iter__", "__len__", "__ne__", "__repr__"),
    *("__reversed__", "__setitem__", "copy", "get", "items", "keys", "pop", "popitem", "setdefault", "update"),
    *("values", "__or__", "__ror__", "__ior__", "__reduce_ex__"),
):
    if hasattr(dict, _name):
        setattr(LazyEntries, _name, _looks(_name))
