"""HTTP with a server that speaks LangGraph's protocol: JSON requests, and events that are read as they come."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional
from urllib.parse import urlsplit

from streamgraph.errors import GraphError, UnknownOptionError

_CONNECT = 10.0
_SILENCE = 60.0
"""Seconds to wait for a connection, and for the next byte: servers send comments more often than that."""

_LONGEST_LINE = 64 * 1024 * 1024


class ServerError(GraphError):
    """A server has refused a request, or does not answer.

    Attributes:
        status: The HTTP status with which it has refused; 0 if there is none.
    """

    status = 0


class WireEvent(NamedTuple):
    """One server-sent event.

    Attributes:
        name: Its name.
        data: Its data, read as JSON.
        id: The id of the last event that had one.
    """

    name: str
    data: object
    id: str


class Answer:
    """The answer to a request, whose body is read later.

    Args:
        connection: Its connection.
        response: The response.
    """

    def __init__(self, connection: HTTPConnection, response: HTTPResponse) -> None:
        self._connection = connection
        self._response = response

    def header(self, name: str) -> str:
        """Return a header, or an empty text."""
        return self._response.headers.get(name) or ""

    def json(self) -> object:
        """Return the body as JSON."""
        try:
            body = self._response.read()
            return json.loads(body) if body.strip() else None
        finally:
            self._connection.close()

    def events(self) -> Iterator[WireEvent]:
        """Yield the events of the body; it ends without an error when the connection is lost."""
        try:
            yield from read_events(self._response)
        except (OSError, HTTPException):
            return
        finally:
            self._connection.close()


def read_events(lines: Iterator[bytes]) -> Iterator[WireEvent]:
    """Yield the events of server-sent text, of which comments and events without data are nothing.

    Args:
        lines: Its lines.
    """
    name, last_id = "message", ""
    data: List[str] = []
    size = 0
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if not line:
            if data:
                yield WireEvent(name, _read("\n".join(data)), last_id)
            name, data, size = "message", [], 0
            continue
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if field == "event":
            name = value
        elif field == "data":
            size += len(value)
            if size > _LONGEST_LINE:
                raise ServerError("The server has sent an event of more than 64 MiB")
            data.append(value)
        elif field == "id" and "\0" not in value:
            last_id = value


def _read(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


class Server:
    """A server, by its URL.

    Args:
        url: `http://HOST:PORT`, or `https://…`, with a path if it is mounted below one.
        headers: Further headers of each request, such as those of a login.

    Raises:
        UnknownOptionError: It is no such URL.
    """

    def __init__(self, url: str, headers: Optional[Mapping[str, str]] = None) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise UnknownOptionError(f"{url!r:.200} is no URL of a server", hint="Give http://HOST:PORT.")
        self.url = url.rstrip("/")
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port = parts.hostname, port
        self._base = parts.path.rstrip("/")
        self._headers: Dict[str, str] = dict(headers or {})

    def ask(
        self, method: str, path: str, body: Optional[object] = None, headers: Optional[Mapping[str, str]] = None
    ) -> Answer:
        """Send a request.

        Args:
            method: `"GET"`, `"POST"`, …
            path: The path below the URL of the server.
            body: What is sent as JSON.
            headers: Further headers.

        Raises:
            ServerError: The server cannot be reached, or has refused it.
        """
        connection = self._kind(self._host, self._port, timeout=_CONNECT)
        sent = None if body is None else json.dumps(body).encode()
        given = {"accept": "*/*", **self._headers, **(headers or {})}
        if sent is not None:
            given["content-type"] = "application/json"
        try:
            connection.request(method, f"{self._base}{path}", sent, given)
            if connection.sock is not None:
                connection.sock.settimeout(_SILENCE)
            response = connection.getresponse()
        except (OSError, HTTPException) as error:
            connection.close()
            raise ServerError(
                f"{self.url} does not answer: {error}", hint="Is the server running? Start it with streamgraph serve."
            ) from error
        if response.status >= 400:
            said = response.read(10_000).decode("utf-8", "replace")
            connection.close()
            refused = ServerError(f"{self.url} has refused {method} {path} ({response.status}): {_detail(said)}")
            refused.status = response.status
            raise refused
        return Answer(connection, response)


def _detail(said: str) -> str:
    read = _read(said)
    detail = read.get("detail") if isinstance(read, dict) else None
    return str(detail or said)[:500]
