"""The paths of the thread stream."""

from __future__ import annotations

from typing import List

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streamgraph_server._answers import answer
from streamgraph_server._operations import operation
from streamgraph_server._reading import EventStream, check_filters, filters_of
from streamgraph_server._requests import body_of, number_in, wanted_after
from streamgraph_server.protocols.bodies import CommandBody, EventsBody, FilterQuery
from streamgraph_server.protocols.conversation import thread_named
from streamgraph_server.protocols.thread_stream.commands import Commands
from streamgraph_server.protocols.thread_stream.journal import Journals
from streamgraph_server.protocols.thread_stream.wanted import read_wanted
from streamgraph_server.service import Service

_GREATEST = 2**53
"""The greatest number that JavaScript counts with."""


class ThreadPaths:
    """The two paths of the protocol.

    Args:
        service: The graphs, threads and runs.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._journals = Journals(service.runs)
        self._commands = Commands(service, self._journals)

    async def command(self, request: Request) -> Response:
        """Obey a command."""
        body = await body_of(request, self._service.settings.max_body)
        return answer(await self._commands.answer(request.path_params["thread_id"], body, request))

    async def events(self, request: Request) -> Response:
        """Stream the events of a thread, which is made if it is new; the stream goes on from run to run."""
        service = self._service
        body = await body_of(request, service.settings.max_body)
        filters = filters_of(request)
        wanted = read_wanted(body, filters)
        if body.get("since") is None and wanted_after(request) is not None:
            body = {**body, "since": wanted_after(request)}
        since = number_in(body, "since", 0, _GREATEST)
        thread = await thread_named(service, request.path_params["thread_id"], request)
        for run in (await service.runs.all_of(thread))[:1] if filters else ():
            await run.open()
            check_filters(run, filters)
        journal = await self._journals.of(thread)
        await journal.caught_up()
        journal.check(since)
        # While it is read, the thread is kept in memory, and its journal with it.
        frames = journal.read(
            wanted, since, service.settings.heartbeat, lambda: service.threads.get(thread.id) is thread
        )
        return EventStream(frames, _left)


async def _left(left: bool) -> None:
    """Clients come and go; the run goes on."""


def routes(service: Service) -> List[BaseRoute]:
    """Return the paths of the thread stream.

    Args:
        service: The graphs, threads and runs.
    """
    paths = ThreadPaths(service)
    command = operation(paths.command, body=CommandBody, refuses=(409, 429, 503))
    events = operation(paths.events, body=EventsBody, query=FilterQuery, gives=("stream",), refuses=(409, 429))
    return [
        Route("/threads/{thread_id}/commands", command, methods=["POST"]),
        Route("/threads/{thread_id}/stream/events", events, methods=["POST"]),
    ]
