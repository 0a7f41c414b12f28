"""Values as they are stored: `Send`, `Command` and others under LangGraph's names, which both libraries can read.

A serializer stores an object by the module and name of its class. Ours are stored as the classes of `langgraph.types`
of the same name, and read back as ours: from LangGraph's own objects where it is installed, else by a hook of the
serializer.
"""

from __future__ import annotations

import copy
from importlib.util import find_spec
from typing import Any, Callable, Dict, Mapping, Sequence, Tuple

from streamgraph._compat.hashes import xxh3_128_hex
from streamgraph._interrupts import Interrupt
from streamgraph._types import Overwrite, Send
from streamgraph.types import Command

_MODULE = "langgraph.types"
_POSITIONAL, _KEYWORDS = 1, 2
"""The extension codes with which `JsonPlusSerializer` marks objects made of positional arguments and of keywords."""


class _StoredSend:
    """A `Send` in the form in which serializers recognise it."""

    __slots__ = ("arg", "node", "timeout")

    def __init__(self, send: Send) -> None:
        self.node, self.arg, self.timeout = send.node, send.arg, send.timeout

    def __hash__(self) -> int:  # the serializer looks for it, together with `node` and `arg`
        return id(self)

    def __reduce__(self) -> Tuple[object, ...]:
        return (to_stored, (Send(self.node, self.arg, timeout=self.timeout),))

    def __repr__(self) -> str:
        return f"Send(node={self.node!r}, arg={self.arg!r})"


class _StoredOverwrite:
    """An `Overwrite` in the same way, which is stored like a named tuple."""

    __slots__ = ("value",)

    def __init__(self, overwrite: Overwrite) -> None:
        self.value = overwrite.value

    def __reduce__(self) -> Tuple[object, ...]:
        return (to_stored, (Overwrite(self.value),))

    def _asdict(self) -> Dict[str, object]:
        return {"value": self.value}


class _StoredInterrupt:
    """An `Interrupt` in the same way."""

    __slots__ = ("_fields", "id", "value")

    def __init__(self, question: Interrupt) -> None:
        self.id, self.value = question.id, question.value
        self._fields: Dict[str, object] = {"value": question.value, "id": question.id}
        if question.response_schema is not None:  # LangGraph before 1.2 does not know the word
            self._fields["response_schema"] = question.response_schema

    def __reduce__(self) -> Tuple[object, ...]:
        schema: Any = self._fields.get("response_schema")
        return (to_stored, (Interrupt(self.value, self.id, response_schema=schema),))

    def _asdict(self) -> Dict[str, object]:
        return self._fields


class _StoredCommand:
    """A `Command` in the same way, with the `Send`s in it."""

    __slots__ = ("_command",)

    def __init__(self, command: Command) -> None:
        self._command = command

    def __reduce__(self) -> Tuple[object, ...]:
        return (to_stored, (self._command,))

    def _asdict(self) -> Dict[str, object]:
        command, goto = self._command, self._command.goto
        several = [to_stored(item) for item in goto] if isinstance(goto, (list, tuple)) else to_stored(goto)
        return {"graph": command.graph, "update": command.update, "resume": command.resume, "goto": several}


for _stored, _name in (
    (_StoredInterrupt, "Interrupt"),
    (_StoredSend, "Send"),
    (_StoredOverwrite, "Overwrite"),
    (_StoredCommand, "Command"),
):
    _stored.__module__, _stored.__name__, _stored.__qualname__ = _MODULE, _name, _name

_STORED: Dict[type, Callable[[Any], object]] = {
    Send: _StoredSend,
    Overwrite: _StoredOverwrite,
    Interrupt: _StoredInterrupt,
    Command: _StoredCommand,
}
_OURS: Dict[str, Callable[..., object]] = {
    "Send": Send,
    "Overwrite": Overwrite,
    "Interrupt": lambda **stored: _question(**stored),
    "Command": Command,
}


def to_stored(value: object) -> object:
    """Return a value as it is given to a saver; a list of `Send`s item by item."""
    make = _STORED.get(type(value))
    if make is not None:
        return make(value)
    if type(value) is list and value and type(value[0]) is Send:
        return [to_stored(item) for item in value]
    return value


def from_stored(value: object) -> object:
    """Return a value of a saver with our own classes in place of LangGraph's; a list item by item."""
    kind = type(value)
    if kind.__module__ == _MODULE:
        if kind.__name__ == "Send":
            return Send(value.node, value.arg, timeout=getattr(value, "timeout", None))  # type: ignore[attr-defined]
        if kind.__name__ == "Interrupt":
            schema = getattr(value, "response_schema", None)
            return Interrupt(value.value, value.id, response_schema=schema)  # type: ignore[attr-defined]
        if kind.__name__ == "Overwrite":
            return Overwrite(value.value)  # type: ignore[attr-defined]
        if kind.__name__ == "Command":
            goto: Any = from_stored(value.goto)  # type: ignore[attr-defined]
            return Command(graph=value.graph, update=value.update, resume=value.resume, goto=goto)  # type: ignore[attr-defined]
    if type(value) is list and any(type(item).__module__ == _MODULE for item in value):
        return [from_stored(item) for item in value]
    return value


def is_installed() -> bool:
    """Return True if the classes under whose names values are stored can be imported."""
    try:
        return find_spec(_MODULE) is not None
    except ModuleNotFoundError:
        return False


def readable(saver: Any) -> Any:
    """Return a saver that can read what is stored under LangGraph's names.

    Where LangGraph is installed this is the saver itself. Otherwise it is a copy that shares the storage, and whose
    serializer makes objects of our classes.

    Args:
        saver: The user's saver.
    """
    if is_installed():
        return saver
    serde = saver.serde
    inner = getattr(serde, "serde", None)  # that of an EncryptedSerializer
    reading = _with_hook(serde if inner is None else inner)
    if reading is None:
        return saver
    clone = copy.copy(saver)
    if inner is None:
        clone.serde = reading
    else:
        clone.serde = copy.copy(serde)
        clone.serde.serde = reading
    return clone


def _with_hook(serde: Any) -> Any:
    """Return a copy of a `JsonPlusSerializer` with our hook, or `None` for another serializer."""
    original = getattr(serde, "_unpack_ext_hook", None)
    if original is None:
        return None
    import ormsgpack

    def hook(code: int, data: bytes) -> object:
        if code in (_POSITIONAL, _KEYWORDS) and _MODULE.encode() in data[:40]:
            module, name, arguments = ormsgpack.unpackb(data, ext_hook=hook, option=ormsgpack.OPT_NON_STR_KEYS)[:3]
            if module == _MODULE and name in _OURS:
                return _build(name, arguments)
        return original(code, data)

    reading = copy.copy(serde)
    reading._unpack_ext_hook = hook
    return reading


def _question(value: object, id: str = "", ns: Sequence[str] = (), **_: object) -> Interrupt:  # noqa: A002
    """Return a stored question. LangGraph before 0.6 stored the namespace of its task in place of its id."""
    return Interrupt(value, id or xxh3_128_hex("|".join(ns)))


def _build(name: str, arguments: Any) -> object:
    if isinstance(arguments, Mapping):
        return _OURS[name](**arguments)
    if name == "Send":
        node, arg, *timeout = arguments
        return Send(node, arg, timeout=timeout[0] if timeout else None)
    return _OURS[name](*arguments)
