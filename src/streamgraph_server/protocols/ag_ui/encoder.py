"""The events of AG-UI, made of the parts of a run."""

from __future__ import annotations

from typing import Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Set, Union

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

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
from streamgraph_server.protocols.ag_ui.shapes import message_shape, with_calls
from streamgraph_server.protocols.ag_ui.subagents import Subagents, subagent_id, tagged
from streamgraph_server.protocols.approvals import OpenCalls, approvals_in
from streamgraph_server.tokens import TEXT, TextFrames, growing


class AgUiEncoder:
    """Writes the events of AG-UI.

    Args:
        thread_id: The thread as the client names it.
        run_id: The run as the client names it.
        sent: The messages as the client has sent them.
        ignored: What the client asks for and the graph cannot do; it is told so.
    """

    modes: Sequence[StreamMode] = ("values", "patches", "custom", "messages", "objects", "tasks")
    subgraphs: Optional[bool] = True

    def __init__(self, thread_id: str, run_id: str, sent: Sequence[Fields] = (), ignored: str = "") -> None:
        self._names: Fields = {"threadId": thread_id, "runId": run_id}
        self._ignored = ignored
        self._fold, self._agents, self._calls = MessageFold(has_objects=True), Subagents(), OpenCalls()
        self._texts: Dict[str, List[str]] = {}
        self._shown: Dict[str, BaseMessage] = {}
        self._reasoning: Set[str] = set()
        self._open_texts: Dict[str, TextFrames] = {}
        self._open_calls: Dict[str, List[str]] = {}
        self._provider_calls: Dict[str, List[Call]] = {}
        # What was tagged once has to be, in each later event and copy.
        self._tags: Dict[str, Optional[str]] = {
            str(message.get("id")): str(message["subagentRunId"]) for message in sent if message.get("subagentRunId")
        }
        self._sent = [message for message in sent if message.get("id")]
        self._messages: Optional[List[BaseMessage]] = None
        self._state: Optional[Fields] = None
        self._is_patched = False
        self._asked: Dict[str, Fields] = {}
        self._is_over = False

    def begin(self, run: RunFacts) -> Iterable[Frame]:
        """Return the events that begin the run."""
        yield _frame("RUN_STARTED", **self._names)
        if self._ignored:
            yield _frame("CUSTOM", name="ignored", value=self._ignored)

    def part(self, part: StreamPart) -> Iterable[Frame]:
        """Return the events of a part."""
        ns = part["ns"]
        if self._is_over:
            return
        if part["type"] == "values":
            self._calls.part(part)
            if not ns:
                yield from self._values(part)
            return
        if part["type"] == "patches":
            if not ns:
                yield from self._changes(part["data"])
            return
        if ns:
            for kind, fields in self._agents.enter(ns):
                yield _frame(kind, **fields)
        for event in self._fold.part(part):
            yield from self._event(event)
        if part["type"] == "tasks":
            self._calls.part(part)
            for kind, fields in self._agents.task(ns, part["data"]):
                yield _frame(kind, **fields)
        elif part["type"] == "custom":
            yield self._told(subagent_id(ns), "CUSTOM", name="custom", value=part["data"])
        elif part["type"] == "objects":
            found, metadata = part["data"]
            value = {"runId": metadata.get("run_id"), "complete": bool(metadata.get("complete")), "data": found}
            yield self._told(subagent_id(ns), "CUSTOM", name="object", value=value)

    def tokens(self, part: StreamPart) -> Optional[Callable[[str], Union[Frame, Iterable[Frame]]]]:
        """Return what writes the tokens of a message."""
        return growing(part, self._fold, self._grow, self.part)

    def _grow(self, id: str, text: str) -> Optional[Frame]:
        write = self._open_texts.get(id)
        if write is None or self._is_over or id in self._reasoning:
            return None
        self._texts[id].append(text)
        return write(text)

    def gap(self, count: int) -> Iterable[Frame]:
        """Return the event that says that others are missing; it is the last one."""
        self._is_over = True
        yield _frame("RUN_ERROR", message=f"{count} events of the run are not kept any more.", code="Gap")

    def end(self, end: RunEnd) -> Iterable[Frame]:
        """Return the last events."""
        if self._is_over:
            return
        if end.status == "failed":
            yield _frame("RUN_ERROR", message=end.message or end.error, code=end.error)
            return
        if end.status == "cancelled":
            yield _frame("RUN_ERROR", message="The run was cancelled.", code="cancelled")
            return
        for event in self._fold.end():
            yield from self._event(event)
        for kind, fields in self._agents.end():
            yield _frame(kind, **fields)
        if self._state is not None:
            yield _frame("STATE_SNAPSHOT", snapshot=self._state)
        if self._messages is not None:
            yield self._snapshot()
        outcome: Fields = {"type": "success"}
        if self._asked:
            outcome = {"type": "interrupt", "interrupts": list(self._asked.values())}
        yield _frame("RUN_FINISHED", **self._names, outcome=outcome)

    def _values(self, part: StreamPart) -> Iterator[Frame]:
        state = part["data"]
        for question in part["interrupts"]:  # type: ignore[typeddict-item]
            self._asked[question.id] = self._question(question.id, question.value)
        if not isinstance(state, dict):
            return
        is_first, self._state = self._state is None, _without_messages(state)
        found = state.get("messages")
        if isinstance(found, list):
            self._messages = [message for message in found if isinstance(message, BaseMessage)]
        if is_first:
            yield _frame("STATE_SNAPSHOT", snapshot=self._state)

    def _changes(self, patch: Sequence[Mapping[str, object]]) -> Iterator[Frame]:
        """Yield what a step has changed; now and then that is the whole state, which is known when a run begins."""
        whole = next((change["value"] for change in patch if change["path"] == ""), None)
        is_first, self._is_patched = not self._is_patched, True
        if isinstance(whole, dict):
            if not is_first or self._state is None:
                yield _frame("STATE_SNAPSHOT", snapshot=_without_messages(whole))
            return
        delta = [change for change in patch if not _is_of_messages(str(change["path"]))]
        if delta:
            yield _frame("STATE_DELTA", delta=delta)

    def _question(self, id: str, value: object) -> Fields:
        text = value if isinstance(value, str) else to_json(value).decode()
        about: Fields = {"id": id, "reason": "interrupt", "message": text, "metadata": {"value": value}}
        approvals = approvals_in(id, value)
        if approvals:
            about.update(reason="tool_call", message="\n\n".join(asked.text or asked.name for asked in approvals))
            call = self._calls.asked(approvals[0]) if len(approvals) == 1 else None
            if call is not None:
                about["toolCallId"] = call.id
        return about

    def _event(self, event: MessageEvent) -> Iterator[Frame]:
        id = event.id
        if isinstance(event, Text):
            if id in self._reasoning:
                yield from self._end_reasoning(id)
            if id not in self._open_texts:
                shape = tagged({"type": "TEXT_MESSAGE_CONTENT", "messageId": id, "delta": TEXT}, self._tags.get(id))
                self._open_texts[id] = TextFrames(shape)
                yield self._of(id, "TEXT_MESSAGE_START", messageId=id, role="assistant")
            self._texts[id].append(event.delta)
            yield self._open_texts[id](event.delta)
        elif isinstance(event, Opened):
            self._texts[id] = []
            self._tags.setdefault(id, subagent_id(event.ns))
        elif isinstance(event, Reasoning):
            thought = _thought(id)
            if id not in self._reasoning:
                self._reasoning.add(id)
                yield self._of(id, "REASONING_START", messageId=thought)
                yield self._of(id, "REASONING_MESSAGE_START", messageId=thought, role="reasoning")
            yield self._of(id, "REASONING_MESSAGE_CONTENT", messageId=thought, delta=event.delta)
        elif isinstance(event, CallOpened):
            yield from self._end_reasoning(id)
            self._open_calls.setdefault(id, []).append(event.call)
            told = {"toolCallId": event.call, "toolCallName": event.name, "parentMessageId": id}
            yield self._of(id, "TOOL_CALL_START", **told)
        elif isinstance(event, CallArgs):
            yield self._of(id, "TOOL_CALL_ARGS", toolCallId=event.call, delta=event.delta)
        elif isinstance(event, ProviderCall):
            yield from self._whole_call(id, event.call)
        elif isinstance(event, (Source, File)):
            name = "source" if isinstance(event, Source) else "file"
            fields = {key: value for key, value in event._asdict().items() if key != "id" and value}
            yield self._of(id, "CUSTOM", name=name, value={"messageId": id, **fields})
        elif isinstance(event, Closed):
            yield from self._closed(event)
        elif isinstance(event, Result):
            yield self._result(event)
        elif isinstance(event, ObjectRetracted):
            yield _frame("CUSTOM", name="object", value={"runId": event.run_id, "complete": False, "data": None})
        elif isinstance(event, Retracted):
            yield from self._end_message(id)
            self._texts.pop(id, None)
            self._shown.pop(id, None)
            self._messages = None if self._messages is None else [kept for kept in self._messages if kept.id != id]
            yield self._snapshot()

    def _closed(self, event: Closed) -> Iterator[Frame]:
        id = event.id
        self._calls.event(event)
        yield from self._end_message(id)
        calls = [{"name": call.name, "args": dict(call.args or {}), "id": call.id} for call in event.calls]
        text = "".join(self._texts.pop(id, ()))
        if text or calls:
            self._shown[id] = AIMessage(text, id=id, tool_calls=calls)
        if event.usage:
            yield self._of(id, "CUSTOM", name="usage", value={"messageId": id, **event.usage})

    def _whole_call(self, id: str, call: Call) -> Iterator[Frame]:
        yield from self._end_reasoning(id)
        self._provider_calls.setdefault(id, []).append(call)
        about = {"toolCallId": call.id, "toolCallName": call.name, "parentMessageId": id}
        yield self._of(id, "TOOL_CALL_START", **about)
        yield self._of(id, "TOOL_CALL_ARGS", toolCallId=call.id, delta=call.text)
        yield self._of(id, "TOOL_CALL_END", toolCallId=call.id)

    def _result(self, event: Result) -> Frame:
        self._calls.event(event)
        id = f"{event.call}:result" if event.by_provider or not event.id else event.id
        tag = self._tags.get(event.id) if event.by_provider else subagent_id(event.ns)
        self._tags.setdefault(id, tag)
        content = event.content if isinstance(event.content, str) else to_json(event.content).decode()
        self._shown[id] = ToolMessage(content, tool_call_id=event.call, id=id)
        told = {"messageId": id, "toolCallId": event.call, "content": content, "role": "tool"}
        return self._of(id, "TOOL_CALL_RESULT", **told)

    def _snapshot(self) -> Frame:
        """Return all messages: the client takes them for its own, and drops what comes of one that is not there."""
        state = self._messages or []
        found = {str(message.id): message_shape(message) for message in state if message.id}
        under_way = {id: AIMessage("".join(texts), id=id) for id, texts in self._texts.items()}
        for id, message in (*self._shown.items(), *under_way.items()):
            found.setdefault(id, message_shape(message))
        if self._messages is None:
            of_client: Dict[str, Fields] = {str(message["id"]): message for message in self._sent}
            found = {**of_client, **{id: shape for id, shape in found.items() if id not in of_client}}
        for id, calls in self._provider_calls.items():
            if id in found:
                found[id] = with_calls(found[id], calls)
        return _frame("MESSAGES_SNAPSHOT", messages=[tagged(shape, self._tags.get(id)) for id, shape in found.items()])

    def _end_message(self, id: str) -> Iterator[Frame]:
        yield from self._end_reasoning(id)
        if self._open_texts.pop(id, None) is not None:
            yield self._of(id, "TEXT_MESSAGE_END", messageId=id)
        for call in self._open_calls.pop(id, ()):
            yield self._of(id, "TOOL_CALL_END", toolCallId=call)

    def _end_reasoning(self, id: str) -> Iterator[Frame]:
        if id in self._reasoning:
            self._reasoning.discard(id)
            yield self._of(id, "REASONING_MESSAGE_END", messageId=_thought(id))
            yield self._of(id, "REASONING_END", messageId=_thought(id))

    def _of(self, id: str, kind: str, **fields: object) -> Frame:
        """Return an event of a message."""
        return self._told(self._tags.get(id), kind, **fields)

    def _told(self, subagent: Optional[str], kind: str, **fields: object) -> Frame:
        return _frame(kind, **tagged(fields, subagent))


def _frame(kind: str, **fields: object) -> Frame:
    return Frame(to_json({"type": kind, **fields}))


def _thought(id: str) -> str:
    return f"{id}:reasoning"


def _without_messages(state: Mapping[str, object]) -> Fields:
    return {key: value for key, value in state.items() if key not in ("messages", "__interrupt__")}


def _is_of_messages(path: str) -> bool:
    return path in ("/messages", "/__interrupt__") or path.startswith(("/messages/", "/__interrupt__/"))
