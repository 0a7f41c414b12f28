"""Errors of reading, and what stands for a value or an exception that cannot be made again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from streamgraph.errors import GraphError


class SerializationError(GraphError, ValueError):
    """The text is not what `dumps` or a `PartEncoder(exact=True)` writes, so nothing was made of it."""


class ClassNotAllowedError(SerializationError):
    """The text names a class that the reader has not allowed. Nothing was imported, and no object of it was made."""


@dataclass(frozen=True)
class Unserializable:
    """Stands for a value that could not be written, such as a lock, a connection or a function.

    Attributes:
        class_name: The class of the value, with its module.
        description: Its `repr`, cut after 1,000 characters, or the reason if it has none.
    """

    class_name: str
    description: str


class RemoteError(Exception):
    """Stands for an exception of a class that the reader has not allowed.

    `location_of` finds where it was raised, as for the original.

    Args:
        class_name: The class of the exception, with its module.
        message: What `str()` gave for it; `None` if that failed.
    """

    def __init__(self, class_name: str, message: Optional[str] = None) -> None:
        super().__init__(class_name, message)
        self.class_name = class_name
        self.message = message

    def __str__(self) -> str:
        return f"{self.class_name}: {self.message}" if self.message else self.class_name
