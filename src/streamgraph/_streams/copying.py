"""Containers at the border of the state: a receiver owns the container of each value, and shares what lies inside it.

A node may append to a list of its input, and a consumer may delete from a dict of a chunk, without changing the state,
an earlier chunk or another node. The elements are shared: copying them would make a step cost what the state holds,
instead of what the step changes. Elements that are changed in place are found by the checking mode.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from typing import AbstractSet, Any, Callable, Dict, FrozenSet, Iterator, Mapping, Optional, Tuple, Type

LARGE = 10
"""From how many elements on a container is copied only when it is asked for. To copy fewer costs less than to wait."""

COPIES: Dict[type, Callable[[Any], Any]] = {
    list: list.copy,
    dict: dict.copy,
    set: set.copy,
    bytearray: bytearray.copy,
    deque: deque.copy,
    defaultdict: defaultdict.copy,
    OrderedDict: OrderedDict.copy,
    Counter: Counter.copy,
}
"""The types of containers that are copied for each receiver. A step asks here itself, to spare calls of `own`."""

CONTAINERS: FrozenSet[type] = frozenset((*COPIES, tuple))
"""The types that `copy_containers` copies; every other object (a message, a model, an array) is handed out as it is."""


def copied_as(kind: Type[Any], copy: Callable[[Any], Any]) -> None:
    """Take a class among the containers.

    Args:
        kind: The class, of objects that the state holds and that nobody is to get.
        copy: Makes of such an object what a receiver gets.
    """
    COPIES[kind] = copy


def own(value: Any) -> Any:
    """Return a value with a container of its own; the elements are shared."""
    copy = COPIES.get(type(value))
    return value if copy is None else copy(value)


def own_values(values: Mapping[str, Any]) -> Dict[str, Any]:
    """Return a dict whose values are all owned by the receiver."""
    owned = dict(values)
    for key, value in values.items():
        if type(value) in COPIES:
            owned[key] = own(value)
    return owned


def own_input(given: Any) -> Any:
    """Return the input of a task, owned by the receiver: a dict and its values, or one value."""
    kind = type(given)
    if kind is CopyOnAccess:
        return given.untouched()
    if kind is not dict:
        return own(given)
    large = {key for key, value in given.items() if type(value) in COPIES and len(value) >= LARGE}
    if not large:
        return own_values(given)
    return CopyOnAccess.of({key: value if key in large else own(value) for key, value in given.items()}, large)


def plain_input(given: Any) -> Any:
    """Return the input of a task as a chunk shows it: owned, and of no class of this package.

    Args:
        given: The input; the arguments of a subtask are a tuple of the positional ones and a dict of the others.
    """
    if isinstance(given, CopyOnAccess):
        return own_values(given.original)
    if type(given) is tuple and len(given) == 2 and type(given[0]) is tuple and type(given[1]) is dict:
        return tuple(map(own, given[0])), own_values(given[1])
    return own_values(given) if type(given) is dict else own(given)


class CopyOnAccess(Dict[str, Any]):
    """A dict whose large values are copied when they are first asked for.

    It is the input of a node: most nodes look at few keys of a state. To the node it is a dict of values that are its
    own; only its class is another one. Two threads that ask for one value at once get the same copy.

    Code written in C that reads a dict without asking for its items (a validator of pydantic's) sees the uncopied
    values, which is the same as long as it changes nothing.
    """

    __slots__ = ("_copies", "_shared", "original")

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Return a plain dict: code that makes another one of the type of its input gets what it expects of a dict."""
        return dict(*args, **kwargs)

    original: Mapping[str, Any]
    """The values as they were given, none of which may be changed."""
    _shared: Dict[str, None]
    _copies: Dict[str, Any]

    @classmethod
    def of(cls, values: Mapping[str, Any], shared: AbstractSet[str]) -> CopyOnAccess:
        """Return a dict of these values, of which those of the keys `shared` have yet to be copied."""
        made: CopyOnAccess = dict.__new__(cls)
        dict.update(made, values)
        made.original = values
        made._shared = dict.fromkeys(key for key in shared if key in values)
        made._copies = {}
        return made

    def raw(self) -> Dict[str, Any]:
        """Return the current values as they are, for code that changes none of them."""
        # `dict.copy` may ask for the items of a subclass.
        return {key: dict.__getitem__(self, key) for key in dict.keys(self)}

    def untouched(self) -> CopyOnAccess:
        """Return another one with the values that were given, of which the large ones have yet to be copied."""
        return own_input(dict(self.original))  # type: ignore[no-any-return]

    def _own(self, key: str) -> Any:
        # In this order, each step of which is atomic: whoever comes meanwhile finds the same copy.
        value = self._copies.setdefault(key, own(dict.__getitem__(self, key)))
        dict.__setitem__(self, key, value)
        self._shared.pop(key, None)
        return value

    def _own_all(self) -> None:
        for key in tuple(self._shared):
            self._own(key)

    def __getitem__(self, key: str) -> Any:
        return self._own(key) if key in self._shared else dict.__getitem__(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        self._shared.pop(key, None)
        dict.__setitem__(self, key, value)

    def __delitem__(self, key: str) -> None:
        self._shared.pop(key, None)
        dict.__delitem__(self, key)

    def __iter__(self) -> Iterator[str]:
        # Without a method of its own, `{**state}` and `dict(state)` would read the values without asking for them.
        return dict.__iter__(self)

    def __or__(self, other: Any) -> Any:
        self._own_all()
        return dict.copy(self) | other if isinstance(other, dict) else NotImplemented

    def __ror__(self, other: Any) -> Any:
        self._own_all()
        return other | dict.copy(self) if isinstance(other, dict) else NotImplemented

    def __ior__(self, other: Any) -> Any:
        self.update(other)
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        return dict, (self.copy(),)

    def __copy__(self) -> Dict[str, Any]:
        return self.copy()

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default."""
        return self._own(key) if key in self._shared else dict.get(self, key, default)

    def values(self) -> Any:
        """Return a view of the values."""
        self._own_all()
        return dict.values(self)

    def items(self) -> Any:
        """Return a view of the items."""
        self._own_all()
        return dict.items(self)

    def copy(self) -> Dict[str, Any]:
        """Return a plain dict of the same values."""
        self._own_all()
        return dict.copy(self)

    def pop(self, key: str, *default: Any) -> Any:
        """Remove a key and return its value."""
        if key in self._shared:
            self._own(key)
        return dict.pop(self, key, *default)

    def popitem(self) -> Tuple[str, Any]:
        """Remove the last item and return it."""
        self._own_all()
        return dict.popitem(self)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, which is set to the default if there is none."""
        return self._own(key) if key in self._shared else dict.setdefault(self, key, default)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set items."""
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def clear(self) -> None:
        """Remove all items."""
        self._shared.clear()
        dict.clear(self)


# A node may hand its input on as a value of something else, such as the state that an agent sends with a tool call.
copied_as(CopyOnAccess, CopyOnAccess.copy)

_FLAT = frozenset((set, bytearray, Counter))


def copy_containers(value: Any, memo: Optional[Dict[int, Any]] = None) -> Any:
    """Copy the containers in `value`, at every depth, and share everything else.

    For what is small and passes through many hands: the metadata of messages, partial objects, chunks of models.
    """
    kind = type(value)
    if kind not in CONTAINERS:
        return value
    if memo is None:
        memo = {}
    elif id(value) in memo:
        return memo[id(value)]
    if kind in _FLAT:
        copied = memo[id(value)] = value.copy()
        return copied
    if kind is tuple:
        items = [copy_containers(item, memo) if type(item) in CONTAINERS else item for item in value]
        same = all(new is old for new, old in zip(items, value))
        return value if same else tuple(items)
    copied = memo[id(value)] = value.copy()
    if isinstance(value, dict):
        for key, item in value.items():
            if type(item) in CONTAINERS:
                copied[key] = copy_containers(item, memo)
    else:
        for index, item in enumerate(value):
            if type(item) in CONTAINERS:
                copied[index] = copy_containers(item, memo)
    return copied
