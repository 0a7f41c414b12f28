"""What is used of the distribution `langgraph-checkpoint`, which is imported with the first run that is saved.

It is installed under the name of LangGraph, of which it needs nothing.
"""

from __future__ import annotations

from sys import modules
from typing import Any, FrozenSet, Set

from streamgraph.errors import MissingPackageError

_PLAIN = tuple(f"langgraph.checkpoint.{name}" for name in ("base", "memory", "sqlite", "postgres"))


def new_id(step: int) -> str:
    """Return a new id for a checkpoint: later ones are greater.

    Args:
        step: The number of its step.

    Raises:
        MissingPackageError: The distribution is not installed.
    """
    try:
        from langgraph.checkpoint.base.id import uuid6
    except ImportError as error:
        raise MissingPackageError(
            "Saved runs need the package langgraph-checkpoint",
            hint="Install it: pip install 'streamgraph[persistence]'.",
        ) from error
    return str(uuid6(clock_seq=step & 0x3FFF))


def unusable_methods(name: str) -> FrozenSet[Any]:
    """Return the methods of savers that must not be called, under a name and its async twin.

    Those of the base class raise an error. The async ones of the saver in memory block the loop while they serialise.

    Args:
        name: The name of the sync method.
    """
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.checkpoint.memory import InMemorySaver

    base = (getattr(BaseCheckpointSaver, name, None), getattr(BaseCheckpointSaver, f"a{name}", None))
    return frozenset((*base, getattr(InMemorySaver, f"a{name}", None)))


def orders_writes(saver: object) -> bool:
    """Return True for a saver that is known to return the writes of a step in the order of its tasks.

    Those of the distribution do so since the function exists by which they sort.
    """
    for kind in type(saver).__mro__:
        package = ".".join(kind.__module__.split(".")[:3])
        places = (package, f"{package}.utils", f"{package}.base")
        if package.startswith("langgraph.checkpoint.") and package != "langgraph.checkpoint.base":
            return any(hasattr(modules.get(place), "writes_sort_key") for place in places)
    return False


def plain_serializer(saver: Any) -> Any:
    """Return the `JsonPlusSerializer` of a saver that gives it what it is to store; `None` for all others.

    Others may look into what they store, or hand it to a database in a form of their own.
    """
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    for name in ("put", "aput"):
        if not getattr(type(saver), name).__module__.startswith(_PLAIN):
            return None
    serde = saver.serde
    serde = getattr(serde, "serde", serde)  # that of an EncryptedSerializer
    plain = type(serde) is JsonPlusSerializer and "dumps_typed" not in vars(serde)
    return serde if plain and not serde.pickle_fallback else None


def is_in_memory(saver: object) -> bool:
    """Return True for the distribution's saver in memory, or one of a subclass."""
    from langgraph.checkpoint.memory import InMemorySaver

    return isinstance(saver, InMemorySaver)


def announced_types() -> Set[Any]:
    """Return the classes of which the distribution's serializer says no more that it was not told of them.

    It says so once for each class, when it makes the first object of it. The classes in the schemas of a graph were
    named by the user, so there is nothing to say about them.
    """
    from langgraph.checkpoint.serde import jsonplus

    return getattr(jsonplus, "_warned_unregistered_types", set())


def store_class() -> type:
    """Return the base class of stores."""
    from langgraph.store.base import BaseStore

    return BaseStore
