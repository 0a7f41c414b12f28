"""OpenAI's chat completions: a graph as a model."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import DefaultDict, Dict, Iterable, Iterator, List, Optional, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streamgraph.serialization import to_json
from streamgraph.types import StreamMode, StreamPart
from streamgraph_server._answers import answer
from streamgraph_server._guard import user_of
from streamgraph_server._reading import all_frames, ended, stream_of
from streamgraph_server._requests import Fields, body_of, object_in, read_messages
from streamgraph_server.frames import Frame, RunEnd, RunFacts
from streamgraph_server.messages import Closed, MessageEvent, MessageFold, Opened, Reasoning, Retracted, Text
from streamgraph_server.protocols.openai_shapes import error_shape, in_openais_words, usage_shape
from streamgraph_server.runs import Order
from streamgraph_server.service import Service


class OneText:
    """Makes one text of the messages of a run, which may grow side by side.

    The message that opens first is shown as it grows; the others wait until it is their turn. Between two messages is
    an empty line.
    """

    def __init__(self) -> None:
        self._turn: List[str] = []
        self._waiting: DefaultDict[str, List[MessageEvent]] = defaultdict(list)
        self._closed: Dict[str, bool] = {}
        self._has_text = self._separates = False
        self.usage: DefaultDict[str, int] = defaultdict(int)

    def feed(self, event: MessageEvent) -> Iterator[MessageEvent]:
        """Yield the texts and reasoning that can be shown after an event."""
        if isinstance(event, Opened):
            self._turn.append(event.id)
        elif isinstance(event, (Text, Reasoning)):
            if self._turn and self._turn[0] == event.id:
                yield from self._shown(event)
            else:
                self._waiting[event.id].append(event)
        elif isinstance(event, Closed):
            for key, count in event.usage.items():
                self.usage[key] += count
            self._closed[event.id] = True
            yield from self._advance()
        elif isinstance(event, Retracted) and event.id in self._turn:
            self._waiting.pop(event.id, None)
            self._closed[event.id] = True
            yield from self._advance()

    def _advance(self) -> Iterator[MessageEvent]:
        while self._turn and self._closed.get(self._turn[0]):
            del self._turn[0]
            self._separates = self._has_text
            for waiting in self._waiting.pop(self._turn[0], []) if self._turn else []:
                yield from self._shown(waiting)

    def _shown(self, event: MessageEvent) -> Iterator[MessageEvent]:
        if isinstance(event, Text):
            self._has_text = True
            if self._separates:
                self._separates = False
                event = Text(event.id, f"\n\n{event.delta}")
        yield event


class ChatEncoder:
    """Writes chunks of chat completions.

    The graph's own tool calls stay inside: a client would take them for its own.

    Args:
        with_usage: Whether the client wants to know the tokens used.
    """

    modes: Sequence[StreamMode] = ("messages", "tasks")
    subgraphs: Optional[bool] = None

    def __init__(self, with_usage: bool) -> None:
        self._with_usage = with_usage
        self._fold, self._text = MessageFold(), OneText()
        self._head: Fields = {}

    def begin(self, run: RunFacts) -> Iterable[Frame]:
        """Return the chunk that says who speaks."""
        self._head = {
            "id": f"chatcmpl-{run.id}",
            "object": "chat.completion.chunk",
            "created": int(run.created),
            "model": run.graph,
        }
        return [self._chunk({"role": "assistant", "content": ""})]

    def part(self, part: StreamPart) -> Iterable[Frame]:
        """Return the chunks of a part."""
        return [frame for event in self._fold.part(part) for frame in self._frames(event)]

    def gap(self, count: int) -> Iterable[Frame]:
        """Return nothing: the client reads from the begin, before anything is dropped."""
        return [self._error(f"{count} events are not kept any more.", "server_error", "gap")]

    def end(self, end: RunEnd) -> Iterable[Frame]:
        """Return the last chunks."""
        frames = [frame for event in self._fold.end() for frame in self._frames(event)]
        if end.status == "failed":
            return [*frames, self._error(end.message or end.error, end.error, None)]
        if end.status != "done":
            asks = "The graph has a question, which this protocol cannot ask."
            what = asks if end.status == "interrupted" else "The run was cancelled."
            return [*frames, self._error(what, "server_error", end.status)]
        frames.append(self._chunk({}, "stop"))
        if self._with_usage:
            frames.append(Frame(to_json({**self._head, "choices": [], "usage": usage_shape(self._text.usage)})))
        return [*frames, Frame(b"[DONE]")]

    def _frames(self, event: MessageEvent) -> Iterator[Frame]:
        for shown in self._text.feed(event):
            if isinstance(shown, Text):
                yield self._chunk({"content": shown.delta})
            elif isinstance(shown, Reasoning):
                yield self._chunk({"reasoning_content": shown.delta})

    def _chunk(self, delta: Fields, finish: Optional[str] = None) -> Frame:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return Frame(to_json({**self._head, "choices": [choice]}))

    def _error(self, message: str, kind: str, code: Optional[str]) -> Frame:
        return Frame(to_json(error_shape(message, kind, code)))


class ChatRoutes:
    """The paths of OpenAI's API.

    Args:
        service: The graphs and runs.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def models(self, request: Request) -> Response:
        """Answer with the graphs as models."""
        return answer({"object": "list", "data": [_model(name) for name in self._service.names]})

    async def model(self, request: Request) -> Response:
        """Answer with one graph as a model."""
        return answer(_model(self._service.name_of(request.path_params["model"])))

    async def complete(self, request: Request) -> Response:
        """Run a graph, and stream its text or answer with it."""
        service = self._service
        body = await body_of(request, service.settings.max_body)
        name = service.name_of(body.get("model"))
        order = Order(
            name=name,
            graph=service.unsaved(name),
            given={"messages": read_messages(body.get("messages"))},
            config=service.config_of(name, {"metadata": object_in(body, "metadata")}),
            owner=user_of(request),
            cancels=True,
        )
        run = await service.runs.start(order)
        if body.get("stream") is True:
            encoder = ChatEncoder(object_in(body, "stream_options").get("include_usage") is True)
            return stream_of(run, encoder, heartbeat=service.settings.heartbeat, cancels=True, with_ids=False)
        if not await ended(run, request, cancels=True):
            return Response(None, _CLIENT_LEFT)
        return whole_answer(await all_frames(run, ChatEncoder(with_usage=True)))


def whole_answer(frames: Sequence[Frame]) -> Response:
    """Return the answer that the frames of a stream add up to."""
    content: Dict[str, List[str]] = {"content": [], "reasoning_content": []}
    shape: Fields = {}
    for frame in frames[: -1 if frames[-1].data == b"[DONE]" else None]:
        chunk = json.loads(frame.data)
        if "error" in chunk:
            return answer(chunk, 500)
        shape.update(chunk)
        for choice in chunk["choices"]:
            for key, texts in content.items():
                texts.append(choice["delta"].get(key) or "")
    message: Fields = {"role": "assistant", "content": "".join(content["content"])}
    reasoning = "".join(content["reasoning_content"])
    if reasoning:
        message["reasoning_content"] = reasoning
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return answer({**shape, "object": "chat.completion", "choices": [choice]})


def routes(service: Service) -> List[BaseRoute]:
    """Return the paths of OpenAI's API.

    Args:
        service: The graphs and runs.
    """
    paths = ChatRoutes(service)
    return [
        Route("/v1/models", in_openais_words(paths.models)),
        Route("/v1/models/{model}", in_openais_words(paths.model)),
        Route("/v1/chat/completions", in_openais_words(paths.complete), methods=["POST"]),
    ]


_CLIENT_LEFT = 499


def _model(name: str) -> Fields:
    return {"id": name, "object": "model", "created": 0, "owned_by": "streamgraph"}
