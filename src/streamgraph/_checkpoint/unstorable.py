"""Finds the value that a saver could not store."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Optional, Tuple

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
            path, culprit = _innermost(serde, f"state[{key!r}]", value)
            kind = f"{type(culprit).__module__}.{type(culprit).__qualname__}"
            return UnstorableValueError(
                f"{path} is a {kind}, which cannot be stored: {error}",
                node=node,
                key=key,
                hint="Keep in the state what can be serialised, or give the saver a serializer that can do it.",
            )
    return None


def _fails(serde: Any, value: object) -> bool:
    try:
        serde.dumps_typed(value)
    except Exception:
        return True
    return False


def _innermost(serde: Any, path: str, value: object) -> Tuple[str, object]:
    """Return the path and the value of the innermost part that cannot be serialised."""
    inner: Iterable[Tuple[object, object]] = ()
    if isinstance(value, Mapping):
        inner = value.items()
    elif isinstance(value, (list, tuple)):
        inner = enumerate(value)
    for key, part in inner:
        if _fails(serde, part):
            return _innermost(serde, f"{path}[{key!r}]", part)
    return path, value
