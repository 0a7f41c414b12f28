"""The paths of LangGraph's server."""

from __future__ import annotations

from functools import partial
from typing import Any, Dict, List

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streamgraph.version import __version__
from streamgraph_server._answers import answer
from streamgraph_server._operations import Endpoint, operation
from streamgraph_server.protocols.langgraph import bodies
from streamgraph_server.protocols.langgraph.assistants import Assistants
from streamgraph_server.protocols.langgraph.run_routes import RunRoutes
from streamgraph_server.protocols.langgraph.store_routes import StoreRoutes
from streamgraph_server.protocols.langgraph.thread_routes import ThreadRoutes
from streamgraph_server.service import Service


def routes(service: Service) -> List[BaseRoute]:
    """Return the paths that the clients of LangGraph's server use.

    Args:
        service: The graphs, threads and runs.
    """
    runs, threads, assistants = RunRoutes(service), ThreadRoutes(service), Assistants(service)
    store = StoreRoutes(service)
    of_thread, of_run = "/threads/{thread_id}", "/threads/{thread_id}/runs/{run_id}"
    full = (409, 429, 503)
    items = List[Dict[str, object]]
    run = partial(operation, body=bodies.RunBody, refuses=full)
    streamed = partial(run, query=bodies.StreamQuery, gives=("stream",))
    waited = partial(run, result=object)
    cancelled = partial(operation, query=bodies.CancelQuery, gives=("nothing",), refuses=(409,))

    def get(path: str, endpoint: Endpoint, **about: Any) -> Route:
        return Route(path, operation(endpoint, **about))

    def post(path: str, endpoint: Endpoint, body: object, **about: Any) -> Route:
        return Route(path, operation(endpoint, body=body, **about), methods=["POST"])

    search = partial(post, needs_body=False)
    return [
        get("/ok", _ok),
        get("/info", _info),
        post("/assistants/search", assistants.search, bodies.AssistantSearch, result=items),
        search("/assistants/count", assistants.count, bodies.AssistantSearch, result=int),
        get("/assistants/{assistant_id}", assistants.get),
        get("/assistants/{assistant_id}/graph", assistants.graph, query=bodies.GraphQuery),
        get("/assistants/{assistant_id}/schemas", assistants.schemas),
        get("/assistants/{assistant_id}/subgraphs", assistants.subgraphs, query=bodies.SubgraphsQuery),
        get("/assistants/{assistant_id}/subgraphs/{namespace}", assistants.subgraphs, query=bodies.SubgraphsQuery),
        search("/threads", threads.create, bodies.ThreadBody, refuses=(409,)),
        search("/threads/search", threads.search, bodies.ThreadSearchBody, result=items),
        search("/threads/count", threads.count, bodies.ThreadCount, result=int),
        get(of_thread, threads.get, refuses=(503,)),
        Route(of_thread, operation(threads.change, body=bodies.ThreadChange, needs_body=False), methods=["PATCH"]),
        Route(of_thread, operation(threads.delete, gives=("nothing",), refuses=(409,)), methods=["DELETE"]),
        get(of_thread + "/state", threads.state, query=bodies.StateQuery),
        search(of_thread + "/state", threads.update_state, bodies.StateChange, refuses=(409,)),
        search(of_thread + "/state/checkpoint", threads.state_at, bodies.StateBody),
        get(of_thread + "/state/{checkpoint_id}", threads.state, query=bodies.StateQuery),
        get(of_thread + "/history", threads.history, query=bodies.HistoryQuery, result=items),
        search(of_thread + "/history", threads.history, bodies.HistoryBody, result=items),
        Route("/store/items", operation(store.put, body=bodies.ItemBody, gives=("nothing",)), methods=["PUT"]),
        get("/store/items", store.get, query=bodies.ItemQuery, refuses=(404,)),
        Route("/store/items", operation(store.delete, body=bodies.ItemKey, gives=("nothing",)), methods=["DELETE"]),
        post("/store/items/search", store.search, bodies.ItemSearch),
        post("/store/namespaces", store.namespaces, bodies.NamespaceSearch),
        Route("/runs", run(runs.create), methods=["POST"]),
        Route("/runs/stream", streamed(runs.stream), methods=["POST"]),
        Route("/runs/wait", waited(runs.wait), methods=["POST"]),
        post("/runs/cancel", runs.cancel_several, bodies.CancelBody, gives=("nothing",)),
        get("/runs/{run_id}", runs.get),
        get("/runs/{run_id}/stream", runs.join_stream, query=bodies.JoinQuery, gives=("stream",)),
        get("/runs/{run_id}/join", runs.join, query=bodies.WaitQuery, result=object, refuses=(429,)),
        Route("/runs/{run_id}/cancel", cancelled(runs.cancel), methods=["POST"]),
        get(of_thread + "/runs", runs.search, query=bodies.RunsQuery, result=items),
        Route(of_thread + "/runs", run(runs.create), methods=["POST"]),
        Route(of_thread + "/runs/stream", streamed(runs.stream), methods=["POST"]),
        Route(of_thread + "/runs/wait", waited(runs.wait), methods=["POST"]),
        get(of_run, runs.get),
        Route(of_run, operation(runs.delete, gives=("nothing",), refuses=(409,)), methods=["DELETE"]),
        get(of_run + "/stream", runs.join_stream, query=bodies.JoinQuery, gives=("stream",)),
        get(of_run + "/join", runs.join, query=bodies.WaitQuery, result=object, refuses=(429,)),
        Route(of_run + "/cancel", cancelled(runs.cancel), methods=["POST"]),
        post(of_run + "/answers", runs.answers, bodies.AnswerBody, gives=("nothing",), refuses=(409,)),
        get(of_run + "/prompts/{call_id}", runs.prompt),
    ]


async def _ok(request: Request) -> Response:
    """Say that the server is there."""
    return answer({"ok": True})


async def _info(request: Request) -> Response:
    """Answer with the version of the server."""
    return answer({"version": __version__, "flags": {"assistants": True, "crons": False, "langsmith": False}})
