"""Values on their way between a run and its workers, as exact JSON.

Workers are processes of the same program, so that a class is found by its name. What has no form that can be read back
is refused before anything is sent.
"""

from __future__ import annotations

import importlib
from typing import Any, Mapping, Optional, Union

from streamgraph.errors import UnsendableValueError
from streamgraph.serialization import PartDecoder, PartEncoder
from streamgraph.serialization._exact import ExactWriter
from streamgraph.serialization._reader import Reader
from streamgraph.serialization._registry import Registry


class _Importing(Registry):
    """Finds a class by importing the module in which it was defined."""

    def find(self, name: object) -> type:
        """Return the class of a name."""
        found = self._imported(name)
        return super().find(name) if found is None else found

    def knows(self, name: object) -> bool:
        """Return whether there is a class of this name."""
        return super().knows(name) or self._imported(name) is not None

    def _imported(self, name: object) -> Optional[type]:
        if not isinstance(name, str) or super().knows(name):
            return None
        module, _, path = name.partition(":")
        try:
            found: object = importlib.import_module(module)
            for part in path.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError, ValueError):
            return None
        return found if isinstance(found, type) else None


class Decoder(PartDecoder):
    """Reads what another process of the same program has written."""

    def __init__(self) -> None:
        super().__init__()
        self._reader = Reader(_Importing())


class Encoder(PartEncoder):
    """Writes parts of the stream for another process of the same program."""

    def __init__(self) -> None:
        super().__init__(exact=True)


def is_sendable(value: object) -> bool:
    """Return whether another process can make the same value again."""
    writer = ExactWriter()
    writer.write(value)
    return not writer.lost


def packed(values: Mapping[str, object], *, node: str, what: Mapping[str, str]) -> bytes:
    """Return named values as one text.

    Args:
        values: The values by their names.
        node: The node whose task they belong to.
        what: How errors call a value, by its name, if it is not called by that.

    Raises:
        UnsendableValueError: One of them cannot be made again by another process.
    """
    writer = ExactWriter()
    text = writer.write(values)
    if writer.lost:
        for name, value in values.items():
            check_sendable(value, what.get(name, name), node)
    return text


def check_sendable(value: object, what: str, node: str) -> None:
    """Raise an error if a value cannot be made again by another process; it names the place in a mapping.

    Args:
        value: The value.
        what: What it is.
        node: The node whose task it belongs to.

    Raises:
        UnsendableValueError: It cannot.
    """
    if is_sendable(value):
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            check_sendable(inner, f"{what}[{key!r}]", node)
    raise UnsendableValueError(
        f"{what} is {value!r:.80} of type {type(value).__name__}, which cannot be sent between processes",
        node=node,
        hint="Messages, documents, pydantic models, dataclasses and plain data can; make other objects on the worker.",
    )


def unpacked(text: Union[bytes, str]) -> Any:
    """Return what `packed` was given."""
    return Decoder().decode(text)
