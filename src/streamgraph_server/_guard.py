"""What stands before every request: who may ask, from where, and an answer in JSON whatever goes wrong."""

from __future__ import annotations

import json
import logging
from collections import Counter
from functools import lru_cache
from ipaddress import ip_address
from typing import Dict, Optional, Tuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamgraph_server._requests import BODY_TIMEOUT
from streamgraph_server._settings import Settings

USER = "streamgraph.user"
"""The key of a request's scope under which the id of the user is."""

SEND = "streamgraph.send"
"""The key under which is what sends a message without what stands between it and the application.

That looks only at how an answer begins. A stream has a message for each token, so what follows goes the direct way.
"""

LIMITS = "streamgraph.limits"
"""The key under which the limits of the streams of all users are."""

_OPEN = ("/ok",)
_SAFE = ("GET", "HEAD", "OPTIONS")

_log = logging.getLogger("streamgraph_server")


def json_answer(status: int, what: str, headers: Optional[Dict[str, str]] = None) -> Response:
    """Return the answer to a request that is refused."""
    return Response(json.dumps({"detail": what}), status, headers, media_type="application/json")


class StreamLimits:
    """How many streams each user reads, and for how long one may take nothing.

    Args:
        most: The most streams of a user at the same time.
        patience: Seconds after which a client that takes nothing has left.
    """

    def __init__(self, most: int, patience: float) -> None:
        self.most = most
        self.patience = patience
        self._open: Counter[Optional[str]] = Counter()

    def enter(self, user: Optional[str]) -> bool:
        """Count a stream; return False if there are too many."""
        if self._open[user] >= self.most:
            return False
        self._open[user] += 1
        return True

    def leave(self, user: Optional[str]) -> None:
        """Count a stream no more."""
        self._open[user] -= 1
        if not self._open[user]:
            del self._open[user]


class Guard:
    """Checks the host, the origin and the user of a request before the application gets it.

    - On a loopback address only the names of this machine are answered, so that a web page whose name was pointed at it
      (DNS rebinding) gets nothing. Where `allowed_hosts` are given, only these are answered.
    - A request of a page of another origin that could change something is refused, whether or not its browser asks
      for permission.
    - An exception that nothing has caught becomes an answer that does not say more than that.

    Args:
        app: The application.
        settings: What is allowed.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._limits = StreamLimits(settings.max_streams, settings.stall_timeout)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False
        scope[LIMITS] = self._limits
        scope[BODY_TIMEOUT] = self._settings.body_timeout

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        scope[SEND] = send
        try:
            refused = await self._refused(Request(scope, receive))
            await (self._app if refused is None else refused)(scope, receive, watched)
        except HTTPException as error:  # of a login
            await json_answer(error.status_code, str(error.detail), dict(error.headers or {}))(scope, receive, send)
        except Exception:
            _log.exception("%s %s failed", scope["method"], scope["path"])
            if begun:
                raise  # the connection is cut, so the client sees that the answer is not whole
            await json_answer(500, "The server has failed; its log says why.")(scope, receive, send)

    async def _refused(self, request: Request) -> Optional[Response]:
        host = request.headers.get("host", "")
        if not self._is_known(host, request.scope.get("server")):
            return json_answer(
                403, f"This server does not answer to the name {host[:200]!r}. Add it: serve(..., allowed_hosts=[...])."
            )
        origin = request.headers.get("origin")
        if origin and request.method not in _SAFE and not self._is_own(origin, host):
            return json_answer(
                403, f"Pages of {origin[:200]!r} may not use this server. Allow them: serve(..., cors=[...])."
            )
        auth = self._settings.auth
        if auth is not None and own_path(request) not in _OPEN and request.method != "OPTIONS":
            user = await auth(request)
            if user is None:
                return json_answer(401, "This server wants to know who asks.", {"www-authenticate": "Bearer"})
            if not isinstance(user, str):
                # Another type would not tell users apart where their id is compared, stored and read again.
                raise TypeError(f"auth must return the id of a user as text, or None, not {type(user).__name__}")
            request.scope[USER] = user
        return None

    def _is_known(self, host: str, server: Optional[Tuple[str, Optional[int]]]) -> bool:
        name = host_name(host)
        allowed = self._settings.allowed_hosts
        if "*" in allowed or name in allowed or host in allowed:
            return True
        if server is not None and is_loopback(server[0]):
            return is_loopback(name)
        return not allowed

    def _is_own(self, origin: str, host: str) -> bool:
        allowed = self._settings.cors
        return origin in allowed or "*" in allowed or origin.partition("://")[2] == host


def own_path(request: Request) -> str:
    """Return the path of a request below that under which the application is mounted."""
    path: str = request.scope["path"]
    root: str = request.scope.get("root_path", "")
    return path[len(root) :] if path.startswith(root) else path


def host_name(host: str) -> str:
    """Return the name in a Host header, without its port; the brackets of an IPv6 address are left out."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


@lru_cache(maxsize=1000)
def is_loopback(name: str) -> bool:
    """Return whether a name or address is this machine's own."""
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def user_of(request: Request) -> Optional[str]:
    """Return the id of the user who sends a request; `None` if the server does not ask."""
    found = request.scope.get(USER)
    return found if isinstance(found, str) else None
