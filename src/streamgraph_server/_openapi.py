"""The description of the API in OpenAPI 3.1: made of the routes, and of the types that check their requests."""

from __future__ import annotations

import re
from typing import Dict, List, Sequence, Set

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streamgraph.version import __version__
from streamgraph_server._answers import answer
from streamgraph_server._operations import Operation, operation, operation_of
from streamgraph_server._requests import Fields

PATH = "/openapi.json"

_DEFINITIONS = "#/components/schemas/{model}"
_MEDIA = {"json": "application/json", "stream": "text/event-stream"}
_ERROR = "Error"
_REASONS = {
    400: "The request is not as described.",
    401: "Nobody has logged in.",
    403: "The host or the origin of the request is not allowed, or the user is not.",
    404: "Something that the request names does not exist.",
    408: "The body has not come in time.",
    409: "It is in a state in which this cannot be done.",
    413: "The body is too large.",
    415: "The body is not sent as application/json.",
    422: "The request is not as described, or the graph does not take it.",
    429: "Too much goes on already.",
    500: "The graph has failed.",
    503: "The server shuts down, or was not started.",
}


def description_route(routes: Sequence[BaseRoute], *, has_login: bool) -> Route:
    """Return the route that answers with the description of others.

    Args:
        routes: The others.
        has_login: Whether users have to log in.
    """
    made: List[Fields] = []

    async def describe(request: Request) -> Response:
        """Answer with this description."""
        if not made:
            made.append(description([*routes, route], has_login=has_login))
        return answer(made[0])

    route = Route(PATH, operation(describe))
    return route


def description(routes: Sequence[BaseRoute], *, has_login: bool) -> Fields:
    """Return the description of routes.

    Args:
        routes: The routes; those of endpoints that are no operations are left out.
        has_login: Whether users have to log in.
    """
    paths: Dict[str, Dict[str, object]] = {}
    schemas: Dict[str, object] = {_ERROR: {"type": "object"}}
    for route in routes:
        about = operation_of(getattr(route, "endpoint", None))
        if not isinstance(route, Route) or about is None:
            continue
        for method in sorted((route.methods or set()) - {"HEAD"}):
            described = _described(about, route.path, method, has_login, schemas)
            paths.setdefault(route.path, {})[method.lower()] = described
    info = {"title": "streamgraph", "version": __version__, "description": "Graphs, served in several protocols."}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _described(about: Operation, path: str, method: str, has_login: bool, schemas: Dict[str, object]) -> Fields:
    names = re.findall(r"{(\w+)}", path)
    parameters: List[object] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}} for name in names
    ]
    if about.query is not None:
        query = _schema(about.query, schemas)
        properties = query.get("properties")
        for name, schema in properties.items() if isinstance(properties, dict) else ():
            parameters.append({"name": name, "in": "query", "required": False, "schema": schema})
    described: Fields = {
        "summary": about.does,
        "operationId": _id(path, method),
        "parameters": parameters,
        "responses": _responses(about, names, has_login, schemas),
    }
    if about.body is not None:
        content = {"application/json": {"schema": _schema(about.body, schemas)}}
        described["requestBody"] = {"required": about.needs_body, "content": content}
    return described


def _id(path: str, method: str) -> str:
    return "_".join([method.lower(), *re.findall(r"\w+", path)])


def _responses(about: Operation, names: Sequence[str], has_login: bool, schemas: Dict[str, object]) -> Fields:
    refused: Set[int] = {403, *about.refuses}
    if about.bad == _UNPROCESSABLE or about.body is not None or about.query is not None:
        refused.add(about.bad)
    if has_login:
        refused.add(401)
    if names or about.body is not None:
        refused.add(404)
    if about.body is not None:
        refused.update((408, 413, 415))
    if "stream" in about.gives:
        refused.add(429)
    error = {"application/json": {"schema": {"$ref": f"#/components/schemas/{_ERROR}"}}}
    responses: Fields = {str(status): {"description": _REASONS[status], "content": error} for status in sorted(refused)}
    content = {
        _MEDIA[kind]: {"schema": {} if kind == "stream" else _schema(about.result, schemas)}
        for kind in about.gives
        if kind != "nothing"
    }
    if content:
        responses["200"] = {"description": "It is done.", "content": content}
    if "nothing" in about.gives:
        responses["204"] = {"description": "It is done."}
    return responses


_UNPROCESSABLE = 422


def _schema(adapter: TypeAdapter[object], schemas: Dict[str, object]) -> Fields:
    """Return the schema of a type, with the definitions that it refers to among those of the document."""
    schema: Fields = adapter.json_schema(ref_template=_DEFINITIONS)
    definitions = schema.pop("$defs", {})
    if isinstance(definitions, dict):
        schemas.update(definitions)
    return schema
