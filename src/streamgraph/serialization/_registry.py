"""The classes that may be named in JSON: those of this package and of LangChain's data, and what a reader allows."""

from __future__ import annotations

import builtins
from functools import lru_cache
from types import MappingProxyType
from typing import Dict, FrozenSet, Iterable, Mapping, Tuple, Type

from langchain_core import documents, messages
from langchain_core.messages import BaseMessage

from streamgraph import errors, types
from streamgraph._locations import ErrorLocation
from streamgraph._streams import log_errors
from streamgraph.serialization._errors import ClassNotAllowedError, SerializationError, Unserializable

_DATA = (
    "Command", "Gap", "GraphOutput", "Heartbeat", "Interrupt", "Overwrite", "Paused", "PregelTask", "RunFailure",
    "RunningTask", "Send", "StateSnapshot", "StateUpdate", "TimeoutPolicy", "Unstreamed",
)  # fmt: skip
_DOCUMENTS = ("Document",)


def _message_classes() -> Dict[str, Type[BaseMessage]]:
    """Return the classes of messages of langchain-core by what their field `type` holds."""
    found: Dict[str, Type[BaseMessage]] = {}
    for name in messages.__all__:
        cls = getattr(messages, name)
        if isinstance(cls, type) and issubclass(cls, BaseMessage):
            typ = cls.model_fields["type"].default
            if isinstance(typ, str):
                found[typ] = cls
    return found


MESSAGES: Mapping[str, Type[BaseMessage]] = MappingProxyType(_message_classes())
"""The classes of messages of langchain-core by what their field `type` holds."""


def name_of(cls: type) -> str:
    """Return the name of a class in JSON: its public place for a class of this package, else where it was defined."""
    known = _OWN_NAMES.get(cls)
    return known or f"{cls.__module__}:{cls.__qualname__}"


def _named() -> Dict[str, type]:
    named: Dict[str, type] = {f"streamgraph.types:{name}": getattr(types, name) for name in _DATA}
    named["streamgraph.errors:ErrorLocation"] = ErrorLocation
    named["streamgraph.serialization:Unserializable"] = Unserializable
    for name, cls in vars(log_errors).items():
        if isinstance(cls, type) and cls.__module__ == log_errors.__name__:
            named[f"streamgraph.runs:{name}"] = cls
    for name, cls in vars(errors).items():
        own = isinstance(cls, type) and cls.__module__.startswith("streamgraph")
        if own and (issubclass(cls, BaseException) or name == "NodeError"):
            named[f"streamgraph.errors:{name}"] = cls
    return named


_NAMED = _named()
_OWN_NAMES: Dict[type, str] = {cls: name for name, cls in _NAMED.items()}
_BUILTIN_ERRORS: Dict[str, type] = {
    f"builtins:{name}": cls
    for name, cls in vars(builtins).items()
    if isinstance(cls, type) and issubclass(cls, BaseException)
}
_PLAIN_TYPES = {f"builtins:{cls.__qualname__}": cls for cls in (bool, bytes, dict, float, int, list, set, str, tuple)}


class Registry:
    """Finds classes by their names in JSON, and nothing else: it imports no module.

    Args:
        allow: The classes of the reader.

    Raises:
        TypeError: Something in `allow` is not a class.
        SerializationError: Two classes in `allow` have the same name.
    """

    def __init__(self, allow: Iterable[type] = ()) -> None:
        self._classes: Dict[str, type] = {
            **_BUILTIN_ERRORS,
            **_PLAIN_TYPES,
            **_NAMED,
            **{name_of(cls): cls for cls in MESSAGES.values()},
            **{name_of(cls): cls for cls in (getattr(documents, name) for name in _DOCUMENTS)},
        }
        own: Dict[str, type] = {}
        for cls in allow:
            if not isinstance(cls, type):
                raise TypeError(f"allow= takes classes, and got {cls!r:.100} of type {type(cls).__name__}.")
            name = name_of(cls)
            if own.setdefault(name, cls) is not cls:
                raise SerializationError(
                    f"Two classes in allow= have the name {name!r}",
                    hint="Only one class can be found by a name: give one of them another module or name.",
                )
        self._classes.update(own)
        self.allowed: Tuple[str, ...] = tuple(own)

    def find(self, name: object) -> type:
        """Return the class of a name.

        Raises:
            ClassNotAllowedError: The reader has not allowed a class of this name.
        """
        cls = self._classes.get(name) if isinstance(name, str) else None
        if cls is None:
            raise ClassNotAllowedError(
                f"The JSON names the class {name!r:.200}, which is not allowed",
                name=name,
                known=self.allowed,
                hint="If the text is trusted to name it, give the class itself: allow=[...].",
            )
        return cls

    def knows(self, name: object) -> bool:
        """Return whether there is a class of this name."""
        return isinstance(name, str) and name in self._classes


@lru_cache(maxsize=64)
def registry_of(allow: FrozenSet[type]) -> Registry:
    """Return the registry of a set of classes, made once."""
    return Registry(sorted(allow, key=name_of))
