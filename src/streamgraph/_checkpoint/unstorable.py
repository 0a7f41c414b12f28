"""Finds the value that a saver could not store."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any, Iterable, Mapping, Optional, Tuple

from pydantic import BaseModel

from streamgraph.errors import UnstorableValueError


def unstorable(
    saver: Any, error: BaseException, values: Iterable[Tuple[str, object]], node: Optional[str]
) -> Optional[UnstorableValueError]:
    """Return an error that names the value which cannot be stored, or `None` if all of them can.

    Args:
        saver: The saver.
        error: What it raised.
        values: What it was to store, by key.
        node: The node that wrote it, if it is known.
    """
    serde = getattr(saver, "serde", None)
    if serde is None or not isinstance(error, Exception):
        return None
    for key, value in values:
        if _fails(serde, value):
            path, culprit = _innermost(serde, _WHERE.get(key, f"state[{key!r}]"), value)
            kind = f"{type(culprit).__module__}.{type(culprit).__qualname__}"
            return UnstorableValueError(
                f"{path} is a {kind}, which cannot be stored: {error}",
                node=node,
                key=key,
                hint="Keep in the state what can be serialised, or give the saver a serializer that can do it.",
            )
    return None


_WHERE: Mapping[str, str] = {
    "__interrupt__": "question",
    "__pregel_tasks": "Send",
    "__resume__": "answers",
    "__start__": "input",
}
"""What is stored under names of LangGraph."""


def _fails(serde: Any, value: object) -> bool:
    try:
        serde.dumps_typed(value)
    except Exception:
        return True
    return False


def _innermost(serde: Any, path: str, value: object) -> Tuple[str, object]:
    """Return the path and the value of the innermost part that cannot be serialised."""
    for step, part in _parts(value):
        if _fails(serde, part):
            return _innermost(serde, path + step, part)
    return path, value


def _parts(value: Any) -> Iterable[Tuple[str, object]]:
    """Yield the parts of a value, each with the step to it: items of containers, and what objects of data hold."""
    if isinstance(value, Mapping):
        return [(f"[{key!r}]", part) for key, part in value.items()]
    if isinstance(value, (list, tuple)):
        return [(f"[{index}]", part) for index, part in enumerate(value)]
    if type(value).__module__ == "langgraph.types":  # under this name ours are stored
        return [(f".{name}", getattr(value, name)) for name in ("value", "arg") if hasattr(value, name)]
    if is_dataclass(value) or isinstance(value, BaseModel):
        return [(f".{name}", part) for name, part in getattr(value, "__dict__", {}).items()]
    return ()
