"""What stands in for the graphs while their file cannot be loaded: a page that says why, and comes back when it can."""

from __future__ import annotations

import html
import traceback
from typing import List

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from streamgraph.errors import GraphError
from streamgraph_server._guard import Guard, json_answer
from streamgraph_server._settings import Settings

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]

_SECONDS = 1
"""After how long a browser asks again."""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="{seconds}">
<meta name="viewport" content="width=device-width"><title>streamgraph: this does not load</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 8vh auto; padding: 0 1.5rem }}
h1 {{ font-size: 1.25rem }}
pre {{ font: 13px/1.6 ui-monospace, monospace; padding: 1rem; border-left: 3px solid #c0392b; overflow: auto;
  background: color-mix(in srgb, currentColor 6%, transparent) }}
</style></head>
<body><h1>{target} does not load</h1><pre>{why}</pre>
<p>The graphs are back as soon as the file is mended; this page looks every second.</p></body></html>
"""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def reason_of(error: BaseException) -> str:
    """Return why a program could not be loaded, as its author needs it: without the frames of who loads it.

    Args:
        error: What was raised.
    """
    if isinstance(error, GraphError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    machinery = [place for place, frame in enumerate(frames) if frame.filename.startswith("<frozen importlib")]
    # What is below the last import is what was imported; a function that makes graphs is called without one.
    own = frames[machinery[-1] + 1 :] if machinery else frames[-1:]
    lines: List[str] = [] if not own else ["Traceback (most recent call last):\n", *traceback.format_list(own)]
    return "".join([*lines, *traceback.format_exception_only(type(error), error)]).strip()


def broken_app(target: str, why: str) -> Starlette:
    """Return an application that answers everything with why there are no graphs.

    Args:
        target: What cannot be loaded.
        why: Why.
    """

    async def page(request: Request) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return await refused(request)
        text = _PAGE.format(seconds=_SECONDS, target=html.escape(target), why=html.escape(why))
        return HTMLResponse(text, 503, {"cache-control": "no-store", "content-security-policy": _POLICY})

    async def refused(request: Request) -> Response:
        return json_answer(503, f"{target} does not load: {why}", {"retry-after": str(_SECONDS)})

    routes = [Route("/", page, methods=["GET"]), Route("/{path:path}", refused, methods=_METHODS)]
    return Starlette(routes=routes, middleware=[Middleware(Guard, settings=Settings())])
