"""The UI message stream of Vercel's AI SDK: `useChat`, versions 6 and 7."""

from __future__ import annotations

from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, cast
from uuid import uuid4

from langchain_core.messages import RemoveMessage
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streamgraph.serialization import to_json
from streamgraph.types import StreamMode, StreamPart
from streamgraph_server._answers import answer, nothing
from streamgraph_server._guard import user_of
from streamgraph_server._reading import EventStream, Filters, filters_of, stream_of
from streamgraph_server._refusals import refusal
from streamgraph_server._requests import Fields, body_of, read_messages, text_in
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
from streamgraph_server.protocols.conversation import resumed, start_on_thread, stored_messages, thread_named
from streamgraph_server.runs import ServedRun
from streamgraph_server.service import Service

HEADERS = {"x-vercel-ai-ui-message-stream": "v1"}
NEWEST = 7
"""The version of the SDK from which a step can be reset."""


class UIMessageEncoder:
    """Writes the chunks of UI messages: one message for the whole run, with a step for each round of models.

    Args:
        version: The version of the client's SDK; before 7 it cannot take back text.
    """

    modes: Sequence[StreamMode] = ("values", "custom", "messages", "tasks")
    subgraphs: Optional[bool] = None

    def __init__(self, version: int) -> None:
        self._version = version
        self._fold = MessageFold()
        self._in_step = False
        self._step: List[Tuple[str, Fields]] = []
        self._open: Dict[str, str] = {}
        self._counts: Dict[str, int] = {}
        self._asked: Dict[str, Fields] = {}

    def begin(self, run: RunFacts) -> Iterable[Frame]:
        """Return the chunk that begins the message."""
        return [_frame("start", messageId=run.id, messageMetadata={"runId": run.id, "graph": run.graph})]

    def part(self, part: StreamPart) -> Iterable[Frame]:
        """Return the chunks of a part."""
        for event in self._fold.part(part):
            yield from self._event(event)
        if part["type"] == "custom":
            yield from self._custom(part["data"])
        elif part["type"] == "values" and not part["ns"]:
            for question in part["interrupts"]:
                self._asked[question.id] = {"id": question.id, "value": question.value}
            if self._in_step and not self._open:
                yield from self._leave_step()

    def gap(self, count: int) -> Iterable[Frame]:
        """Return the chunk that says that others are missing."""
        return [_frame("error", errorText=f"{count} events of the run are not kept any more.")]

    def end(self, end: RunEnd) -> Iterable[Frame]:
        """Return the last chunks."""
        for event in self._fold.end():
            yield from self._event(event)
        if self._in_step:
            yield from self._leave_step()
        if end.status == "failed":
            yield _frame("error", errorText=end.message or end.error)
        elif end.status == "cancelled":
            yield _frame("abort", reason="The run was cancelled.")
        else:
            for asked in self._asked.values():
                yield _frame("data-interrupt", id=str(asked["id"]), data=asked)
            yield _frame("finish", finishReason="stop")
        yield Frame(b"[DONE]")

    def _event(self, event: MessageEvent) -> Iterator[Frame]:
        id = event.id
        if isinstance(event, Opened):
            if not self._in_step:
                self._in_step = True
                yield _frame("start-step")
        elif isinstance(event, (Text, Reasoning)):
            yield from self._grown(id, "text" if isinstance(event, Text) else "reasoning", event.delta)
        elif isinstance(event, CallOpened):
            yield from self._end_block(id)
            yield self._sent(id, "tool-input-start", toolCallId=event.call, toolName=event.name, dynamic=True)
        elif isinstance(event, CallArgs):
            yield self._sent(id, "tool-input-delta", toolCallId=event.call, inputTextDelta=event.delta)
        elif isinstance(event, Closed):
            yield from self._closed(event)
        elif isinstance(event, Result):
            if event.failed:
                yield _frame("tool-output-error", toolCallId=event.call, errorText=str(event.content), dynamic=True)
            else:
                yield _frame("tool-output-available", toolCallId=event.call, output=event.content, dynamic=True)
        elif isinstance(event, Retracted):
            yield from self._retracted(id)

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
        for call in event.calls:
            # Without `providerExecuted` the client would run the tool, or send the message again.
            told = {"toolCallId": call.id, "toolName": call.name, "dynamic": True, "providerExecuted": True}
            if call.args is None:
                why = "The model's arguments are no JSON object."
                yield self._sent(event.id, "tool-input-error", **told, input=call.text, errorText=why)
            else:
                yield self._sent(event.id, "tool-input-available", **told, input=dict(call.args))
        if event.usage:
            yield _frame("message-metadata", messageMetadata={"usage": dict(event.usage)})

    def _retracted(self, id: str) -> Iterator[Frame]:
        if self._version < NEWEST:
            yield from self._end_block(id)
            yield _frame("data-retracted", data={"messageId": id})
            return
        self._open.pop(id, None)
        kept = [(of, shape) for of, shape in self._step if of != id]
        if len(kept) == len(self._step):
            return
        self._step = kept
        # It deletes all parts of the step, so those of the other messages are sent again.
        yield _frame("reset-step")
        for _, shape in kept:
            yield Frame(to_json(shape))

    def _leave_step(self) -> Iterator[Frame]:
        self._in_step, self._step = False, []
        yield _frame("finish-step")

    def _custom(self, data: object) -> Iterator[Frame]:
        if isinstance(data, dict) and str(data.get("type", "")).startswith("data-") and "data" in data:
            yield Frame(to_json({key: value for key, value in data.items() if value is not None}))
        else:
            yield _frame("data-custom", data=data)

    def _sent(self, of: str, kind: str, **fields: object) -> Frame:
        shape: Fields = {"type": kind, **fields}
        self._step.append((of, shape))
        return Frame(to_json(shape))


def _frame(kind: str, **fields: object) -> Frame:
    return Frame(to_json({"type": kind, **fields}))


def read_ui_messages(given: object) -> List[Fields]:
    """Return UI messages as messages of LangChain: their texts and files.

    Raises:
        HTTPException: They are none.
    """
    if not isinstance(given, list) or not all(isinstance(message, dict) for message in given):
        raise refusal(422, "messages must be a list of UI messages.")
    found = []
    for message in cast("List[Fields]", given):
        parts = message.get("parts")
        blocks = [_block(part) for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
        content: object = [block for block in blocks if block is not None]
        if all(isinstance(block, dict) and block["type"] == "text" for block in cast("List[object]", content)):
            content = "".join(str(block["text"]) for block in cast("List[Fields]", content))
        found.append({"role": text_in(message, "role"), "content": content, "id": text_in(message, "id") or None})
    return found


def _block(part: Fields) -> Optional[Fields]:
    if part.get("type") == "text":
        return {"type": "text", "text": text_in(part, "text")}
    if part.get("type") != "file":
        return None
    url, kind = text_in(part, "url"), text_in(part, "mediaType")
    if kind.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "source_type": "url", "url": url, "mime_type": kind}


class ChatPaths:
    """The paths that `useChat` uses.

    Args:
        service: The graphs, threads and runs.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def send(self, request: Request) -> Response:
        """Take a conversation, and stream the message that follows."""
        service = self._service
        name = self._name(request)
        body = await body_of(request, service.settings.max_body)
        thread = await thread_named(service, text_in(body, "id") or str(uuid4()), request)
        given: object
        if body.get("resume") is not None:
            answers = body["resume"]
            given = resumed(answers if isinstance(answers, list) else [answers])
        else:
            before = await stored_messages(service, name, thread)
            sent = read_ui_messages(body.get("messages"))
            if body.get("trigger") == "regenerate-message" and before:
                given = {"messages": [RemoveMessage(id=message.id or "") for message in _after_question(before)]}
            else:
                # The thread knows the answers so far, under ids of its own: only what comes after them is new.
                given = {"messages": read_messages(_unanswered(sent) if before else sent)}
        run = await start_on_thread(service, name, thread, given, request)
        return self._stream(run, request, filters_of(request))

    async def read(self, request: Request) -> Response:
        """Stream the run of a conversation again from its begin; there is nothing if it is over."""
        thread = await self._service.thread(request.path_params["chat_id"], request)
        going_on = [] if thread is None else self._service.runs.going_on(thread)
        return self._stream(going_on[-1], request, filters_of(request)) if going_on else nothing()

    async def stop(self, request: Request) -> Response:
        """End the runs of a conversation."""
        thread = await self._service.need_thread(request.path_params["chat_id"], request)
        for run in self._service.runs.going_on(thread):
            if run.order.owner == user_of(request):
                run.cancel()
        return answer({"stopped": True})

    def _name(self, request: Request) -> str:
        return self._service.name_of(request.path_params.get("graph", self._service.names[0]))

    def _stream(self, run: ServedRun, request: Request, filters: Filters) -> EventStream:
        version = request.query_params.get("ai_sdk", str(NEWEST))
        if version not in ("6", "7"):
            raise refusal(422, "ai_sdk must be 6 or 7.")
        return stream_of(
            run,
            UIMessageEncoder(int(version)),
            heartbeat=self._service.settings.heartbeat,
            cancels=run.order.cancels,
            with_ids=False,
            headers=HEADERS,
            filters=filters,
        )


def _unanswered(sent: Sequence[Fields]) -> List[Fields]:
    last = max((place for place, message in enumerate(sent) if message["role"] == "assistant"), default=-1)
    return list(sent[last + 1 :])


def _after_question(messages: Sequence[object]) -> List[RemoveMessage]:
    last = max((place for place, message in enumerate(messages) if getattr(message, "type", "") == "human"), default=-1)
    return list(cast("Sequence[RemoveMessage]", messages[last + 1 :]))


def routes(service: Service) -> List[BaseRoute]:
    """Return the paths that `useChat` uses.

    Args:
        service: The graphs, threads and runs.
    """
    paths = ChatPaths(service)
    found: List[BaseRoute] = []
    for prefix in ("/chat/{graph}", "/api/chat"):
        found += [
            Route(prefix, paths.send, methods=["POST"]),
            Route(prefix + "/{chat_id}/stream", paths.read),
            Route(prefix + "/{chat_id}/stop", paths.stop, methods=["POST"]),
        ]
    return found
