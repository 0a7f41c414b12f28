"""`serve`: graphs as an ASGI application."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import AsyncIterator, Collection, Iterable, List, Mapping, Optional

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from streamgraph.errors import UnknownOptionError
from streamgraph.named import in_memory
from streamgraph.pregel import Pregel
from streamgraph.runs import Dispatcher, EventsUnavailableError, SharedEvents
from streamgraph_server import page
from streamgraph_server._guard import Guard, json_answer
from streamgraph_server._openapi import description_route
from streamgraph_server._refusals import shown_message
from streamgraph_server._settings import Auth, Errors, Settings
from streamgraph_server._telemetry import TraceContext
from streamgraph_server.protocols import PROTOCOLS
from streamgraph_server.service import SaverSource, Service

_EXPOSED = ("location", "content-location", "x-vercel-ai-ui-message-stream")


def serve(
    graphs: Mapping[str, Pregel],
    *,
    checkpointer: Optional[SaverSource] = None,
    store: object = None,
    protocols: Optional[Collection[str]] = None,
    auth: Optional[Auth] = None,
    cors: Iterable[str] = (),
    allowed_hosts: Iterable[str] = (),
    configurable: Optional[Iterable[str]] = None,
    errors: Errors = "message",
    max_body: int = 4 * 1024 * 1024,
    max_recursion: int = 1000,
    max_runs: int = 1000,
    max_queued: int = 100,
    max_streams: int = 1000,
    body_timeout: float = 30.0,
    stall_timeout: float = 60.0,
    max_events: int = 10_000,
    max_ahead: Optional[int] = None,
    run_timeout: Optional[float] = None,
    heartbeat: float = 5.0,
    keep: float = 600.0,
    drain: float = 10.0,
    live: Optional[bool] = None,
    docs: bool = True,
    events: Optional[SharedEvents] = None,
    dispatcher: Optional[Dispatcher] = None,
) -> Starlette:
    """Return an ASGI application that serves graphs to the front ends and SDKs that exist.

    ::

        app = serve({"agent": graph})            # uvicorn module:app
        site.mount("/graphs", serve(...))        # or within Starlette or FastAPI

    Its lifespan ends all runs. An application that mounts this one runs the lifespan itself, with
    `FastAPI(lifespan=app.router.lifespan_context)`.

    Args:
        graphs: The graphs by the names that clients use. The first one is the default where a client names none.
        checkpointer: What saves threads of graphs that were compiled without a checkpointer: a saver, or a function
            without arguments that returns an async context manager of one, opened by the lifespan. By default threads
            are kept in memory.
        store: The store of graphs that were compiled without one, or a function that opens it; see `checkpointer`.
        protocols: The protocols to speak; by default all.
        auth: Returns the id of the user who sends a request, or `None` to refuse it. Threads and runs belong to the
            user who made them; for others they do not exist. Nodes find the id as `langgraph_auth_user_id` in
            `configurable`.
        cors: The origins whose pages may use the server, such as `"https://app.example"`.
        allowed_hosts: The names by which the server may be called, beside those of this machine. Needed behind a proxy
            on the same machine.
        configurable: The keys of `configurable` that requests may set; by default those that a graph declares in its
            `context_schema`.
        errors: What clients get to read of a failed run: its error's type and `"message"`, without what looks like a
            key or a path; or only the `"type"`.
        max_body: The most bytes of a request's body.
        max_recursion: The highest `recursion_limit` that a request may ask for.
        max_runs: The most runs of a user that go on at the same time.
        max_queued: The most runs that wait for others of their thread.
        max_streams: The most streams that a user reads at the same time.
        body_timeout: Seconds within which the body of a request must have come.
        stall_timeout: Seconds after which a client that takes nothing of its stream has left.
        max_events: The most events of a run that are kept for clients that come late or again.
        max_ahead: How many events a run may be ahead of its slowest client; then its nodes and models wait, also for a
            client that reads nothing. By default none waits: what a slow client has missed is in what is kept, and an
            event says what is not there any more.
        run_timeout: Seconds after which a run is given up; `None` for no limit.
        heartbeat: Seconds without an event after which a stream sends a sign of life.
        keep: Seconds for which a run that has ended can be read.
        drain: Seconds that runs get to end when the server shuts down.
        live: Whether the page is at `/`, on which people watch runs, start them and answer their questions. By
            default it is there for this machine, and for others if `auth` is given. A browser must be able to log in
            by itself, by a cookie for example. The page needs the protocol `langgraph`.
        docs: Whether the server describes itself, in OpenAPI at `/openapi.json`.
        events: Where several processes that serve the same graphs share their runs, such as `RedisEvents`: each shows,
            cancels and answers the runs of all. They need the same saver as well. By default this process is alone.
        dispatcher: Has runs started elsewhere, by workers that write to the same events. By default runs go on here.

    Raises:
        UnknownOptionError: There is no graph, or no protocol of a name, `max_ahead` is less than 1, or there is a
            dispatcher without events.
        TypeError: What is served is no graph.
    """
    if not graphs:
        raise UnknownOptionError("There is no graph to serve", hint='Give a dict: serve({"agent": graph}).')
    given: Mapping[str, object] = graphs
    for name, graph in given.items():
        if not isinstance(graph, Pregel):
            hint = " Compile it first." if hasattr(graph, "compile") else ""
            raise TypeError(f"{name!r} is {graph!r:.100}, not a graph of streamgraph.{hint}")
    if max_ahead is not None and max_ahead < 1:
        raise UnknownOptionError(f"max_ahead must be a number of events from 1 on, or None, got {max_ahead!r:.80}")
    if dispatcher is not None and events is None:
        raise UnknownOptionError(
            "A dispatcher needs events that its workers write to", hint="Give serve(..., events=...)."
        )
    settings = Settings(
        auth=auth,
        cors=frozenset(cors),
        allowed_hosts=frozenset(allowed_hosts),
        configurable=None if configurable is None else frozenset(configurable),
        max_body=max_body,
        max_recursion=max_recursion,
        max_runs=max_runs,
        max_queued=max_queued,
        max_streams=max_streams,
        body_timeout=body_timeout,
        stall_timeout=stall_timeout,
        max_events=max_events,
        max_ahead=max_ahead,
        heartbeat=heartbeat,
        errors=errors,
        run_timeout=run_timeout,
        keep=keep,
        drain=drain,
        live=live,
    )
    service = Service(
        graphs, settings, in_memory() if checkpointer is None else checkpointer, store, events, dispatcher
    )
    routes = _routes(service, protocols)
    if docs:
        routes.append(description_route(routes, has_login=auth is not None))
    app = Starlette(
        routes=[*routes, *page.routes(settings)],
        middleware=_middleware(settings),
        exception_handlers={HTTPException: _refused, EventsUnavailableError: _without_events},
        lifespan=_lifespan(service),
    )
    app.state.service = service
    return app


def _routes(service: Service, protocols: Optional[Collection[str]]) -> List[BaseRoute]:
    routes: List[BaseRoute] = []
    for name in PROTOCOLS if protocols is None else protocols:
        if name not in PROTOCOLS:
            raise UnknownOptionError(f"There is no protocol {name!r}", name=name, known=tuple(PROTOCOLS))
        routes.extend(PROTOCOLS[name](service))
    return routes


def _middleware(settings: Settings) -> List[Middleware]:
    layers = [Middleware(Guard, settings=settings), Middleware(TraceContext)]
    if settings.cors:
        layers.insert(
            0,
            Middleware(
                CORSMiddleware,
                allow_origins=sorted(settings.cors),
                allow_methods=["GET", "POST", "PATCH", "PUT", "DELETE"],
                allow_headers=["*"],
                expose_headers=list(_EXPOSED),
            ),
        )
    return layers


def _lifespan(service: Service):  # type: ignore[no-untyped-def]  # Starlette's type names a private protocol
    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        await service.open()
        try:
            yield
        finally:
            await service.close()

    return lifespan


async def _without_events(request: Request, error: Exception) -> Response:
    return json_answer(503, shown_message(error), {"retry-after": "1"})


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return json_answer(error.status_code, str(error.detail), dict(error.headers or {}))
