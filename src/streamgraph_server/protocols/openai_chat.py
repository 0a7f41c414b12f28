"""OpenAI's chat completions: a graph as a model."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import partial
from typing import Callable, DefaultDict, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Union

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streamgraph.serialization import to_json
from streamgraph.types import StreamMode, StreamPart
from streamgraph_server._answers import answer
from streamgraph_server._guard import user_of
from streamgraph_server._operations import operation
from streamgraph_server._reading import all_frames, ended, stream_of
from streamgraph_server._requests import Fields, body_of, object_in, read_messages
from streamgraph_server.frames import Frame, RunEnd, RunFacts
from streamgraph_server.messages import Closed, MessageEvent, MessageFold, Opened, Reasoning, Retracted, Text
from streamgraph_server.orders import Order
from streamgraph_server.protocols.bodies import ChatBody
from streamgraph_server.protocols.openai_requests import FoundObject, ObjectFormat, read_parameters
from streamgraph_server.protocols.openai_shapes import error_shape, in_openais_words, usage_shape
from streamgraph_server.service import Service
from streamgraph_server.tokens import TEXT, TextFrames, growing


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
        self.finish = ""

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
            self._count(event)
            self._closed[event.id] = True
            yield from self._advance()
        elif isinstance(event, Retracted) and event.id in self._turn:
            self._waiting.pop(event.id, None)
            self._closed[event.id] = True
            yield from self._advance()

    def grow(self, id: str) -> bool:
        """Return whether text that is added to a message is shown now and as it is; then it is counted as shown."""
        if self._separates or not self._turn or self._turn[0] != id:
            return False
        self._has_text = True
        return True

    def rest(self) -> Iterator[MessageEvent]:
        """Yield what is shown at the end of the run."""
        return iter(())

    def _count(self, event: Closed) -> None:
        self.finish = event.finish
        for key, count in event.usage.items():
            self.usage[key] += count

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


class WholeText(OneText):
    """Keeps all texts to the end, for answers that are sent whole: what was taken back is not among them."""

    def __init__(self) -> None:
        super().__init__()
        self._texts: Dict[str, List[MessageEvent]] = {}

    def feed(self, event: MessageEvent) -> Iterator[MessageEvent]:
        """Keep a text; yield nothing."""
        if isinstance(event, Opened):
            self._texts[event.id] = []
        elif isinstance(event, (Text, Reasoning)):
            self._texts[event.id].append(event)
        elif isinstance(event, Closed):
            self._count(event)
        elif isinstance(event, Retracted):
            self._texts.pop(event.id, None)
        return iter(())

    def rest(self) -> Iterator[MessageEvent]:
        """Yield all texts."""
        for events in self._texts.values():
            self._separates = self._has_text
            for event in events:
                yield from self._shown(event)


class ChatEncoder:
    """Writes chunks of chat completions.

    The graph's own tool calls stay inside: a client would take them for its own.

    Args:
        with_usage: Whether the client wants to know the tokens used.
        wanted: The object that the client wants instead of text.
        whole: Whether the answer is sent when it is complete.
    """

    modes: Sequence[StreamMode] = ("messages", "tasks")
    subgraphs: Optional[bool] = None

    def __init__(self, with_usage: bool, wanted: Optional[ObjectFormat] = None, whole: bool = False) -> None:
        self._with_usage = with_usage
        self._wanted, self._found = wanted, FoundObject()
        if wanted is not None:
            self.modes = (*self.modes, "values", "objects")
        self._fold, self._text = MessageFold(), WholeText() if whole else OneText()
        self._head: Fields = {}
        self._write: Optional[TextFrames] = None

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
        if self._wanted is not None:
            self._found.part(part)
        return [frame for event in self._fold.part(part) for frame in self._frames(event)]

    def tokens(self, part: StreamPart) -> Optional[Callable[[str], Union[Frame, Iterable[Frame]]]]:
        """Return what writes the tokens of a message."""
        return growing(part, self._fold, self._grow, self.part) if self._wanted is None else None

    def _grow(self, id: str, text: str) -> Optional[Frame]:
        if not self._text.grow(id):
            return None
        write = self._write
        if write is None:
            write = self._write = TextFrames(self._shape({"content": TEXT}, None))
        return write(text)

    def gap(self, count: int) -> Iterable[Frame]:
        """Return the chunk that says that others are missing."""
        return [self._error(f"{count} events are not kept any more.", "server_error", "gap")]

    def end(self, end: RunEnd) -> Iterable[Frame]:
        """Return the last chunks."""
        frames = [frame for event in self._fold.end() for frame in self._frames(event)]
        frames += [frame for event in self._text.rest() for frame in self._shown(event)]
        if end.status == "failed":
            return [*frames, self._error(end.message or end.error, end.error, None)]
        if end.status != "done":
            asks = "The graph has a question, which this protocol cannot ask."
            what = asks if end.status == "interrupted" else "The run was cancelled."
            return [*frames, self._error(what, "server_error", end.status)]
        if self._wanted is not None:
            text, wrong = self._found.text(self._wanted)
            if wrong:
                return [*frames, self._error(wrong, "server_error", "no_object")]
            frames.append(self._chunk({"content": text}))
        frames.append(self._chunk({}, _FINISH.get(self._text.finish, "stop")))
        if self._with_usage:
            frames.append(Frame(to_json({**self._head, "choices": [], "usage": usage_shape(self._text.usage)})))
        return [*frames, Frame(b"[DONE]")]

    def _frames(self, event: MessageEvent) -> Iterator[Frame]:
        for shown in self._text.feed(event):
            yield from self._shown(shown)

    def _shown(self, event: MessageEvent) -> Iterator[Frame]:
        if isinstance(event, Text) and self._wanted is None:
            yield self._chunk({"content": event.delta})
        elif isinstance(event, Reasoning):
            yield self._chunk({"reasoning_content": event.delta})

    def _chunk(self, delta: Fields, finish: Optional[str] = None) -> Frame:
        return Frame(to_json(self._shape(delta, finish)))

    def _shape(self, delta: Fields, finish: Optional[str]) -> Fields:
        return {**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

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
        asked = read_parameters(service, name, body, body.get("response_format"))
        with_usage = object_in(body, "stream_options").get("include_usage") is True
        whole = body.get("stream") is not True
        encoder = ChatEncoder(with_usage or whole, asked.format, whole)
        order = Order(
            name=name,
            graph=service.unsaved(name),
            given={"messages": read_messages(body.get("messages"))},
            config=service.config_of(name, {"metadata": object_in(body, "metadata")}),
            owner=user_of(request),
            modes=encoder.modes,
            cancels=True,
            options=asked.options,
        )
        run = await service.runs.start(order)
        if not whole:
            heartbeat, headers = service.settings.heartbeat, dict(asked.headers)
            return stream_of(run, encoder, heartbeat=heartbeat, cancels=True, with_ids=False, headers=headers)
        if not await ended(run, request, cancels=True):
            return Response(None, _CLIENT_LEFT)
        return whole_answer(await all_frames(run, encoder), asked.headers)


def whole_answer(frames: Sequence[Frame], headers: Mapping[str, str]) -> Response:
    """Return the answer that the frames of a stream add up to."""
    content: Dict[str, List[str]] = {"content": [], "reasoning_content": []}
    shape: Fields = {}
    finish = "stop"
    for frame in frames[: -1 if frames[-1].data == b"[DONE]" else None]:
        chunk = json.loads(frame.data)
        if "error" in chunk:
            # OpenAI's clients try again after a status of 500, and a question would come again.
            return answer(chunk, 400 if chunk["error"]["code"] == "interrupted" else 500)
        shape.update(chunk)
        for choice in chunk["choices"]:
            finish = choice["finish_reason"] or finish
            for key, texts in content.items():
                texts.append(choice["delta"].get(key) or "")
    message: Fields = {"role": "assistant", "content": "".join(content["content"])}
    reasoning = "".join(content["reasoning_content"])
    if reasoning:
        message["reasoning_content"] = reasoning
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    return answer({**shape, "object": "chat.completion", "choices": [choice]}, headers=headers)


def routes(service: Service) -> List[BaseRoute]:
    """Return the paths of OpenAI's API.

    Args:
        service: The graphs and runs.
    """
    paths, about = ChatRoutes(service), partial(operation, bad=400)
    complete = about(paths.complete, body=ChatBody, gives=("json", "stream"), refuses=(429, 500, 503))
    return [
        Route("/v1/models", in_openais_words(about(paths.models))),
        Route("/v1/models/{model}", in_openais_words(about(paths.model))),
        Route("/v1/chat/completions", in_openais_words(complete), methods=["POST"]),
    ]


_CLIENT_LEFT = 499
_FINISH = {"length": "length", "max_tokens": "length", "content_filter": "content_filter", "refusal": "content_filter"}
"""Why a model has stopped, in OpenAI's words; the answer of a graph has no tool calls, so `stop` is all else."""


def _model(name: str) -> Fields:
    return {"id": name, "object": "model", "created": 0, "owned_by": "streamgraph"}
