"""Writes and reads the parts of a stream."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple, Union, cast

from langchain_core.messages import BaseMessage

from streamgraph.serialization._errors import SerializationError
from streamgraph.serialization._exact import ExactWriter
from streamgraph.serialization._plain import PlainWriter
from streamgraph.serialization._reader import Reader, parsed
from streamgraph.serialization._registry import MESSAGES, Registry, registry_of
from streamgraph.serialization._text import TAG, is_sound, written_text
from streamgraph.serialization._writer import Items, Writer, token_json
from streamgraph.types import StreamPart

_PAIRS = ("messages", "objects")
"""The modes whose data is a tuple of two, which is an array in JSON."""

_TEXT = "\x00the text of a token\x00"
"""Stands for the text of a token while what is around it is written; nothing else in a token is like it."""

_REMEMBERED = 256
"""Of how many messages, and how many namespaces, the JSON of metadata is kept."""


class PartEncoder:
    """Writes the parts of a stream as JSON, one text without line breaks for each.

    A part of `version="v2"` becomes `{"type": ..., "ns": [...], "data": ...}`, with `interrupts` for `values`; the data
    of `messages` is `[message, metadata]`. Chunks of `version="v1"`, and any other value, are written as they are.

    Nothing raises in the middle of a stream: what cannot be written becomes a placeholder. The metadata of a message is
    written once and used again for its other tokens, so an encoder is best kept for a whole stream. Threads may share
    it.

    Args:
        exact: `False`, the default, writes plain JSON for clients: no tags, dates as text, sets as arrays, `NaN` as
            `null`, errors as `{"error", "message"}`. `True` writes what `PartDecoder` and `loads` read back exactly:
            the same text for what JSON knows, and objects with `$type` for everything else.
    """

    def __init__(self, *, exact: bool = False) -> None:
        self.exact = exact
        self._metadata: Dict[Optional[str], Tuple[Dict[str, Any], bytes]] = {}
        self._heads: Dict[Tuple[str, Tuple[str, ...]], bytes] = {}

    def encode(self, chunk: object) -> bytes:
        """Return a chunk as JSON, in UTF-8.

        Args:
            chunk: A part of `version="v2"`, or any other value.
        """
        if type(chunk) is dict and "type" in chunk and "data" in chunk and "ns" in chunk:
            if _is_part(chunk):
                mode, ns = chunk["type"], chunk["ns"]
                head = self._heads.get((mode, ns)) or self._head(mode, ns)
                if head:
                    return self._part(head, mode, chunk["data"], chunk.get("interrupts"))
            if self.exact:
                # A reader would take it for a part: it says that it is none.
                writer = self._writer()
                pairs = Items([Items(pair) for pair in chunk.items()])
                return writer.json_object([(TAG, "dict"), ("value", pairs)], 0)
        return self._writer().write(chunk)

    def encode_part(
        self, mode: str, ns: Tuple[str, ...], data: object, interrupts: Optional[Tuple[object, ...]] = None
    ) -> bytes:
        """Return a part as JSON, in UTF-8, from what it consists of.

        Args:
            mode: Its mode, the `type` of a part of `version="v2"`.
            ns: The namespace.
            data: The payload.
            interrupts: The questions of the run, for a part of `values`.
        """
        head = self._heads.get((mode, ns)) or self._head(mode, ns) or _head(mode, ns)
        return self._part(head, mode, data, interrupts)

    def encode_data(self, mode: str, data: object) -> bytes:
        """Return only the data of a part as JSON, in UTF-8, for a wire that says the rest in its own way.

        Args:
            mode: The mode of the part.
            data: The payload.
        """
        return self._part(b"", mode, data, None)[:-1]

    def token_writer(self, data: Tuple[BaseMessage, Dict[str, Any]]) -> Optional[Callable[[str], bytes]]:
        """Return a function that writes the data of tokens like this one, given their text.

        It gives what `encode_data` gives for a token with that text, in a fraction of the time.

        Args:
            data: The data of a part of `messages`: a token, whose own text does not matter, and its metadata.

        Returns:
            The function, or `None` if the token is not only text.
        """
        message, metadata = data
        halves = token_json(message.model_copy(update={"content": _TEXT})).split(written_text(_TEXT))
        if type(message.content) is not str or len(halves) != 2:
            return None
        known = self._metadata.get(message.id)
        same = known is not None and _is_same(known[0], metadata)
        shown = known[1] if known is not None and same else self._described(message.id, metadata)
        head, tail = b"[" + halves[0], b"%b,%b]" % (halves[1], shown)
        write = self._writer().text
        return lambda text: b"%b%b%b" % (head, write(text), tail)

    def _part(self, head: bytes, mode: str, data: Any, interrupts: Optional[Tuple[object, ...]]) -> bytes:
        if mode == "messages" and type(data) is tuple and len(data) == 2 and isinstance(data[0], BaseMessage):
            message, metadata = data
            token = token_json(message) or self._message(message)
            known = self._metadata.get(message.id)
            if known is None or not _is_same(known[0], metadata):
                return b"%b[%b,%b]}" % (head, token, self._described(message.id, metadata))
            return b"%b[%b,%b]}" % (head, token, known[1])
        writer = self._writer()
        if mode not in _PAIRS or not self.exact:
            made = head + writer.write(data, 1)
        elif type(data) is tuple and len(data) == 2:
            made = head + writer.json_array(data, 1)
        else:
            made = head + writer.json_object([(TAG, "given"), ("value", data)], 1)
        return made + (b"}" if interrupts is None else b',"interrupts":%b}' % writer.json_array(interrupts, 1))

    def _writer(self) -> Writer:
        return ExactWriter() if self.exact else PlainWriter()

    def _head(self, mode: str, ns: Tuple[str, ...]) -> bytes:
        """Return the beginning of a part up to its data, which is the same for all parts of a mode and a namespace.

        It is empty if one of the names is no valid text, which is no part for a reader of exact JSON.
        """
        if self.exact and not all(is_sound(name) for name in (mode, *ns)):
            return b""
        return cast("bytes", _kept(self._heads, (mode, ns), _head(mode, ns)))

    def _message(self, message: BaseMessage) -> bytes:
        writer = self._writer()
        if isinstance(writer, ExactWriter) and MESSAGES.get(message.type) is type(message):
            return writer.message(message, 2, tag=False)
        return writer.write(message, 2)

    def _described(self, id: Optional[str], metadata: Any) -> bytes:  # noqa: A002  (the field's name)
        shown = self._writer().write(metadata, 2)
        if type(metadata) is dict:
            # The reader of the stream may change what it was given.
            own = {key: value[:] if type(value) is list else value for key, value in metadata.items()}
            _kept(self._metadata, id, (own, shown))
        return shown


def _is_same(known: object, metadata: object) -> bool:
    try:
        return known == metadata
    except Exception:  # arrays of numbers cannot be compared in this way
        return False


def _kept(known: Dict[Any, Any], key: object, value: object) -> object:
    """Keep a value; if there are too many, forget the one that came first."""
    known[key] = value
    if len(known) > _REMEMBERED:
        known.pop(next(iter(known)), None)
    return value


def _head(mode: str, ns: Tuple[str, ...]) -> bytes:
    shown = b",".join([written_text(level) for level in ns])
    return b'{"type":%b,"ns":[%b],"data":' % (written_text(mode), shown)


def _is_part(chunk: Dict[object, object]) -> bool:
    ns = chunk["ns"]
    if type(ns) is not tuple or type(chunk["type"]) is not str:
        return False
    for level in ns:
        if type(level) is not str:
            return False
    return len(chunk) == 3 or (len(chunk) == 4 and type(chunk.get("interrupts")) is tuple)


class PartDecoder:
    """Reads what a `PartEncoder(exact=True)` has written.

    JSON from a stranger is safe to read: no module is imported, and no object is made but of Python's plain types, of
    messages and documents of langchain-core, of Python's own exceptions, of this package's data, and of the classes
    that are allowed.

    Args:
        allow: Further classes that may be made: models, dataclasses, enums, named tuples and exceptions that the state
            or the custom data of the graph consists of. Each is found by its module and name, and named one by one.

    Raises:
        TypeError: Something in `allow` is not a class.
    """

    def __init__(self, allow: Iterable[type] = ()) -> None:
        self._reader = Reader(_registry(allow))

    def decode(self, data: Union[bytes, str]) -> Any:
        """Return the part, or another value, that a text stands for.

        An exception of a class that is not allowed is returned as a `RemoteError`.

        Args:
            data: JSON, as bytes in UTF-8 or as text.

        Raises:
            ClassNotAllowedError: The text names a class that is not allowed.
            SerializationError: It is not what an encoder writes.
        """
        given = parsed(data)
        try:
            if type(given) is dict and TAG not in given and {"type", "ns", "data"} <= given.keys():
                return self._part(given)
            return self._reader.value(given)
        except RecursionError as error:
            raise SerializationError("The text is nested too deeply") from error

    def _part(self, given: Dict[str, Any]) -> StreamPart:
        mode, ns = given["type"], given["ns"]
        if type(mode) is not str or type(ns) is not list or not all(type(level) is str for level in ns):
            raise SerializationError(f"A part has the type {mode!r:.100} and the namespace {ns!r:.200}")
        part: Dict[str, Any] = {"type": mode, "ns": tuple(ns)}
        part["data"] = self._pair(given["data"], mode) if mode in _PAIRS else self._reader.value(given["data"])
        if "interrupts" in given:
            part["interrupts"] = tuple(self._reader.value(_array(given["interrupts"], "interrupts of a part")))
        return cast("StreamPart", part)

    def _pair(self, given: Any, mode: str) -> object:
        if type(given) is dict and given.get(TAG) == "given":
            return self._reader.value(given.get("value"))
        first, second = _two(_array(given, f"data of a part of {mode}"), mode)
        shown = self._reader.message(first) if mode == "messages" and type(first) is dict else self._reader.value(first)
        return shown, self._reader.value(second)


def _registry(allow: Iterable[type]) -> Registry:
    classes = list(allow)
    return registry_of(frozenset(classes)) if all(isinstance(cls, type) for cls in classes) else Registry(classes)


def _array(given: object, what: str) -> List[Any]:
    if type(given) is not list:
        raise SerializationError(f"The {what} are {given!r:.100}, not an array")
    return given


def _two(items: List[Any], mode: str) -> Tuple[Any, Any]:
    if len(items) != 2:
        raise SerializationError(f"A part of {mode} has {len(items)} items, not two")
    return items[0], items[1]


def to_json(value: object) -> bytes:
    """Return a part of a stream, or any other value, as plain JSON for a client, in UTF-8; see `PartEncoder`.

    Args:
        value: The part or value.
    """
    return written_text(value) if type(value) is str else PartEncoder().encode(value)


def dumps(value: object) -> bytes:
    """Return a part of a stream, or any other value, as exact JSON, in UTF-8, from which `loads` makes it again.

    Args:
        value: The part or value. A value of a class that extends `str`, `int`, `float`, `list`, `dict`, `tuple` or
            `set`, and is no enum and no named tuple, is written as the class that it extends.
    """
    return PartEncoder(exact=True).encode(value)


def loads(data: Union[bytes, str], *, allow: Iterable[type] = ()) -> Any:
    """Return what `dumps` has written.

    Args:
        data: JSON, as bytes in UTF-8 or as text.
        allow: The classes that may be made besides those of LangChain's messages and documents; see `PartDecoder`.

    Raises:
        ClassNotAllowedError: The text names a class that is not allowed.
        SerializationError: It is not what `dumps` writes.
        TypeError: Something in `allow` is not a class.
    """
    return PartDecoder(allow).decode(data)
