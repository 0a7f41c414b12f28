"""Graphs as assistants: each served graph is one."""

from __future__ import annotations

from time import time
from typing import List

from starlette.requests import Request
from starlette.responses import Response

from streamgraph_server._answers import answer
from streamgraph_server._refusals import refusal
from streamgraph_server._requests import Fields, body_if_any, body_of, number_in, text_in
from streamgraph_server.protocols.langgraph.shapes import assistant_shape, schemas_shape, shapes_of
from streamgraph_server.service import Service


class Assistants:
    """The paths about assistants.

    Args:
        service: The graphs.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._started = time()

    def _name(self, request: Request) -> str:
        return self._service.name_of(request.path_params["assistant_id"])

    def _found(self, body: Fields) -> List[Fields]:
        service, graph_id, name = self._service, text_in(body, "graph_id"), text_in(body, "name")
        return [
            assistant_shape(known, service.unsaved(known), self._started)
            for known in service.names
            if graph_id in ("", known) and name.lower() in known.lower()
        ]

    async def search(self, request: Request) -> Response:
        """Answer with the graphs that are served."""
        body = await body_of(request, self._service.settings.max_body)
        offset, limit = number_in(body, "offset", 0, 10**9), number_in(body, "limit", 10, 1000)
        return answer(shapes_of(self._found(body), offset, limit))

    async def count(self, request: Request) -> Response:
        """Answer with the number of graphs that are served."""
        return answer(len(self._found(await body_if_any(request, self._service.settings.max_body))))

    async def get(self, request: Request) -> Response:
        """Answer with one graph."""
        name = self._name(request)
        return answer(assistant_shape(name, self._service.unsaved(name), self._started))

    async def graph(self, request: Request) -> Response:
        """Answer with the nodes and edges of a graph."""
        graph = self._service.unsaved(self._name(request))
        asked = request.query_params.get("xray", "false").lower()
        xray = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < _DIGITS else asked == "true"
        return answer(graph.get_graph(xray=xray).to_json())

    async def schemas(self, request: Request) -> Response:
        """Answer with the schemas of a graph."""
        name = self._name(request)
        return answer(schemas_shape(name, self._service.unsaved(name)))

    async def subgraphs(self, request: Request) -> Response:
        """Answer with the schemas of the graphs in the nodes of a graph."""
        graph = self._service.unsaved(self._name(request))
        recurse = request.query_params.get("recurse", "false").lower() == "true"
        namespace = request.path_params.get("namespace")
        try:
            found = dict(graph.get_subgraphs(namespace=namespace, recurse=recurse))
        except ValueError as error:
            raise refusal(404, str(error)) from None
        return answer({ns: schemas_shape(ns, inner) for ns, inner in found.items()})


_DIGITS = 4
