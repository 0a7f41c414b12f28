"""The classes in a graph's schemas: a strict serializer makes objects of no others but the standard ones.

With `LANGGRAPH_STRICT_MSGPACK`, or a serializer that was given `allowed_msgpack_modules`, an object of another class
comes back as a plain dict. The classes that a schema names are the ones that its graph stores, so they are allowed.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, Collection, FrozenSet, Iterable, Set, Tuple

from pydantic import BaseModel
from typing_extensions import get_args, get_type_hints, is_typeddict

from streamgraph._checkpoint.distribution import announced_types

TypeName = Tuple[str, str]
"""The module and the name of a class."""


def with_types(saver: Any, types: Collection[TypeName]) -> Any:
    """Return a saver that may make objects of these classes: the saver itself, if it may make any.

    Args:
        saver: The saver.
        types: The classes.
    """
    if not types:
        return saver
    serde = getattr(saver, "serde", None)
    serde = getattr(serde, "serde", serde)  # that of an EncryptedSerializer
    allowed = getattr(serde, "_allowed_msgpack_modules", True)
    if allowed is True:
        announced_types().update(types)
        return saver
    return saver if allowed and allowed.issuperset(types) else saver.with_allowlist(types)


def classes_in(hints: Iterable[Any]) -> FrozenSet[TypeName]:
    """Return the classes that type hints name, and those that the fields of these classes name, and so on.

    Args:
        hints: The hints: classes, `Optional[X]`, `List[X]`, `Annotated[X, ...]`, and others.
    """
    found: Set[TypeName] = set()
    seen: Set[int] = set()
    todo = list(hints)
    while todo:
        hint = todo.pop()
        if id(hint) in seen:
            continue
        seen.add(id(hint))
        todo += get_args(hint)
        todo += _inside(hint)
        if inspect.isclass(hint) and hint.__module__ not in ("builtins", "typing", "typing_extensions"):
            found.add((hint.__module__, hint.__name__))
    return frozenset(found)


def _inside(hint: Any) -> Iterable[Any]:
    """Return the hints that a class or a `NewType` is made of."""
    if hasattr(hint, "__supertype__"):
        return (hint.__supertype__,)
    if not inspect.isclass(hint):
        return ()
    if issubclass(hint, BaseModel):
        return [field.annotation for field in hint.model_fields.values()]
    if is_typeddict(hint) or dataclasses.is_dataclass(hint) or hasattr(hint, "_fields"):
        try:
            return get_type_hints(hint).values()
        except Exception:  # hints that cannot be evaluated are reported when the graph is built
            return ()
    return ()
