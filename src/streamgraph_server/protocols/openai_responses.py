"""OpenAI's Responses API: a graph as a model, in the background as well."""

from __future__ import annotations

import json
from functools import partial
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streamgraph.serialization import to_json
from streamgraph.types import StreamMode, StreamPart
from streamgraph_server._answers import answer
from streamgraph_server._guard import user_of
from streamgraph_server._operations import Gives, operation
from streamgraph_server._reading import all_frames, ended, stream_of
from streamgraph_server._refusals import refusal, unknown
from streamgraph_server._requests import Fields, body_of, number_in, object_in, read_messages, text_in
from streamgraph_server.frames import Frame, RunEnd, RunFacts
from streamgraph_server.messages import Closed, MessageEvent, MessageFold, Reasoning, Retracted, Source, Text
from streamgraph_server.orders import Order
from streamgraph_server.protocols.bodies import ResponseBody, ResponseQuery
from streamgraph_server.protocols.openai_requests import FoundObject, read_parameters
from streamgraph_server.protocols.openai_response_requests import About, read_items
from streamgraph_server.protocols.openai_shapes import in_openais_words
from streamgraph_server.served import ServedRun
from streamgraph_server.service import Service
from streamgraph_server.threads import Thread
from streamgraph_server.tokens import TEXT, around, growing

PREFIX = "resp_"
_STATUSES = {"done": "completed", "failed": "failed", "cancelled": "cancelled", "interrupted": "incomplete"}
_CLIENT_LEFT = 499
_DELTA = "response.output_text.delta"
_DELTA_HEAD = b'{"type":"%b","sequence_number":' % _DELTA.encode()


class _Item:
    """One item of the output: a message, or what a model has thought."""

    def __init__(self, index: int, of: str, is_text: bool) -> None:
        self.index = index
        self.of = of
        self.is_text = is_text
        self.id = of if is_text else f"{of}:reasoning"
        self.texts: List[str] = []
        self.annotations: List[Fields] = []
        self.status = "in_progress"
        self.is_retracted = False
        head, tail = around({**self.place, "delta": TEXT, "logprobs": []})
        self.around = b"," + head[1:], tail
        """The JSON before and after the text of an event of more text."""

    @property
    def block(self) -> Fields:
        """Its only part."""
        text = "".join(self.texts)
        if self.is_text:
            return {"type": "output_text", "text": text, "annotations": list(self.annotations), "logprobs": []}
        return {"type": "summary_text", "text": text}

    @property
    def shape(self) -> Fields:
        """The item as clients read it."""
        blocks = [self.block] if self.texts else []
        if self.is_text:
            about: Fields = {"type": "message", "role": "assistant", "content": blocks}
        else:
            about = {"type": "reasoning", "summary": blocks}
        return {"id": self.id, "status": self.status, **about}

    @property
    def place(self) -> Fields:
        """Where its part is."""
        return {"item_id": self.id, "output_index": self.index, "content_index" if self.is_text else "summary_index": 0}


class ResponseEncoder:
    """Writes the events of a response: an item for each message, also for those that grow side by side.

    Args:
        after: The number of the last event that the client has seen; -1 for none.
        about: What the client has asked for, which the response repeats.
    """

    modes: Sequence[StreamMode] = ("messages", "tasks")
    subgraphs: Optional[bool] = None

    def __init__(self, after: int = -1, about: Optional[About] = None) -> None:
        self._after = after
        self._about = About() if about is None else about
        self._found = FoundObject()
        self._wrong = ""
        if self._about.wanted is not None:
            self.modes = (*self.modes, "values", "objects")
        self._number = -1
        self._fold = MessageFold()
        self._items: List[_Item] = []
        self._open: Dict[str, _Item] = {}
        self._usage: Dict[str, int] = {}
        self._head: Fields = {}

    def begin(self, run: RunFacts) -> Iterable[Frame]:
        """Return the events that begin the response."""
        self._head = {"id": PREFIX + run.id, "object": "response", "created_at": int(run.created), "model": run.graph}
        response = self.response("in_progress")
        return self._kept([self._event("created", response=response), self._event("in_progress", response=response)])

    def part(self, part: StreamPart) -> Iterable[Frame]:
        """Return the events of a part."""
        if self._about.wanted is not None:
            self._found.part(part)
        return self._kept([frame for event in self._fold.part(part) for frame in self._frames(event)])

    def tokens(self, part: StreamPart) -> Optional[Callable[[str], Union[Frame, Iterable[Frame]]]]:
        """Return what writes the tokens of a message."""
        return growing(part, self._fold, self._grow, self.part) if self._about.wanted is None else None

    def _grow(self, id: str, text: str) -> Optional[Frame]:
        item = self._open.get(id)
        if item is None or not item.is_text or self._number < self._after:
            return None
        item.texts.append(text)
        self._number += 1
        head, tail = item.around
        return Frame(b"%b%d%b%b%b" % (_DELTA_HEAD, self._number, head, to_json(text), tail), _DELTA)

    def gap(self, count: int) -> Iterable[Frame]:
        """Return the event that says that others are missing."""
        message = f"{count} events of the run are not kept any more."
        return [Frame(to_json({"type": "error", "code": "gap", "message": message, "param": None}), "error")]

    def end(self, end: RunEnd) -> Iterable[Frame]:
        """Return the last events."""
        frames = [frame for event in self._fold.end() for frame in self._frames(event)]
        if end.status == "done" and self._about.wanted is not None:
            text, wrong = self._found.text(self._about.wanted)
            if wrong:
                end = RunEnd("failed", "ValueError", wrong)
            else:
                frames += [*self._grown("msg_object", True, text), *self._close("msg_object", "completed")]
        kind = {"done": "completed", "failed": "failed"}.get(end.status, "incomplete")
        return self._kept([*frames, self._event(kind, response=self.response(_STATUSES[end.status], end))])

    def response(self, status: str, end: Optional[RunEnd] = None) -> Fields:
        """Return the response so far.

        Args:
            status: Its state, in OpenAI's words.
            end: How the run has ended; `None` if it goes on.
        """
        error = reason = None
        if end is not None and end.status == "failed":
            error = {"code": "server_error", "message": end.message or end.error}
        elif end is not None and end.status != "done":
            reason = {"reason": end.status}
        return {
            **self._head,
            "status": status,
            "output": [item.shape for item in self._items if not item.is_retracted],
            "error": error,
            "incomplete_details": reason,
            "instructions": self._about.instructions or None,
            "metadata": dict(self._about.metadata),
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "temperature": None,
            "top_p": None,
            "usage": self._counted() if status == "completed" else None,
        }

    def _counted(self) -> Fields:
        given, made = self._usage.get("input_tokens", 0), self._usage.get("output_tokens", 0)
        return {
            "input_tokens": given,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": made,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self._usage.get("total_tokens", given + made),
        }

    def _frames(self, event: MessageEvent) -> Iterator[Frame]:
        if isinstance(event, (Text, Reasoning)):
            is_text = isinstance(event, Text)
            if not is_text or self._about.wanted is None:
                yield from self._grown(event.id, is_text, event.delta)
        elif isinstance(event, Source):
            yield from self._quoted(event)
        elif isinstance(event, Closed):
            for key, count in event.usage.items():
                self._usage[key] = self._usage.get(key, 0) + count
            yield from self._close(event.id, "completed")
        elif isinstance(event, Retracted):
            yield from self._close(event.id, "incomplete")
            # The protocol cannot take back what was streamed; the response as a whole does not have it.
            for item in self._items:
                item.is_retracted = item.is_retracted or item.of == event.id

    def _grown(self, id: str, is_text: bool, delta: str) -> Iterator[Frame]:
        item = self._open.get(id)
        if item is not None and item.is_text != is_text:
            yield from self._close(id, "completed")
            item = None
        if item is None:
            item = self._open[id] = _Item(len(self._items), id, is_text)
            self._items.append(item)
            yield self._event("output_item.added", output_index=item.index, item=item.shape)
            name = "content_part" if is_text else "reasoning_summary_part"
            yield self._event(f"{name}.added", **item.place, part=item.block)
        item.texts.append(delta)
        name = "output_text" if is_text else "reasoning_summary_text"
        more: Fields = {"logprobs": []} if is_text else {}
        yield self._event(f"{name}.delta", **item.place, delta=delta, **more)

    def _quoted(self, event: Source) -> Iterator[Frame]:
        """Yield what a text quotes, if it is a page."""
        item = self._open.get(event.id)
        if item is None or not item.is_text or not event.url:
            return
        end = sum(map(len, item.texts))
        quoted: Fields = {"type": "url_citation", "url": event.url, "title": event.title, "start_index": 0}
        quoted["end_index"] = end
        index = len(item.annotations)
        item.annotations.append(quoted)
        yield self._event("output_text.annotation.added", **item.place, annotation_index=index, annotation=quoted)

    def _close(self, id: str, status: str) -> Iterator[Frame]:
        item = self._open.pop(id, None)
        if item is None:
            return
        item.status = status
        text = "".join(item.texts)
        more: Fields = {"logprobs": []} if item.is_text else {}
        yield self._event(
            "output_text.done" if item.is_text else "reasoning_summary_text.done", **item.place, text=text, **more
        )
        name = "content_part" if item.is_text else "reasoning_summary_part"
        yield self._event(f"{name}.done", **item.place, part=item.block)
        yield self._event("output_item.done", output_index=item.index, item=item.shape)

    def _event(self, kind: str, **fields: object) -> Frame:
        self._number += 1
        kind = f"response.{kind}"
        return Frame(to_json({"type": kind, "sequence_number": self._number, **fields}), kind)

    def _kept(self, frames: List[Frame]) -> List[Frame]:
        """Return those of the newest frames that the client has not seen."""
        seen = self._after - (self._number - len(frames))
        return frames[max(seen, 0) :]


class ResponsePaths:
    """The paths of the Responses API.

    Args:
        service: The graphs, threads and runs.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def create(self, request: Request) -> Response:
        """Run a graph; stream the response, answer with it, or let it go on in the background."""
        service = self._service
        body = await body_of(request, service.settings.max_body)
        name = service.name_of(body.get("model"))
        messages = read_messages(read_items(body.get("input"), text_in(body, "instructions")))
        asked = read_parameters(service, name, body, object_in(body, "text").get("format"))
        about = About(asked.format, text_in(body, "instructions"), object_in(body, "metadata"))
        thread = await self._thread(body, request)
        in_background = body.get("background") is True
        order = Order(
            name=name,
            graph=service.unsaved(name) if thread is None else service.saved(name),
            given={"messages": messages},
            config=service.config_of(name, {"metadata": object_in(body, "metadata")}),
            thread=thread,
            owner=user_of(request),
            modes=ResponseEncoder(about=about).modes,
            cancels=not in_background,
            options=asked.options,
            remarks=about.remarks,
        )
        run = await service.runs.start(order)
        if body.get("stream") is True:
            response = self._stream(run, -1)
        elif in_background or await ended(run, request, cancels=True):
            response = await self._so_far(run)
        else:
            return Response(None, _CLIENT_LEFT)
        response.headers.update(asked.headers)
        return response

    async def get(self, request: Request) -> Response:
        """Answer with a response so far, or stream it from an event on."""
        run = await self._run(request.path_params["response_id"], request)
        if request.query_params.get("stream", "").lower() != "true":
            return await self._so_far(run)
        after = request.query_params.get("starting_after")
        return self._stream(
            run, -1 if after is None else number_in({"starting_after": after}, "starting_after", 0, 10**9)
        )

    async def cancel(self, request: Request) -> Response:
        """End a response that is made in the background."""
        run = await self._run(request.path_params["response_id"], request)
        run.cancel()
        await run.over.wait()
        return await self._so_far(run)

    async def _run(self, id: str, request: Request) -> ServedRun:
        run = await self._service.runs.get(id[len(PREFIX) :], user_of(request)) if id.startswith(PREFIX) else None
        if run is None:
            raise unknown("response", id)
        return run

    async def _thread(self, body: Fields, request: Request) -> Optional[Thread]:
        before = text_in(body, "previous_response_id")
        if before:
            thread = (await self._run(before, request)).order.thread
            if thread is None:
                raise refusal(422, f"Response {before[:80]!r} was not stored, so it cannot be continued.")
            return thread
        return None if body.get("store") is False else self._service.new_thread(str(uuid4()), request, {})

    def _stream(self, run: ServedRun, after: int) -> Response:
        heartbeat = self._service.settings.heartbeat
        encoder = ResponseEncoder(after, About.of(run.order.remarks))
        return stream_of(run, encoder, heartbeat=heartbeat, cancels=run.order.cancels, with_ids=False)

    async def _so_far(self, run: ServedRun) -> Response:
        encoder = ResponseEncoder(about=About.of(run.order.remarks))
        if not run.over.is_set():
            encoder.begin(run.facts)
            return answer(encoder.response("queued" if run.handle is None else "in_progress"))
        return answer(json.loads((await all_frames(run, encoder))[-1].data)["response"])


def routes(service: Service) -> List[BaseRoute]:
    """Return the paths of the Responses API.

    Args:
        service: The graphs, threads and runs.
    """
    paths, one = ResponsePaths(service), "/v1/responses/{response_id}"
    about = partial(operation, bad=400)
    both: Tuple[Gives, ...] = ("json", "stream")
    create = about(paths.create, body=ResponseBody, gives=both, refuses=(429, 503))
    return [
        Route("/v1/responses", in_openais_words(create), methods=["POST"]),
        Route(one, in_openais_words(about(paths.get, query=ResponseQuery, gives=both))),
        Route(one + "/cancel", in_openais_words(about(paths.cancel)), methods=["POST"]),
    ]
