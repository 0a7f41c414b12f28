"""What happens to the messages of a run, as events that every protocol of a front end can be written from.

A model's message comes as chunks, other messages whole, and a failed attempt is taken back; what is text, reasoning or
a tool call is in different places with different providers. `MessageFold` makes of it: a message opens, grows, is
closed or taken back.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Union

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, RemoveMessage, ToolMessage

from streamgraph.types import StreamPart


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
    """A message is complete."""

    id: str
    calls: Tuple[Call, ...]
    usage: Mapping[str, int]


class Retracted(NamedTuple):
    """A message is taken back: its attempt has failed, and another one follows."""

    id: str


class Result(NamedTuple):
    """A tool has answered."""

    id: str
    call: str
    content: object
    failed: bool


MessageEvent = Union[Opened, Text, Reasoning, CallOpened, CallArgs, Closed, Retracted, Result]


@dataclass
class _Call:
    id: str
    name: str
    args: List[str] = field(default_factory=list)


@dataclass
class _Open:
    """A message that is not complete yet."""

    place: str
    calls: Dict[object, _Call] = field(default_factory=dict)
    usage: Dict[str, int] = field(default_factory=dict)


class MessageFold:
    """Makes message events of the parts of a run; it needs the modes `messages` and `tasks`."""

    def __init__(self) -> None:
        self._open: Dict[str, _Open] = {}

    def __contains__(self, id: str) -> bool:
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
                yield self._close(id)

    def end(self) -> Iterator[MessageEvent]:
        """Yield the events at the end of the run: what is open is closed."""
        for id in list(self._open):
            yield self._close(id)

    def _message(
        self, ns: Tuple[str, ...], message: BaseMessage, metadata: Mapping[str, object]
    ) -> Iterator[MessageEvent]:
        id = message.id or ""
        if isinstance(message, RemoveMessage):
            self._open.pop(id, None)
            yield Retracted(id)
        elif isinstance(message, ToolMessage):
            yield Result(id, message.tool_call_id, message.content, message.status == "error")
        elif isinstance(message, AIMessage):
            found = self._open.get(id)
            if found is None:
                found = self._open[id] = _Open(str(metadata.get("langgraph_checkpoint_ns", "")))
                yield Opened(id, ns, str(metadata.get("langgraph_node", "")))
            yield from _pieces(id, message)
            yield from _calls(id, message, found)
            for key, count in (message.usage_metadata or {}).items():
                if isinstance(count, int):
                    found.usage[key] = found.usage.get(key, 0) + count
            is_chunk = isinstance(message, AIMessageChunk)
            if not is_chunk or getattr(message, "chunk_position", None) == "last":
                yield self._close(id)

    def _close(self, id: str) -> Closed:
        found = self._open.pop(id)
        return Closed(id, tuple(_whole(call) for call in found.calls.values()), found.usage)


def _pieces(id: str, message: AIMessage) -> Iterator[MessageEvent]:
    hidden = message.additional_kwargs.get("reasoning_content")
    if isinstance(hidden, str) and hidden:
        yield Reasoning(id, hidden)
    blocks = message.content if isinstance(message.content, list) else [message.content]
    for block in blocks:
        if isinstance(block, str):
            if block:
                yield Text(id, block)
            continue
        text, reasoning = block.get("text"), _reasoning_in(block)
        if reasoning:
            yield Reasoning(id, reasoning)
        elif isinstance(text, str) and text and block.get("type") in ("text", "output_text", "text_delta"):
            yield Text(id, text)


def _reasoning_in(block: Mapping[str, object]) -> str:
    for key in ("thinking", "reasoning", "reasoning_content"):
        found = block.get(key)
        if isinstance(found, str):
            return found
    summary = block.get("summary")
    if block.get("type") != "reasoning" or not isinstance(summary, list):
        return ""
    return "".join(str(item.get("text", "")) for item in summary if isinstance(item, dict))


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
