"""The path of AG-UI."""

from __future__ import annotations

from typing import List, Mapping, Tuple
from uuid import uuid4

from langchain_core.messages import BaseMessage
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streamgraph.serialization import to_json
from streamgraph.types import Overwrite
from streamgraph_server._operations import operation
from streamgraph_server._reading import filters_of, stream_of
from streamgraph_server._refusals import refusal
from streamgraph_server._requests import Fields, body_of, object_in, text_in
from streamgraph_server.protocols.ag_ui.encoder import AgUiEncoder
from streamgraph_server.protocols.ag_ui.shapes import read_conversation
from streamgraph_server.protocols.bodies import AgUiBody, LeavingQuery
from streamgraph_server.protocols.conversation import (
    Stored,
    news_in,
    resumed,
    start_on_thread,
    stored_in,
    thread_named,
)
from streamgraph_server.service import Service


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
        thread = await thread_named(service, thread_id, request)
        before = await stored_in(service, name, thread)
        answers, ignored = body.get("resume"), ""
        given: object
        sent = body.get("messages") or []
        messages = read_conversation(sent)
        if isinstance(answers, list) and answers:
            given = resumed(answers, before.questions)
        else:
            given, ignored = self._input(name, body, messages, before)
        encoder = AgUiEncoder(thread_id, run_id, _dicts(sent), ignored)
        run = await start_on_thread(service, name, thread, given, request, modes=encoder.modes)
        return stream_of(
            run,
            encoder,
            heartbeat=service.settings.heartbeat,
            cancels=run.order.cancels,
            with_ids=False,
            filters=filters_of(request),
        )

    def _input(self, name: str, body: Fields, messages: List[BaseMessage], before: Stored) -> Tuple[Fields, str]:
        """Return the input of a run, and what of the request the graph has no use for."""
        keys = self._service.input_keys(name)
        given = changed_state(object_in(body, "state"), before.values)
        if keys is not None:
            given = {key: value for key, value in given.items() if key in keys}
        if self._service.takes_messages(name):
            given["messages"] = news_in(before.messages, messages)
        ignored = []
        for key in ("tools", "context"):
            found = body.get(key)
            if found is None or found == []:
                continue
            if not isinstance(found, list):
                raise refusal(422, f"{key} must be a list.")
            if keys is not None and key in keys:
                given[key] = found
            else:
                ignored.append(key)
        if not ignored:
            return given, ""
        names = " and ".join(ignored)
        return given, f"The state of graph {name!r} has no key for the {names} of the client, so they are not used."


def changed_state(state: Mapping[str, object], stored: Mapping[str, object]) -> Fields:
    """Return what a client has changed in the state that it was sent: it sends all of it back with each run.

    Args:
        state: The state as the client has it.
        stored: The state of the thread.
    """
    changed: Fields = {}
    for key, value in state.items():
        if key == "messages":
            continue
        if key not in stored:
            changed[key] = value
        elif to_json(stored[key]) != to_json(value):
            changed[key] = Overwrite(value)  # a reducer would add the client's copy to what is there
    return changed


def _dicts(sent: object) -> List[Fields]:
    return [message for message in sent if isinstance(message, dict)] if isinstance(sent, list) else []


def routes(service: Service) -> List[BaseRoute]:
    """Return the path of AG-UI.

    Args:
        service: The graphs, threads and runs.
    """
    run = operation(
        AgUiPaths(service).run, body=AgUiBody, query=LeavingQuery, gives=("stream",), refuses=(409, 429, 503)
    )
    return [Route("/agui/{graph}", run, methods=["POST"])]
