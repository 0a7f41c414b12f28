"""The paths that `useChat` uses."""

from __future__ import annotations

from typing import List, Tuple
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streamgraph.types import Command
from streamgraph_server._answers import answer, nothing
from streamgraph_server._guard import user_of
from streamgraph_server._operations import operation
from streamgraph_server._reading import EventStream, filters_of, stream_of
from streamgraph_server._refusals import refusal
from streamgraph_server._requests import Fields, body_of, object_in, read_messages, text_in
from streamgraph_server.protocols.bodies import UIMessagesBody, UIMessagesQuery
from streamgraph_server.protocols.conversation import (
    Stored,
    answered,
    news_in,
    resumed,
    start_on_thread,
    stored_in,
    thread_named,
)
from streamgraph_server.protocols.ui_messages.encoder import NEWEST, UIMessageEncoder
from streamgraph_server.protocols.ui_messages.requests import Reply, read_ui_messages, reply_to, verdicts_in
from streamgraph_server.served import ServedRun
from streamgraph_server.service import Service

HEADERS = {"x-vercel-ai-ui-message-stream": "v1"}


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
        version = _version(request)
        thread = await thread_named(service, text_in(body, "id") or str(uuid4()), request)
        given, reply = self._read(name, body, await stored_in(service, name, thread))
        run = await start_on_thread(
            service, name, thread, given, request, modes=UIMessageEncoder.modes, remarks=reply.remarks
        )
        return self._stream(run, request, version)

    def _read(self, name: str, body: Fields, before: Stored) -> Tuple[object, Reply]:
        """Return the input of a run, and what its message goes on with."""
        sent, answers = body.get("messages"), body.get("resume")
        verdicts = verdicts_in(sent)
        if answers is not None:
            command = resumed(answers if isinstance(answers, list) else [answers], before.questions)
            return command, reply_to(sent, verdicts)
        answers = answered(verdicts, before.questions)
        if answers:
            return Command(resume=answers), reply_to(sent, verdicts)
        given = object_in(body, "input")
        if not given or self._service.takes_messages(name):
            self._service.need_messages(name)
            given = {**given, "messages": news_in(before.messages, read_messages(read_ui_messages(sent)))}
        return given, Reply()

    async def read(self, request: Request) -> Response:
        """Stream the run of a conversation again from its begin; there is nothing if it is over."""
        version = _version(request)
        thread = await self._service.thread(request.path_params["chat_id"], request)
        going_on = [] if thread is None else await self._service.runs.all_going_on(thread)
        if not going_on:
            return nothing()
        await going_on[-1].open()
        return self._stream(going_on[-1], request, version)

    async def stop(self, request: Request) -> Response:
        """End the runs of a conversation."""
        thread = await self._service.need_thread(request.path_params["chat_id"], request)
        for run in await self._service.runs.all_going_on(thread):
            if run.order.owner == user_of(request):
                run.cancel()
        return answer({"stopped": True})

    def _name(self, request: Request) -> str:
        return self._service.name_of(request.path_params.get("graph", self._service.names[0]))

    def _stream(self, run: ServedRun, request: Request, version: int) -> EventStream:
        return stream_of(
            run,
            UIMessageEncoder(version, Reply.of(run.order.remarks)),
            heartbeat=self._service.settings.heartbeat,
            cancels=run.order.cancels,
            with_ids=False,
            headers=HEADERS,
            filters=filters_of(request),
        )


def _version(request: Request) -> int:
    version = request.query_params.get("ai_sdk", str(NEWEST))
    if version not in ("6", "7"):
        raise refusal(422, "ai_sdk must be 6 or 7.")
    return int(version)


def routes(service: Service) -> List[BaseRoute]:
    """Return the paths that `useChat` uses.

    Args:
        service: The graphs, threads and runs.
    """
    paths, query = ChatPaths(service), UIMessagesQuery
    send = operation(paths.send, body=UIMessagesBody, query=query, gives=("stream",), refuses=(409, 429, 503))
    read = operation(paths.read, query=query, gives=("stream", "nothing"))
    found: List[BaseRoute] = []
    for prefix in ("/chat/{graph}", "/api/chat"):
        found += [
            Route(prefix, send, methods=["POST"]),
            Route(prefix + "/{chat_id}/stream", read),
            Route(prefix + "/{chat_id}/stop", operation(paths.stop), methods=["POST"]),
        ]
    return found
