"""The paths of LangGraph's server."""

from __future__ import annotations

from typing import List

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streamgraph.version import __version__
from streamgraph_server._answers import answer
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
    return [
        Route("/ok", _ok),
        Route("/info", _info),
        Route("/assistants/search", assistants.search, methods=["POST"]),
        Route("/assistants/count", assistants.count, methods=["POST"]),
        Route("/assistants/{assistant_id}", assistants.get),
        Route("/assistants/{assistant_id}/graph", assistants.graph),
        Route("/assistants/{assistant_id}/schemas", assistants.schemas),
        Route("/assistants/{assistant_id}/subgraphs", assistants.subgraphs),
        Route("/assistants/{assistant_id}/subgraphs/{namespace}", assistants.subgraphs),
        Route("/threads", threads.create, methods=["POST"]),
        Route("/threads/search", threads.search, methods=["POST"]),
        Route("/threads/count", threads.count, methods=["POST"]),
        Route(of_thread, threads.get),
        Route(of_thread, threads.change, methods=["PATCH"]),
        Route(of_thread, threads.delete, methods=["DELETE"]),
        Route(of_thread + "/state", threads.state),
        Route(of_thread + "/state", threads.update_state, methods=["POST"]),
        Route(of_thread + "/state/checkpoint", threads.state_at, methods=["POST"]),
        Route(of_thread + "/state/{checkpoint_id}", threads.state),
        Route(of_thread + "/history", threads.history, methods=["GET", "POST"]),
        Route("/store/items", store.put, methods=["PUT"]),
        Route("/store/items", store.get),
        Route("/store/items", store.delete, methods=["DELETE"]),
        Route("/store/items/search", store.search, methods=["POST"]),
        Route("/store/namespaces", store.namespaces, methods=["POST"]),
        Route("/runs", runs.create, methods=["POST"]),
        Route("/runs/stream", runs.stream, methods=["POST"]),
        Route("/runs/wait", runs.wait, methods=["POST"]),
        Route("/runs/cancel", runs.cancel_several, methods=["POST"]),
        Route("/runs/{run_id}", runs.get),
        Route("/runs/{run_id}/stream", runs.join_stream),
        Route("/runs/{run_id}/join", runs.join),
        Route("/runs/{run_id}/cancel", runs.cancel, methods=["POST"]),
        Route(of_thread + "/runs", runs.search),
        Route(of_thread + "/runs", runs.create, methods=["POST"]),
        Route(of_thread + "/runs/stream", runs.stream, methods=["POST"]),
        Route(of_thread + "/runs/wait", runs.wait, methods=["POST"]),
        Route(of_run, runs.get),
        Route(of_run, runs.delete, methods=["DELETE"]),
        Route(of_run + "/stream", runs.join_stream),
        Route(of_run + "/join", runs.join),
        Route(of_run + "/cancel", runs.cancel, methods=["POST"]),
    ]


async def _ok(request: Request) -> Response:
    return answer({"ok": True})


async def _info(request: Request) -> Response:
    return answer({"version": __version__, "flags": {"assistants": True, "crons": False, "langsmith": False}})
