"""AG-UI, the protocol of CopilotKit and others."""

from __future__ import annotations

from collections import Counter
from typing import Counter as CounterOf
from typing import Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Set
from uuid import uuid4

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streamgraph.serialization import to_json
from streamgraph.types import StreamMode, StreamPart
from streamgraph_server._reading import filters_of, stream_of
from streamgraph_server._refusals import refusal
from streamgraph_server._requests import Fields, body_of, object_in, read_messages, text_in
from streamgraph_server.frames import Frame, RunEnd, RunFacts
from streamgraph_server.messages import (
    CallArgs,
    CallOpened,
    Closed,
    MessageEvent,
    MessageFold,
    Opened,
    Reasoning,
    Result,
    Retracted,
    Text,
)
from streamgraph_server.protocols.conversation import resumed, start_on_thread, thread_named
from streamgraph_server.service import Service

_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}
_SKIPPED = ("reasoning", "activity")
"""Roles of messages that only the screen shows."""


class AgUiEncoder:
    """Writes the events of AG-UI.

    Args:
        thread_id: The thread as the client names it.
        run_id: The run as the client names it.
    """

    modes: Sequence[StreamMode] = ("values", "custom", "messages", "tasks")
    subgraphs: Optional[bool] = None

    def __init__(self, thread_id: str, run_id: str) -> None:
        self._names: Fields = {"threadId": thread_id, "runId": run_id}
        self._fold = MessageFold()
        self._texts: Dict[str, List[str]] = {}
        self._reasoning: Set[str] = set()
        self._open_texts: Set[str] = set()
        self._open_calls: Dict[str, List[str]] = {}
        self._steps: CounterOf[str] = Counter()
        self._messages: List[BaseMessage] = []
        self._asked: Dict[str, Fields] = {}

    def begin(self, run: RunFacts) -> Iterable[Frame]:
        """Return the event that begins the run."""
        return [_frame("RUN_STARTED", **self._names)]

    def part(self, part: StreamPart) -> Iterable[Frame]:
        """Return the events of a part."""
        for event in self._fold.part(part):
            yield from self._event(event)
        if part["type"] == "tasks" and not part["ns"]:
            yield from self._task(str(part["data"]["name"]), "result" in part["data"])
        elif part["type"] == "custom":
            yield _frame("CUSTOM", name="custom", value=part["data"])
        elif part["type"] == "values" and not part["ns"]:
            state = part["data"]
            for question in part["interrupts"]:
                asks = {"reason": "interrupt", "message": str(question.value), "metadata": {"value": question.value}}
                self._asked[question.id] = {"id": question.id, **asks}
            if isinstance(state, dict):
                self._messages = [item for item in state.get("messages") or () if isinstance(item, BaseMessage)]
                shown = {key: value for key, value in state.items() if key != "messages"}
                yield _frame("STATE_SNAPSHOT", snapshot=shown)

    def gap(self, count: int) -> Iterable[Frame]:
        """Return the event that says that others are missing."""
        return [_frame("RUN_ERROR", message=f"{count} events of the run are not kept any more.", code="Gap")]

    def end(self, end: RunEnd) -> Iterable[Frame]:
        """Return the last events."""
        if end.status == "failed":
            yield _frame("RUN_ERROR", message=end.message or end.error, code=end.error)
            return
        if end.status == "cancelled":
            yield _frame("RUN_ERROR", message="The run was cancelled.", code="cancelled")
            return
        for event in self._fold.end():
            yield from self._event(event)
        for name in list(self._steps):
            yield _frame("STEP_FINISHED", stepName=name)
        yield _frame("MESSAGES_SNAPSHOT", messages=[_shape(message) for message in self._messages if message.id])
        outcome: Fields = {"type": "success"}
        if self._asked:
            outcome = {"type": "interrupt", "interrupts": list(self._asked.values())}
        yield _frame("RUN_FINISHED", **self._names, outcome=outcome)

    def _task(self, name: str, is_over: bool) -> Iterator[Frame]:
        # Copies of a node that run at the same time are one step: the client refuses a name that is open twice.
        if not is_over:
            self._steps[name] += 1
            if self._steps[name] == 1:
                yield _frame("STEP_STARTED", stepName=name)
        elif self._steps[name]:
            self._steps[name] -= 1
            if not self._steps[name]:
                del self._steps[name]
                yield _frame("STEP_FINISHED", stepName=name)

    def _event(self, event: MessageEvent) -> Iterator[Frame]:
        id = event.id
        if isinstance(event, Opened):
            self._texts[id] = []
        elif isinstance(event, Text):
            yield from self._end_reasoning(id)
            if id not in self._open_texts:
                self._open_texts.add(id)
                yield _frame("TEXT_MESSAGE_START", messageId=id, role="assistant")
            self._texts[id].append(event.delta)
            yield _frame("TEXT_MESSAGE_CONTENT", messageId=id, delta=event.delta)
        elif isinstance(event, Reasoning):
            if id not in self._reasoning:
                self._reasoning.add(id)
                yield _frame("REASONING_START", messageId=_thought(id))
                yield _frame("REASONING_MESSAGE_START", messageId=_thought(id), role="reasoning")
            yield _frame("REASONING_MESSAGE_CONTENT", messageId=_thought(id), delta=event.delta)
        elif isinstance(event, CallOpened):
            yield from self._end_reasoning(id)
            self._open_calls.setdefault(id, []).append(event.call)
            told = {"toolCallId": event.call, "toolCallName": event.name, "parentMessageId": id}
            yield _frame("TOOL_CALL_START", **told)
        elif isinstance(event, CallArgs):
            yield _frame("TOOL_CALL_ARGS", toolCallId=event.call, delta=event.delta)
        elif isinstance(event, Closed):
            yield from self._end_message(id)
            self._texts.pop(id, None)
            if event.usage:
                yield _frame("CUSTOM", name="usage", value={"messageId": id, **event.usage})
        elif isinstance(event, Result):
            content = event.content if isinstance(event.content, str) else to_json(event.content).decode()
            told = {"messageId": id or f"{event.call}:result", "toolCallId": event.call}
            yield _frame("TOOL_CALL_RESULT", **told, content=content, role="tool")
        elif isinstance(event, Retracted):
            yield from self._retracted(id)

    def _retracted(self, id: str) -> Iterator[Frame]:
        yield from self._end_message(id)
        self._texts.pop(id, None)
        # The client's list is replaced; what is under way must be in it, or its further text is dropped.
        under_way = [AIMessage("".join(texts), id=of) for of, texts in self._texts.items()]
        self._messages = [message for message in self._messages if message.id != id]
        shown = [_shape(message) for message in (*self._messages, *under_way) if message.id]
        yield _frame("MESSAGES_SNAPSHOT", messages=shown)

    def _end_message(self, id: str) -> Iterator[Frame]:
        yield from self._end_reasoning(id)
        if id in self._open_texts:
            self._open_texts.discard(id)
            yield _frame("TEXT_MESSAGE_END", messageId=id)
        for call in self._open_calls.pop(id, ()):
            yield _frame("TOOL_CALL_END", toolCallId=call)

    def _end_reasoning(self, id: str) -> Iterator[Frame]:
        if id in self._reasoning:
            self._reasoning.discard(id)
            yield _frame("REASONING_MESSAGE_END", messageId=_thought(id))
            yield _frame("REASONING_END", messageId=_thought(id))


def _frame(kind: str, **fields: object) -> Frame:
    return Frame(to_json({"type": kind, **fields}))


def _thought(id: str) -> str:
    return f"{id}:reasoning"


def _shape(message: BaseMessage) -> Fields:
    """Return a message as AG-UI knows it; it has no field for what it does not say."""
    content = message.content if isinstance(message.content, str) else message.text
    shape: Fields = {"id": message.id, "role": _ROLES.get(message.type, "assistant"), "content": _called(content)}
    if isinstance(message, AIMessage) and message.tool_calls:
        shape["toolCalls"] = [
            {
                "id": call["id"] or "",
                "type": "function",
                "function": {"name": call["name"], "arguments": to_json(call["args"]).decode()},
            }
            for call in message.tool_calls
        ]
    if isinstance(message, ToolMessage):
        shape["toolCallId"] = message.tool_call_id
    return shape


def _called(text: object) -> str:
    # `text` of a message is a method before langchain-core 1.
    return str(text() if callable(text) else text)


def read_conversation(given: object) -> List[BaseMessage]:
    """Return the messages of a client as messages of LangChain.

    Raises:
        HTTPException: They are none.
    """
    if not isinstance(given, list) or not all(isinstance(message, dict) for message in given):
        raise refusal(422, "messages must be a list of messages.")
    found: List[BaseMessage] = []
    for message in given:
        role, id = text_in(message, "role"), text_in(message, "id") or None
        content = message.get("content") or ""
        if role in _SKIPPED:
            continue
        if role == "tool":
            call = text_in(message, "toolCallId")
            found.append(ToolMessage(str(content), tool_call_id=call, id=id))
        elif role in ("system", "developer"):
            found.append(SystemMessage(str(content), id=id))
        elif role == "user":
            found.append(HumanMessage(content if isinstance(content, str) else _blocks(content), id=id))
        elif role == "assistant":
            plain = {"role": "assistant", "content": str(content), "tool_calls": message.get("toolCalls") or []}
            made = read_messages([plain])[0]
            made.id = id
            found.append(made)
        else:
            raise refusal(422, f"There is no role {role[:80]!r} of messages.")
    return found


def _blocks(content: object) -> str:
    if not isinstance(content, list):
        raise refusal(422, "content must be a text or a list.")
    return "".join(str(block.get("text", "")) for block in content if isinstance(block, dict))


class AgUiPaths:
    """The path of AG-UI.

    Args:
        service: The graphs, threads and runs.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def run(self, request: Request) -> Response:
        """Run a graph on a thread, and stream its events."""
        service = self._service
        name = service.name_of(request.path_params["graph"])
        body = await body_of(request, service.settings.max_body)
        thread_id, run_id = text_in(body, "threadId") or str(uuid4()), text_in(body, "runId") or str(uuid4())
        answers = body.get("resume")
        given: object = resumed(answers) if isinstance(answers, list) else None
        if given is None:
            state: Mapping[str, object] = object_in(body, "state")
            messages = read_conversation(body.get("messages") or [])
            given = {**state, "messages": messages} if messages or not state else dict(state)
        thread = await thread_named(service, thread_id, request)
        run = await start_on_thread(service, name, thread, given, request)
        return stream_of(
            run,
            AgUiEncoder(thread_id, run_id),
            heartbeat=service.settings.heartbeat,
            cancels=run.order.cancels,
            with_ids=False,
            filters=filters_of(request),
        )


def routes(service: Service) -> List[BaseRoute]:
    """Return the path of AG-UI.

    Args:
        service: The graphs, threads and runs.
    """
    return [Route("/agui/{graph}", AgUiPaths(service).run, methods=["POST"])]
