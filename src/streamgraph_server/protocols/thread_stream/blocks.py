"""Messages of models as events: a message starts, its blocks of content start, grow and finish, it finishes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Mapping, Optional, Tuple, Union, cast

from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata, add_usage

from streamgraph.types import StreamPart
from streamgraph_server.messages import (
    Call,
    CallArgs,
    CallOpened,
    Closed,
    File,
    MessageEvent,
    MessageFold,
    Opened,
    ProviderCall,
    Reasoning,
    Result,
    Retracted,
    Source,
    Text,
)
from streamgraph_server.protocols.thread_stream.events import Event, Namespace

RETRACTED = "retracted"
"""The code of the error that takes a message back."""

_NO_OBJECT = "The model's arguments are no JSON object."


@dataclass
class _Message:
    """What is known of a message while its run goes on."""

    ns: Namespace
    node: str
    tags: Tuple[str, ...]
    metadata: Mapping[str, object]
    index: int = -1
    kind: str = ""
    text: List[str] = field(default_factory=list)
    quoted: List[Mapping[str, object]] = field(default_factory=list)
    calls: Dict[str, int] = field(default_factory=dict)
    usage: Optional[UsageMetadata] = None
    about: Dict[str, object] = field(default_factory=dict)
    is_open: bool = True


class MessageBlocks:
    """Makes the events of the channel `messages` of parts of the modes `messages` and `tasks`.

    Each event has the id of its message as `id` and as `run_id`: one client tells messages that grow side by side apart
    by the one, and another client by the other.
    """

    def __init__(self) -> None:
        self._fold = MessageFold()
        self._known: Dict[str, _Message] = {}

    def part(self, part: StreamPart) -> Iterator[Event]:
        """Yield the events of a part."""
        for event in self._fold.part(part):
            if isinstance(event, Opened) and part["type"] == "messages":
                self._known[event.id] = _opened(event, part["data"][1])
            if isinstance(event, Closed) and part["type"] == "messages":
                self._note(event.id, part["data"][0])
            yield from self._event(event)
        if part["type"] == "messages" and (part["data"][0].id or "") in self._fold:
            self._note(part["data"][0].id or "", part["data"][0])

    def grow(self, id: str, text: str) -> Optional[int]:
        """Add text to the block of text of a message that is open, and return the index of the block.

        Returns:
            `None` if there is no such block, and nothing was done.
        """
        known = self._known.get(id)
        if known is None or known.kind != "text":
            return None
        known.text.append(text)
        return known.index

    def end(self, why: Optional[str]) -> Iterator[Event]:
        """Yield the events at the end of the run.

        Args:
            why: Why messages that are open were cut off; `None` if they are complete.
        """
        for event in self._fold.end():
            if why is None:
                yield from self._event(event)
            else:
                self._known[event.id].is_open = False
                yield self._said(event.id, "error", message=why)

    def _note(self, id: str, message: object) -> None:
        if not isinstance(message, AIMessage):
            return
        known = self._known[id]
        usage = message.usage_metadata
        if usage is not None:
            known.usage = usage if known.usage is None else add_usage(known.usage, usage)
        if message.response_metadata:
            known.about.update(_scalars(message.response_metadata))

    def _event(self, event: MessageEvent) -> Iterator[Event]:
        if isinstance(event, Opened):
            yield self._start(event.id)
        elif isinstance(event, Text):
            yield from self._grown(event.id, "text", event.delta)
        elif isinstance(event, Reasoning):
            yield from self._grown(event.id, "reasoning", event.delta)
        elif isinstance(event, CallOpened):
            yield from self._finish_text(event.id)
            known = self._known[event.id]
            known.index += 1
            known.calls[event.call] = known.index
            content = {"type": "tool_call_chunk", "id": event.call, "name": event.name, "args": ""}
            yield self._said(event.id, "content-block-start", index=known.index, content=content)
        elif isinstance(event, CallArgs):
            index = self._known[event.id].calls[event.call]
            delta = {"type": "tool-call-delta", "args": event.delta}
            yield self._said(event.id, "content-block-delta", index=index, delta=delta)
        elif isinstance(event, Source):
            self._known[event.id].quoted.append(_citation(event))
        elif isinstance(event, (File, ProviderCall)) or (isinstance(event, Result) and event.by_provider):
            yield from self._finish_text(event.id)
            known = self._known[event.id]
            known.index += 1
            for kind in ("content-block-start", "content-block-finish"):
                yield self._said(event.id, kind, index=known.index, content=_whole_block(event))
        elif isinstance(event, Closed):
            yield from self._finish(event)
        elif isinstance(event, Retracted) and event.id in self._known:
            yield from self._retract(event.id)

    def _start(self, id: str) -> Event:
        return self._said(id, "message-start", role="ai", metadata=self._known[id].metadata)

    def _grown(self, id: str, kind: str, delta: str) -> Iterator[Event]:
        known = self._known[id]
        if known.kind != kind:
            yield from self._finish_text(id)
            known.index += 1
            known.kind = kind
            yield self._said(id, "content-block-start", index=known.index, content={"type": kind, kind: ""})
        known.text.append(delta)
        grown = {"type": f"{kind}-delta", kind: delta}
        yield self._said(id, "content-block-delta", index=known.index, delta=grown)

    def _finish_text(self, id: str) -> Iterator[Event]:
        known = self._known[id]
        if known.kind:
            content: Dict[str, object] = {"type": known.kind, known.kind: "".join(known.text)}
            if known.kind == "text" and known.quoted:
                content["annotations"] = known.quoted
                known.quoted = []
            known.kind, known.text = "", []
            yield self._said(id, "content-block-finish", index=known.index, content=content)

    def _finish(self, event: Closed) -> Iterator[Event]:
        yield from self._finish_text(event.id)
        known = self._known[event.id]
        for call in event.calls:
            yield self._said(event.id, "content-block-finish", index=known.calls[call.id], content=_content(call))
        known.is_open = False
        last: Dict[str, object] = {}
        if known.usage is not None:
            last["usage"] = known.usage
        if known.about:
            last["metadata"] = known.about
        yield self._said(event.id, "message-finish", **last)

    def _retract(self, id: str) -> Iterator[Event]:
        told = {"code": RETRACTED, "message": "This message is taken back; another one follows."}
        known = self._known[id]
        if known.is_open:
            yield self._said(id, "error", **told)
        # An error alone leaves the text on the screen; a message that starts again is empty at once.
        yield self._start(id)
        yield self._said(id, "error", **told)
        self._known[id] = _Message(known.ns, known.node, known.tags, known.metadata, is_open=False)

    def _said(self, id: str, kind: str, **fields: object) -> Event:
        known = self._known[id]
        return Event("messages", known.ns, {"event": kind, "id": id, "run_id": id, **fields}, known.node, known.tags)


def _opened(event: Opened, metadata: Mapping[str, object]) -> _Message:
    shown = _scalars(metadata)
    for name, key in (("provider", "ls_provider"), ("model", "ls_model_name"), ("model_type", "ls_model_type")):
        if metadata.get(key) is not None:
            shown[name] = metadata[key]
    tags = metadata.get("tags")
    return _Message(event.ns, event.node, tuple(cast("List[str]", tags or ())), shown)


def _content(call: Call) -> Dict[str, object]:
    if call.args is None:
        wrong = {"type": "invalid_tool_call", "id": call.id, "name": call.name, "args": call.text}
        return {**wrong, "error": _NO_OBJECT}
    return {"type": "tool_call", "id": call.id, "name": call.name, "args": call.args}


def _whole_block(event: Union[File, ProviderCall, Result]) -> Mapping[str, object]:
    if isinstance(event, ProviderCall):
        call = event.call
        return {"type": "server_tool_call", "id": call.id, "name": call.name, "args": call.args or {"text": call.text}}
    if isinstance(event, Result):
        status = "error" if event.failed else "success"
        return {"type": "server_tool_result", "tool_call_id": event.call, "status": status, "output": event.content}
    kind = event.media_type.partition("/")[0]
    block = {"type": kind if kind in ("image", "audio", "video") else "file", "mime_type": event.media_type}
    head, held, data = event.url.partition(";base64,")
    return {**block, "base64": data} if held and head.startswith("data:") else {**block, "url": event.url}


def _citation(event: Source) -> Mapping[str, object]:
    told = {"url": event.url, "title": event.title}
    return {"type": "citation", **{key: value for key, value in told.items() if value}}


def _scalars(given: Mapping[str, object]) -> Dict[str, object]:
    return {key: value for key, value in given.items() if isinstance(value, (str, int, float, bool))}
