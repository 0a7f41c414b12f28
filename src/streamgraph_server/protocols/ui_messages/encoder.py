"""The chunks of UI messages, made of the parts of a run."""

from __future__ import annotations

from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple, Union

from streamgraph.serialization import to_json
from streamgraph.types import StreamMode, StreamPart
from streamgraph_server._requests import Fields
from streamgraph_server.frames import Frame, RunEnd, RunFacts
from streamgraph_server.messages import (
    Call,
    CallArgs,
    CallOpened,
    Closed,
    File,
    MessageEvent,
    MessageFold,
    ObjectRetracted,
    Opened,
    ProviderCall,
    Reasoning,
    Result,
    Retracted,
    Source,
    Text,
)
from streamgraph_server.protocols.approvals import OpenCalls, approvals_in
from streamgraph_server.protocols.ui_messages.requests import Reply
from streamgraph_server.tokens import TEXT, TextFrames, growing

NEWEST = 7
"""The version of the SDK from which a step can be reset."""
_NO_OBJECT = "The model's arguments are no JSON object."


class UIMessageEncoder:
    """Writes the chunks of UI messages: one message for the whole run, with a step for each round of models.

    Args:
        version: The version of the client's SDK; before 7 it cannot take back text.
        reply: What the message goes on with.
    """

    modes: Sequence[StreamMode] = ("values", "custom", "messages", "objects", "tools", "tasks")
    subgraphs: Optional[bool] = True

    def __init__(self, version: int, reply: Optional[Reply] = None) -> None:
        self._version = version
        self._reply = Reply() if reply is None else reply
        self._fold, self._calls = MessageFold(has_objects=True), OpenCalls()
        self._in_step = False
        # What the client would lose if the step was reset, each with the message that it is of.
        self._step: List[Tuple[str, bytes]] = []
        self._open: Dict[str, str] = {}
        self._counts: Dict[str, int] = {}
        self._said: Set[str] = set()
        self._told: Dict[str, str] = dict.fromkeys(self._reply.known, "")
        self._outputs: Dict[str, List[object]] = {}
        self._usage: Dict[str, int] = {}
        self._sources = 0
        self._asked: Dict[str, object] = {}
        self._is_over = False

    def begin(self, run: RunFacts) -> Iterable[Frame]:
        """Return the chunk that begins the message."""
        metadata = {"runId": run.id, "graph": run.graph}
        return [_frame("start", messageId=self._reply.message_id or run.id, messageMetadata=metadata)]

    def part(self, part: StreamPart) -> Iterable[Frame]:
        """Return the chunks of a part."""
        if self._is_over:
            return
        for event in self._fold.part(part):
            yield from self._event(event)
        kind = part["type"]
        if kind == "messages":
            return
        self._calls.part(part)
        if kind == "custom":
            yield self._custom(part["data"])
        elif part["type"] == "objects":
            found, metadata = part["data"]
            yield self._sent("", "data-object", id=str(metadata.get("run_id")), data=found)
        elif part["type"] == "tools":
            if part["data"]["event"] == "tool-output-delta":
                yield from self._progress(part["data"]["tool_call_id"], part["data"]["delta"])
        elif part["type"] == "values" and not part["ns"]:
            self._asked.update((question.id, question.value) for question in part["interrupts"])
            if self._in_step and not self._open:
                yield from self._leave_step()

    def tokens(self, part: StreamPart) -> Optional[Callable[[str], Union[Frame, Iterable[Frame]]]]:
        """Return what writes the tokens of a message."""
        known: Dict[str, TextFrames] = {}

        def grow(id: str, text: str) -> Optional[Frame]:
            block = self._open.get(id, "")
            if self._is_over or not block.startswith("text:"):
                return None
            write = known.get(block)
            if write is None:
                write = known[block] = TextFrames({"type": "text-delta", "id": block, "delta": TEXT})
            frame = write(text)
            if self._in_step:
                self._step.append((id, frame.data))
            return frame

        return growing(part, self._fold, grow, self.part)

    def gap(self, count: int) -> Iterable[Frame]:
        """Return the chunk that says that others are missing; the client takes none after it."""
        self._is_over = True
        yield _frame("error", errorText=f"{count} events of the run are not kept any more.")

    def end(self, end: RunEnd) -> Iterable[Frame]:
        """Return the last chunks."""
        if not self._is_over:
            for event in self._fold.end():
                yield from self._event(event)
            if self._in_step:
                yield from self._leave_step()
            if end.status == "failed":
                yield _frame("error", errorText=end.message or end.error)
            elif end.status == "cancelled":
                yield _frame("abort", reason="The run was cancelled.")
            else:
                for id, value in self._asked.items():
                    yield from self._question(id, value)
                yield _frame("finish", finishReason="stop", **self._counted())
        yield Frame(b"[DONE]")

    def _event(self, event: MessageEvent) -> Iterator[Frame]:
        id = event.id
        if isinstance(event, (Text, Reasoning)):
            yield from self._grown(id, "text" if isinstance(event, Text) else "reasoning", event.delta)
        elif isinstance(event, Opened):
            self._said.add(id)
            if not self._in_step:
                self._in_step = True
                yield _frame("start-step")
        elif isinstance(event, CallOpened):
            yield from self._end_block(id)
            self._told[event.call] = id
            yield self._sent(id, "tool-input-start", toolCallId=event.call, toolName=event.name, dynamic=True)
        elif isinstance(event, CallArgs):
            yield self._sent(id, "tool-input-delta", toolCallId=event.call, inputTextDelta=event.delta)
        elif isinstance(event, ProviderCall):
            yield from self._end_block(id)
            yield from self._introduced(id, event.call)
        elif isinstance(event, Source):
            self._sources += 1
            told = {"sourceId": f"source-{self._sources}", **({"title": event.title} if event.title else {})}
            if event.url:
                yield self._sent(id, "source-url", **told, url=event.url)
            else:
                yield self._sent(id, "source-document", **told, mediaType="text/plain")
        elif isinstance(event, File):
            yield from self._end_block(id)
            yield self._sent(id, "file", url=event.url, mediaType=event.media_type)
        elif isinstance(event, Closed):
            yield from self._closed(event)
        elif isinstance(event, Result):
            yield from self._result(event)
        elif isinstance(event, Retracted):
            yield from self._retracted(id)
        elif isinstance(event, ObjectRetracted):
            yield self._sent("", "data-object", id=event.run_id, data=None)

    def _grown(self, id: str, kind: str, delta: str) -> Iterator[Frame]:
        block = self._open.get(id)
        if block is None or not block.startswith(kind):
            yield from self._end_block(id)
            count = self._counts[id] = self._counts.get(id, -1) + 1
            block = self._open[id] = f"{kind}:{id}:{count}"
            yield self._sent(id, f"{kind}-start", id=block)
        yield self._sent(id, f"{kind}-delta", id=block, delta=delta)

    def _end_block(self, id: str) -> Iterator[Frame]:
        block = self._open.pop(id, None)
        if block is not None:
            yield self._sent(id, f"{block.partition(':')[0]}-end", id=block)

    def _closed(self, event: Closed) -> Iterator[Frame]:
        yield from self._end_block(event.id)
        self._calls.event(event)
        for call in event.calls:
            yield self._input(event.id, call)
        for key, count in event.usage.items():
            self._usage[key] = self._usage.get(key, 0) + count
        if event.usage:
            yield _frame("message-metadata", **self._counted())

    def _counted(self) -> Fields:
        return {"messageMetadata": {"usage": dict(self._usage)}} if self._usage else {}

    def _introduced(self, of: str, call: Call) -> Iterator[Frame]:
        """Yield a whole call: the client refuses answers to calls that it does not know."""
        if call.id not in self._told:
            self._told[call.id] = of
            yield self._sent(of, "tool-input-start", toolCallId=call.id, toolName=call.name, dynamic=True)
            yield self._input(of, call)

    def _input(self, of: str, call: Call) -> Frame:
        # Without `providerExecuted` the client would run the tool, or send the message again.
        told = {"toolCallId": call.id, "toolName": call.name, "dynamic": True, "providerExecuted": True}
        if call.args is None:
            return self._sent(of, "tool-input-error", **told, input=call.text, errorText=_NO_OBJECT)
        return self._sent(of, "tool-input-available", **told, input=dict(call.args))

    def _known(self, id: str, name: str) -> Call:
        """Return the call of an id, from before the run if need be."""
        return self._calls.get(id) or Call(id, name or "tool", {}, "")

    def _result(self, event: Result) -> Iterator[Frame]:
        id, of = event.call, event.id
        self._calls.event(event)
        if id not in self._told:
            yield from self._introduced(of, self._known(id, event.name))
        self._outputs.pop(id, None)
        if id in self._reply.denied:
            yield self._sent(of, "tool-output-denied", toolCallId=id)
        elif event.failed:
            text = event.content if isinstance(event.content, str) else to_json(event.content).decode()
            yield self._sent(of, "tool-output-error", toolCallId=id, errorText=text, dynamic=True)
        else:
            yield self._sent(of, "tool-output-available", toolCallId=id, output=event.content, dynamic=True)

    def _progress(self, id: str, delta: object) -> Iterator[Frame]:
        """Yield what a tool has said so far."""
        if id not in self._told:
            yield from self._introduced("", self._known(id, ""))
        said = self._outputs.setdefault(id, [])
        said.append(delta)
        texts = [item for item in said if isinstance(item, str)]
        output: object = "".join(texts) if len(texts) == len(said) else list(said)
        yield _frame("tool-output-available", toolCallId=id, output=output, dynamic=True, preliminary=True)

    def _question(self, id: str, value: object) -> Iterator[Frame]:
        data: Fields = {"id": id, "value": value}
        approvals = approvals_in(id, value)
        if approvals:
            data["approvals"] = [approval.id for approval in approvals]
        for approval in approvals:
            args: object = approval.args
            made = Call(approval.id, approval.name, args if isinstance(args, dict) else {}, "")
            call = self._calls.asked(approval) or made
            yield from self._introduced("", call)
            yield _frame("tool-approval-request", approvalId=approval.id, toolCallId=call.id)
        yield _frame("data-interrupt", id=id, data=data)

    def _retracted(self, id: str) -> Iterator[Frame]:
        kept = [(of, data) for of, data in self._step if of != id]
        if self._version >= NEWEST and len(kept) < len(self._step):
            self._open.pop(id, None)
            self._told = {call: of for call, of in self._told.items() if of != id}
            self._step = kept
            # It deletes all parts of the step, so those of the other messages are sent again.
            yield _frame("reset-step")
            for _, data in kept:
                yield Frame(data)
        elif id in self._said:
            yield from self._end_block(id)
            for call in [call for call, of in self._told.items() if of == id]:
                del self._told[call]
                yield self._sent(id, "tool-output-error", toolCallId=call, errorText="Taken back.", dynamic=True)
            yield _frame("data-retracted", data={"messageId": id})

    def _leave_step(self) -> Iterator[Frame]:
        self._in_step, self._step = False, []
        yield _frame("finish-step")

    def _custom(self, data: object) -> Frame:
        kind = data.get("type") if isinstance(data, dict) else None
        if (
            not isinstance(data, dict)
            or not isinstance(kind, str)
            or not kind.startswith("data-")
            or "data" not in data
        ):
            return self._sent("", "data-custom", data=data)
        about: Fields = {"data": data["data"]}
        if data.get("id") is not None:
            about["id"] = str(data["id"])
        if data.get("transient"):
            return _frame(kind, **about, transient=True)
        return self._sent("", kind, **about)

    def _sent(self, of: str, kind: str, **fields: object) -> Frame:
        frame = _frame(kind, **fields)
        if self._in_step:
            self._step.append((of, frame.data))
        return frame


def _frame(kind: str, **fields: object) -> Frame:
    return Frame(to_json({"type": kind, **fields}))
