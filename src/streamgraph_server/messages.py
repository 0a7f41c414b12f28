"""What happens to the messages of a run, as events that every protocol of a front end can be written from.

A model's message comes as chunks, other messages whole, and a failed attempt is taken back; what is text, reasoning or
a tool call is in different places with different providers. `MessageFold` makes of it: a message opens, grows, is
closed or taken back.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple, Union

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, RemoveMessage, ToolMessage

from streamgraph.types import StreamPart
from streamgraph_server.content import (
    CallPiece,
    ContentFold,
    Piece,
    ReasoningPiece,
    ResultPiece,
    SourcePiece,
    TextPiece,
)
from streamgraph_server.tokens import OBJECT


class Call(NamedTuple):
    """A whole tool call of a message; `args` is `None` if the model's JSON cannot be read."""

    id: str
    name: str
    args: Optional[Mapping[str, object]]
    text: str


class Opened(NamedTuple):
    """A message of a model begins."""

    id: str
    ns: Tuple[str, ...]
    node: str


class Text(NamedTuple):
    """Text was added to a message."""

    id: str
    delta: str


class Reasoning(NamedTuple):
    """Reasoning was added to a message."""

    id: str
    delta: str


class CallOpened(NamedTuple):
    """A tool call in a message begins."""

    id: str
    call: str
    name: str


class CallArgs(NamedTuple):
    """JSON was added to the arguments of a tool call."""

    id: str
    call: str
    delta: str


class Closed(NamedTuple):
    """A message is complete.

    Attributes:
        id: Its id.
        calls: Its tool calls, which the graph answers.
        usage: The tokens used.
        finish: Why the model has stopped, in the words of its provider, as far as it says.
    """

    id: str
    calls: Tuple[Call, ...]
    usage: Mapping[str, int]
    finish: str = ""


class Retracted(NamedTuple):
    """A message is taken back: its attempt has failed, or a node has changed it; another one follows."""

    id: str


class ObjectRetracted(NamedTuple):
    """An object is taken back, since its attempt has failed.

    Attributes:
        id: The id of the message that it was made of.
        run_id: The id of the call of the model.
    """

    id: str
    run_id: str


class Result(NamedTuple):
    """A tool has answered.

    Attributes:
        id: The id of its message, or of the model's message if the model's provider runs the tool.
        call: The id of the call.
        content: The answer.
        failed: Whether it is an error.
        ns: The nested graph that it has run in.
        name: The name of the tool, if it is known.
        by_provider: Whether the provider of the model has run it.
    """

    id: str
    call: str
    content: object
    failed: bool
    ns: Tuple[str, ...] = ()
    name: str = ""
    by_provider: bool = False


class ProviderCall(NamedTuple):
    """A message has a call of a tool that the provider of the model runs itself."""

    id: str
    call: Call


class Source(NamedTuple):
    """A message quotes something; `url` is empty if it is a document."""

    id: str
    url: str
    title: str


class File(NamedTuple):
    """A message has a file; `url` may hold it, as `data:`."""

    id: str
    url: str
    media_type: str


MessageEvent = Union[
    Opened,
    Text,
    Reasoning,
    CallOpened,
    CallArgs,
    Closed,
    Retracted,
    ObjectRetracted,
    Result,
    ProviderCall,
    Source,
    File,
]


@dataclass
class _Call:
    id: str
    name: str
    args: List[str] = field(default_factory=list)


@dataclass
class _Open:
    """A message that is not complete yet."""

    place: str
    content: ContentFold = field(default_factory=ContentFold)
    calls: Dict[object, _Call] = field(default_factory=dict)
    usage: Dict[str, int] = field(default_factory=dict)
    finish: str = ""


_FINISH = ("finish_reason", "stop_reason")


class MessageFold:
    """Makes message events of the parts of a run; it needs the modes `messages` and `tasks`.

    Args:
        has_objects: Whether structured output is shown as objects, and not as the JSON that they are made of.
    """

    def __init__(self, has_objects: bool = False) -> None:
        self._has_objects = has_objects
        self._open: Dict[str, _Open] = {}
        self._closed: Set[str] = set()

    def __contains__(self, id: object) -> bool:
        return id in self._open

    def part(self, part: StreamPart) -> Iterator[MessageEvent]:
        """Yield the events of a part; parts of other modes have none."""
        if part["type"] == "messages":
            message, metadata = part["data"]
            yield from self._message(part["ns"], message, metadata)
        elif part["type"] == "tasks" and "result" in part["data"]:
            # Where the provider or the core does not mark the last chunk, a message ends with its task at the latest.
            task = str(part["data"]["id"])
            for id in [id for id, found in self._open.items() if found.place.endswith(task)]:
                yield from self._close(id)

    def end(self) -> Iterator[MessageEvent]:
        """Yield the events at the end of the run: what is open is closed."""
        for id in list(self._open):
            yield from self._close(id)

    def _message(
        self, ns: Tuple[str, ...], message: BaseMessage, metadata: Mapping[str, object]
    ) -> Iterator[MessageEvent]:
        id = message.id or ""
        if self._has_objects and OBJECT in metadata:
            yield from self._json_of_object(id, message, str(metadata.get("run_id")))
        elif isinstance(message, RemoveMessage):
            self._open.pop(id, None)
            yield Retracted(id)
        elif isinstance(message, ToolMessage):
            failed = message.status == "error"
            yield Result(id, message.tool_call_id, message.content, failed, ns, message.name or "")
        elif isinstance(message, AIMessage):
            found = self._open.get(id)
            is_chunk = isinstance(message, AIMessageChunk)
            if found is None:
                if id in self._closed and not is_chunk:
                    yield Retracted(id)  # a node has changed a message that was shown: this one is in its place
                found = self._open[id] = _Open(str(metadata.get("langgraph_checkpoint_ns", "")))
                yield Opened(id, ns, str(metadata.get("langgraph_node", "")))
            content = message.content
            if isinstance(content, str) and not message.additional_kwargs:
                if content:
                    yield Text(id, content)
            else:
                yield from (_event(id, piece) for piece in found.content.of(message))
            yield from _calls(id, message, found)
            for key, count in (message.usage_metadata or {}).items():
                if isinstance(count, int):
                    found.usage[key] = found.usage.get(key, 0) + count
            for key in _FINISH if message.response_metadata else ():
                found.finish = str(message.response_metadata.get(key) or found.finish)
            if not is_chunk or getattr(message, "chunk_position", None) == "last":
                yield from self._close(id)

    def _json_of_object(self, id: str, message: BaseMessage, run_id: str) -> Iterator[MessageEvent]:
        """Yield what a reader of the mode `objects` needs of the JSON that an object is made of: no text."""
        if isinstance(message, RemoveMessage):
            yield ObjectRetracted(id, run_id)
        elif isinstance(message, AIMessage) and message.usage_metadata:
            counts: Mapping[str, object] = message.usage_metadata
            yield Closed(id, (), {key: count for key, count in counts.items() if isinstance(count, int)})

    def _close(self, id: str) -> Iterator[MessageEvent]:
        found = self._open.pop(id)
        self._closed.add(id)
        yield from (_event(id, piece) for piece in found.content.end())
        yield Closed(id, tuple(_whole(call) for call in found.calls.values()), found.usage, found.finish)


def _event(id: str, piece: Piece) -> MessageEvent:
    if isinstance(piece, TextPiece):
        return Text(id, piece.text)
    if isinstance(piece, ReasoningPiece):
        return Reasoning(id, piece.text)
    if isinstance(piece, CallPiece):
        return ProviderCall(id, _whole(_Call(piece.id, piece.name, [piece.args])))
    if isinstance(piece, ResultPiece):
        return Result(id, piece.call, piece.content, piece.failed, by_provider=True)
    if isinstance(piece, SourcePiece):
        return Source(id, piece.url, piece.title)
    return File(id, piece.url, piece.media_type)


def _calls(id: str, message: AIMessage, found: _Open) -> Iterator[MessageEvent]:
    if not isinstance(message, AIMessageChunk):
        for place, call in enumerate(message.tool_calls):
            made = found.calls[place] = _Call(call["id"] or f"{id}:{place}", call["name"], [json.dumps(call["args"])])
            yield CallOpened(id, made.id, made.name)
            yield CallArgs(id, made.id, made.args[0])
        return
    for chunk in message.tool_call_chunks:
        index: object = chunk["index"]
        known = found.calls.get(index) if index is not None else None
        if known is None:
            key = len(found.calls) if index is None else index
            known = found.calls[key] = _Call(chunk["id"] or f"{id}:{key}", chunk["name"] or "")
            yield CallOpened(id, known.id, known.name)
        if chunk["args"]:
            known.args.append(chunk["args"])
            yield CallArgs(id, known.id, chunk["args"])


def _whole(call: _Call) -> Call:
    text = "".join(call.args)
    try:
        args = json.loads(text or "{}")
    except ValueError:
        args = None
    return Call(call.id, call.name, args if isinstance(args, dict) else None, text)
