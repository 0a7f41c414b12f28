"""Finding nodes that change the state in place: the checking mode.

What lies inside the values of a state is shared by all who see it (`_streams/copying.py`), so a node must not change
it. With the checking mode on, each node gets copies of what is shared, and after it has ended they are compared with
what they were. The change is reported for the node that made it, and reaches nobody.
"""

from __future__ import annotations

import copy
import dataclasses
import os
from collections import deque
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from streamgraph._core.action import Action
from streamgraph._core.task import Task
from streamgraph._protocols import Call, Work
from streamgraph._streams.copying import COPIES, CopyOnAccess, own
from streamgraph._streams.watchdog import Watchdog
from streamgraph.errors import StateMutationError

ENVIRONMENT = "STREAMGRAPH_CHECK_MUTATIONS"
"""The environment variable that turns the checking mode on for all graphs, unless it is empty or 0."""


def checks_by_default() -> bool:
    """Whether the environment asks for the checking mode."""
    return os.environ.get(ENVIRONMENT, "0") not in ("", "0")


class _Tracked(NamedTuple):
    """A copy of something shared, and what it held when it was made."""

    path: str
    copied: Any
    held: Mapping[Any, Any]


class TrackedInput:
    """The input of a node, with copies of everything in it that is shared.

    Args:
        given: The input: a mapping or object with the keys of the state, or the one value of a root state.
    """

    def __init__(self, given: Any) -> None:
        self._tracked: List[_Tracked] = []
        self._memo: Dict[int, Any] = {}
        self.value = self._state(given)
        """What the node gets."""

    def check(self, node: str, step: int) -> None:
        """Compare the copies with what they were.

        Args:
            node: The node that has ended.
            step: Its superstep.

        Raises:
            StateMutationError: One was changed in place.
        """
        for path, copied, held in self._tracked:
            now = _held(copied)
            changed = next(
                (key for key in {**held, **now} if not _same(held, now, key) and not _named(copied, held, key)),
                _NOTHING,
            )
            if changed is not _NOTHING:
                where = path if isinstance(copied, (set, frozenset)) else path + _step(copied, changed)
                raise StateMutationError(where, node=node, step=step)

    def _state(self, given: Any) -> Any:
        if isinstance(given, dict):
            values = given.original if isinstance(given, CopyOnAccess) else given
            return {key: self._value(value, f"state[{key!r}]") for key, value in values.items()}
        if _is_object(given):
            return self._copy_of(given, "state", own_values=True)
        return self._value(given, "state")

    def _value(self, value: Any, path: str) -> Any:
        """Return a value of the state: the container is the node's own, and what is in it is shared."""
        if type(value) not in COPIES:
            return self._shared(value, path)
        mine = own(value)
        for key, item in _held(mine).items():
            _put(mine, key, self._shared(item, path + _step(mine, key)))
        return mine

    def _shared(self, value: Any, path: str) -> Any:
        """Return a copy of something that is shared, and keep track of it."""
        if id(value) in self._memo:
            return self._memo[id(value)]
        if isinstance(value, tuple) and type(value) is tuple:
            return tuple([self._shared(item, f"{path}[{index}]") for index, item in enumerate(value)])
        if type(value) in COPIES:
            mine = self._memo[id(value)] = own(value)
            for key, item in _held(mine).items():
                _put(mine, key, self._shared(item, path + _step(mine, key)))
        elif _is_object(value):
            mine = self._copy_of(value, path)
        else:
            return value
        self._tracked.append(_Tracked(path, mine, _held(mine)))
        return mine

    def _copy_of(self, value: Any, path: str, *, own_values: bool = False) -> Any:
        mine = self._memo[id(value)] = copy.copy(value)
        for name, item in _held(mine).items():
            place = f"{path}.{name}"
            _put(mine, name, self._value(item, place) if own_values else self._shared(item, place))
        return mine


_NOTHING: Any = object()


def _is_object(value: object) -> bool:
    return isinstance(value, BaseModel) or (dataclasses.is_dataclass(value) and not isinstance(value, type))


def _held(value: Any) -> Dict[Any, Any]:
    """Return what a container or object holds: by key, place or name. Of a set each member is its own key."""
    if isinstance(value, dict):
        return dict(value)
    if isinstance(value, (list, deque)):
        return dict(enumerate(value))
    if isinstance(value, (set, frozenset)):
        return dict.fromkeys(value)
    if isinstance(value, bytearray):
        return {0: bytes(value)}
    if isinstance(value, BaseModel):
        return {**value.__dict__, **(value.__pydantic_extra__ or {})}
    return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}


def _named(copied: object, held: Mapping[Any, Any], key: object) -> bool:
    """Return whether the change is the id that a message got when it entered the state of a nested graph."""
    return key == "id" and held.get("id") is None and isinstance(copied, BaseMessage)


def _put(value: Any, key: Any, item: Any) -> None:
    if isinstance(value, (dict, list, deque)):
        value[key] = item
    elif isinstance(value, BaseModel):
        held = value.__dict__ if key in value.__dict__ else value.__pydantic_extra__
        assert held is not None
        held[key] = item
    elif dataclasses.is_dataclass(value):
        object.__setattr__(value, key, item)  # it may be frozen


def _step(value: object, key: object) -> str:
    if isinstance(value, (dict, list, deque)):
        return f"[{key!r}]"
    return f".{key}" if _is_object(value) else ""


def _same(before: Mapping[object, object], now: Mapping[object, object], key: object) -> bool:
    if key not in before or key not in now:
        return False
    old, new = before[key], now[key]
    if old is new:
        return True
    # What can be changed is tracked itself, and was replaced; anything else may be equal without being the same.
    if type(old) is not type(new) or type(old) in COPIES or _is_object(old):
        return False
    try:
        return bool(old == new)
    except Exception:
        return False  # such as arrays, whose comparison has no truth


def checked_call(action: Action, task: Task, invocation: object, watch: Optional[Watchdog]) -> Work[Any]:
    """Call a node in the checking mode.

    Args:
        action: The node.
        task: Its task.
        invocation: The config and scope that it gets.
        watch: How long it may take.

    Raises:
        StateMutationError: The node has changed the state in place.
    """
    checked = TrackedInput(task.input)
    task.input = checked.value
    result = yield Call(action, (task.input, invocation), False, watch)
    checked.check(task.name, task.step)
    return result
