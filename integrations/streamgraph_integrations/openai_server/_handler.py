"""Handler of one HTTP request: routing, its record, and writing the answer until the client disconnects."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import uuid
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any, Callable, Iterator, Mapping, Optional, Protocol

from streamgraph_integrations.openai_server import _wire
from streamgraph_integrations.openai_server._completions import Completions
from streamgraph_integrations.openai_server._ids import Ids, IdScheme
from streamgraph_integrations.openai_server._json import JsonObject
from streamgraph_integrations.openai_server._reply import Reply, WrongReplyError
from streamgraph_integrations.openai_server._responses import Responses

_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "api-key"})

# Tells OpenAI's clients not to retry: an error in the reply function would occur again.
_NO_RETRY = {"x-should-retry": "false"}

_APIS: Mapping[str, _wire.Api] = {"/v1/chat/completions": Completions(), "/v1/responses": Responses()}


@dataclass
class Request:
    """Record of one request; its fields change while the answer is being written.

    Args:
        method: The HTTP method.
        path: The path with query, as sent by the client.
        headers: The headers with lower-case names, without those that carry secrets.
        body: The JSON body; empty if there was none or it was not a JSON object.
        streamed: True if the client asked for a stream.
        status: The HTTP status of the answer; 0 until there is one.
        chunks_sent: The number of chunks written so far, including the finish and usage chunks of a stream but not its
            `[DONE]` line. In the Responses API each event is a chunk. An answer without streaming counts as one.
        disconnected: True if the client disconnected before the end of the answer.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: JsonObject = field(default_factory=dict)
    streamed: bool = False
    status: int = 0
    chunks_sent: int = 0
    disconnected: bool = False
    _over: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Block until the server has finished this request, successfully or not.

        Args:
            timeout: The maximum time to wait in seconds; by default no limit.

        Returns:
            True if the request has finished.
        """
        return self._over.wait(timeout)


class Service(Protocol):
    """Interface of the server for a handler."""

    delay: float
    ids: IdScheme
    message_ids: bool
    closing: threading.Event

    def record(self, request: Request) -> None:
        """Add the request to the server's list."""

    def reply_to(self, body: JsonObject) -> Reply:
        """Choose the reply; raises any exception of the user's function."""

    def before_chunk(self, request: Request, index: int) -> None:
        """Called before chunk `index` is written; may block, and raises any exception of the user's function."""


class _ClientGoneError(Exception):
    """The client closed the connection."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request and closes the connection.

    Connections are not kept alive: clients pool idle connections beyond the end of their event loop or server, and on
    loopback a new connection is cheap.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service: Service  # set on a subclass that each server creates

    def do_GET(self) -> None:
        """Answer `GET /v1/models`."""
        self._answer({"/v1/models": self._models})

    def do_POST(self) -> None:
        """Answer `POST /v1/chat/completions` and `POST /v1/responses`."""
        self._answer({path: partial(self._chat, api) for path, api in _APIS.items()})

    def do_PUT(self) -> None:
        """Answer an unsupported method."""
        self._answer({})

    do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_PUT  # noqa: N815

    def send_error(self, code: int, message: Optional[str] = None, explain: Optional[str] = None) -> None:
        """Answer a malformed HTTP request, in JSON like every other error."""
        self._send_json(code, _wire.error(code, message or self.responses.get(code, ("Error", ""))[0]))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing; requests are recorded instead."""

    def _answer(self, routes: Mapping[str, Callable[[Request, bytes], None]]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        public = {name: value for name, value in headers.items() if name not in _SECRET_HEADERS}
        request = Request(method=self.command, path=self.path, headers=public)
        self.service.record(request)
        try:
            length = headers.get("content-length", "0")
            content = self.rfile.read(int(length)) if length.isdigit() else b""
            routes.get(self.path.partition("?")[0], self._unknown)(request, content)
        except (_ClientGoneError, OSError):
            # Connections closed by the server itself are not client disconnects.
            request.disconnected = not self.service.closing.is_set()
        finally:
            self.close_connection = True
            request._over.set()

    def _models(self, request: Request, content: bytes) -> None:
        self._send(request, 200, _wire.models(int(time.time())))

    def _unknown(self, request: Request, content: bytes) -> None:
        served = f"this server has {', '.join(f'POST {path}' for path in _APIS)} and GET /v1/models only"
        message = f"Invalid URL ({request.method} {request.path}): {served}"
        self._send(request, 404, _wire.error(404, message))

    def _chat(self, api: _wire.Api, request: Request, content: bytes) -> None:
        try:
            body = json.loads(content)
        except ValueError as error:
            self._send(request, 400, _wire.error(400, f"The request body is not valid JSON: {error}"))
            return
        problem = _problem(api, body)
        if isinstance(body, dict):
            request.body = body
            request.streamed = bool(body.get("stream"))
        if problem:
            self._send(request, 400, _wire.error(400, problem))
            return
        try:
            # One reply function serves both APIs, so the conversation is always under `messages`.
            body = {**body, "messages": api.messages(body)}
            reply = self.service.reply_to(body)
        except WrongReplyError as error:
            self._send(request, 500, _wire.error(500, str(error)), _NO_RETRY)
            return
        except Exception as error:  # any exception of the user's function is reported to the client
            self._send(request, 500, _raised("reply", error), _NO_RETRY)
            return
        if reply.error is not None:
            status, message = reply.error
            self._send(request, status, _wire.error(status, message))
        elif request.streamed:
            self._stream(request, reply, api, body)
        elif reply.fail_after is None:
            self._complete(request, reply, api, body)

    def _complete(self, request: Request, reply: Reply, api: _wire.Api, body: JsonObject) -> None:
        made = api.whole(reply, body, self._ids(reply), int(time.time()))
        try:
            self.service.before_chunk(request, 0)
        except Exception as error:
            self._send(request, 500, _raised("on_chunk", error), _NO_RETRY)
            return
        with self._counted(request):
            self._send(request, 200, made)

    def _stream(self, request: Request, reply: Reply, api: _wire.Api, body: JsonObject) -> None:
        request.status = 200
        self._head(200, "text/event-stream; charset=utf-8", {"Transfer-Encoding": "chunked"})
        delay = self.service.delay if reply.delay is None else reply.delay
        made = api.chunks(reply, body, self._ids(reply), int(time.time()))
        for index, chunk in enumerate(made):
            if index == reply.fail_after:
                return
            if index:
                self.service.closing.wait(delay)
            try:
                self.service.before_chunk(request, index)
            except Exception as error:
                self._write_event(api.framed(api.failed(_raised("on_chunk", error), index)), last=True)
                return
            if self.service.closing.is_set():
                return
            # Without the final chunk the client sees a dropped connection.
            last = index == len(made) - 1 and reply.fail_after is None
            with self._counted(request):
                self._write_event(api.framed(chunk) + (api.end if last else b""), last=last)

    def _write_event(self, event: bytes, *, last: bool = False) -> None:
        framed = b"%x\r\n%s\r\n" % (len(event), event)
        # The terminator is in the same write as the last chunk: a client that disconnects after that chunk has not
        # disconnected early.
        self._check_client()
        self.wfile.write(framed + b"0\r\n\r\n" if last else framed)

    def _ids(self, reply: Reply) -> Ids:
        in_messages = self.service.message_ids if reply.message_ids is None else reply.message_ids
        return Ids(uuid.uuid4().hex, reply.ids or self.service.ids, in_messages)

    @contextlib.contextmanager
    def _counted(self, request: Request) -> Iterator[None]:
        # Counted before the write, so that a chunk is in the record once the client has it.
        request.chunks_sent += 1
        try:
            yield
        except (_ClientGoneError, OSError):
            request.chunks_sent -= 1
            raise

    def _check_client(self) -> None:
        # The first write to a closed connection succeeds; only a read detects the disconnect immediately.
        timeout = self.connection.gettimeout()
        self.connection.settimeout(0)
        try:
            if not self.connection.recv(1, socket.MSG_PEEK):
                raise _ClientGoneError
        except BlockingIOError:
            pass  # connected, without data to read
        finally:
            self.connection.settimeout(timeout)

    def _send(
        self, request: Request, status: int, payload: JsonObject, headers: Optional[Mapping[str, str]] = None
    ) -> None:
        request.status = status
        self._check_client()
        self._send_json(status, payload, headers)

    def _send_json(self, status: int, payload: JsonObject, headers: Optional[Mapping[str, str]] = None) -> None:
        content = json.dumps(payload).encode()
        self._head(status, "application/json", {"Content-Length": str(len(content)), **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(content)

    def _head(self, status: int, content_type: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        all_headers = {"Content-Type": content_type, "Cache-Control": "no-cache", **headers, "Connection": "close"}
        for name, value in all_headers.items():
            self.send_header(name, value)
        self.end_headers()


def _problem(api: _wire.Api, body: object) -> Optional[str]:
    """Return OpenAI's error message for an invalid body, or `None`."""
    if not isinstance(body, dict):
        return f"The request body must be a JSON object, not {type(body).__name__}."
    if not isinstance(body.get("model"), str):
        return "you must provide a model parameter"
    return api.problem(body)


def _raised(function: str, error: Exception) -> JsonObject:
    return _wire.error(500, f"The {function} function raised {type(error).__name__}: {error}")
