"""The paths of the page: itself at `/`, and its files below `/live/`."""

from __future__ import annotations

from typing import Dict, List

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from streamgraph_server._guard import is_loopback
from streamgraph_server._refusals import refusal
from streamgraph_server._settings import Settings
from streamgraph_server.page.files import INDEX, content_security_policy, page_files


def routes(settings: Settings) -> List[BaseRoute]:
    """Return the paths of the page.

    Where the server can be reached from other machines and asks nobody who they are, the page is not there unless it
    was asked for: it starts runs and changes what is saved.

    Args:
        settings: The choices of whoever runs the server.
    """
    if settings.live is False:
        return []

    def allowed(request: Request) -> None:
        server = request.scope.get("server")
        if settings.live or settings.auth is not None or (server is not None and is_loopback(str(server[0]))):
            return
        raise refusal(
            404,
            "The page is off where others can reach the server and nobody logs in: serve(..., auth=...) or"
            " serve(..., live=True).",
        )

    async def page(request: Request) -> Response:
        allowed(request)
        return _sent(request, INDEX)

    async def file(request: Request) -> Response:
        allowed(request)
        name = request.path_params["name"]
        if name not in page_files() or name == INDEX:
            raise refusal(404, f"The page has no file {name[:80]!r}.")
        return _sent(request, name)

    return [Route("/", page), Route("/live/{name:path}", file)]


def _sent(request: Request, name: str) -> Response:
    file = page_files()[name]
    headers: Dict[str, str] = {
        "cache-control": "no-cache",
        "content-security-policy": content_security_policy(),
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "etag": file.tag,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return Response(file.body, headers={**headers, "content-type": file.type})
