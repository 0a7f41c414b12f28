"""Copies of values that leave the state, so that no outside code holds a container of the state."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any, Dict, FrozenSet, Optional

CONTAINERS: FrozenSet[type] = frozenset(
    (list, dict, set, tuple, bytearray, deque, defaultdict, OrderedDict, Counter),
)
"""The types that are copied; every other object (a message, a model, an array) is shared."""

_FLAT = frozenset((set, bytearray, Counter))


def copy_containers(value: Any, memo: Optional[Dict[int, Any]] = None) -> Any:
    """Copy the containers in `value`, at every depth, and share everything else.

    A deep copy would also copy messages and models, which is slow and breaks identity; a shallow one
    would leave nested lists shared with the state.
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
