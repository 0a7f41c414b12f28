"""Life cycle of the server: start, one thread per connection, and close without leaving threads behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import socketserver
import threading
import time
from http.server import HTTPServer
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Tuple, Type

from streamgraph_integrations.openai_server._composer import compose
from streamgraph_integrations.openai_server._handler import Handler, Request
from streamgraph_integrations.openai_server._ids import IdScheme, check_scheme
from streamgraph_integrations.openai_server._json import JsonObject
from streamgraph_integrations.openai_server._reply import Reply, ReplySource, reply_chooser

_HOST = "127.0.0.1"

# Limit of `close` for the end of all threads; only a blocking function of the user can take long.
_CLOSE_SECONDS = 5.0


class OpenAIServer:
    """A server on loopback with OpenAI's API and user-defined replies.

    It serves chat completions and the Responses API, with and without streaming; the same reply serves both. It listens
    on a free port of 127.0.0.1 between `start` and `close`, or inside a `with` block. It never writes to stderr:
    requests are recorded in `requests`, errors are in the answers.

    Example:
        ```python
        with OpenAIServer("Hello there!") as server:
            model = ChatOpenAI(model="gpt-4o-mini", base_url=server.base_url, api_key="none")
            print(model.invoke("Hi").content)
        ```

    Args:
        reply: The reply: a text, a `Reply`, a function from the request body to a text or a `Reply`, or a list of texts
            and replies, used in turn with the last one repeated. By default, a short joke, poem or answer about the
            topic of the last user message. The body of a request to the Responses API has, in addition to its `input`,
            the conversation as `messages` in the format of chat completions.
        delay: Seconds between two chunks of a stream, for replies without their own `delay`.
        on_chunk: Called as `on_chunk(request, index)` on the server's thread immediately before chunk `index` of an
            answer is written. The chunk is written after the function returns, so a test can decide when the model
            produces its next token.
        ids: The chunks of a stream that carry the answer's id, for replies without their own `ids`: `every` one, as
            OpenAI does; only the `first`; only the `last`; `changing`, a different id in each; `null` in all; or
            `missing` in all. In the Responses API this is the id of the response; the ids of items are affected by
            `changing` only.
        message_ids: True if the messages of chat completions and their deltas carry the id too, for replies without
            their own `message_ids`. ChatOpenAI takes it as the id of its message; OpenAI's messages have none.

    Raises:
        TypeError: `reply` has another type.
        ValueError: `reply` is an empty list, `delay` is negative or `ids` is unknown.
    """

    def __init__(
        self,
        reply: Optional[ReplySource] = None,
        delay: float = 0.02,
        on_chunk: Optional[Callable[[Request, int], object]] = None,
        *,
        ids: IdScheme = "every",
        message_ids: bool = False,
    ) -> None:
        if delay < 0:
            raise ValueError(f"delay must be 0 or more seconds, not {delay!r}")
        check_scheme(ids)
        self._delay = delay
        self._ids: IdScheme = ids
        self._message_ids = message_ids
        self._choose = reply_chooser(compose if reply is None else reply)
        self._on_chunk = on_chunk
        self._lock = threading.Lock()
        self._requests: List[Request] = []
        self._running: Optional[_Listener] = None

    @property
    def base_url(self) -> str:
        """Base URL for a client, `http://127.0.0.1:PORT/v1`.

        Raises:
            RuntimeError: The server is not running.
        """
        running = self._running
        if running is None:
            raise RuntimeError("the server is not running; use `with OpenAIServer(...) as server:` or call start()")
        return f"http://{_HOST}:{running.server_port}/v1"

    @property
    def requests(self) -> List[Request]:
        """The requests so far, oldest first; the list is a copy, but its records change while answers are written."""
        with self._lock:
            return list(self._requests)

    def start(self) -> OpenAIServer:
        """Bind a free port and start to serve; no effect on a running server.

        Returns:
            The server itself.
        """
        with self._lock:
            if self._running is None:
                self._running = _Listener(_Service(self))
        return self

    def close(self) -> None:
        """Stop, drop unfinished answers, and wait for all threads; no effect on a stopped server.

        Raises:
            RuntimeError: A thread is still blocked after five seconds, by a reply or on_chunk function that does not
                return.
        """
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            running.close()

    def __enter__(self) -> OpenAIServer:
        return self.start()

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()


class _Service:
    """Access to the server for the handlers of one listener; each listener has its own `closing` event."""

    def __init__(self, server: OpenAIServer) -> None:
        self.delay = server._delay
        self.ids: IdScheme = server._ids
        self.message_ids = server._message_ids
        self.closing = threading.Event()
        self._server = server

    def record(self, request: Request) -> None:
        with self._server._lock:
            self._server._requests.append(request)

    def reply_to(self, body: JsonObject) -> Reply:
        return self._server._choose(body)

    def before_chunk(self, request: Request, index: int) -> None:
        if self._server._on_chunk is not None:
            self._server._on_chunk(request, index)


class _Listener(HTTPServer):
    """Listening socket with its thread, and one thread per open connection.

    The threading server of the standard library polls for its end and does not track its daemon threads. This one waits
    on a second socket instead and keeps a list of its threads.
    """

    request_queue_size = 128
    timeout = 0  # `handle_request` is called when a connection is pending, and must not wait if it has gone

    def __init__(self, service: _Service) -> None:
        self._service = service
        self._connections: Dict[threading.Thread, socket.socket] = {}
        self._connections_lock = threading.Lock()
        self._process = os.getpid()
        super().__init__((_HOST, 0), type("_Handler", (Handler,), {"service": service}))
        self._waker, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._accept, name="streamgraph-testing-listener", daemon=True)
        self._thread.start()

    def server_bind(self) -> None:
        # HTTPServer resolves the host name by DNS here, which takes seconds if there is no DNS.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = _HOST, self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore broken connections."""

    def process_request(self, request: Any, client_address: Tuple[str, int]) -> None:
        thread = threading.Thread(
            target=self._serve, args=(request, client_address), name="streamgraph-testing-connection", daemon=True
        )
        with self._connections_lock:
            self._connections[thread] = request
        thread.start()

    def close(self) -> None:
        """End all threads.

        Raises:
            RuntimeError: A thread does not end in time.
        """
        if os.getpid() != self._process:
            return  # a forked process has the sockets but not the threads; closing would end its parent's connections
        self._service.closing.set()
        self._waker.close()
        deadline = time.monotonic() + _CLOSE_SECONDS
        self._join(self._thread, deadline)
        self.server_close()
        self._woken.close()
        with self._connections_lock:
            connections = dict(self._connections)
        for connection in connections.values():
            # Ends blocked reads and writes; the thread that owns the socket closes it.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in connections:
            self._join(thread, deadline)
        if any(thread.is_alive() for thread in connections if thread is not threading.current_thread()):
            raise RuntimeError(
                f"a reply or on_chunk function still has not returned {_CLOSE_SECONDS:g} seconds after the server "
                "was closed; release what it waits for before closing"
            )

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while all(key.fileobj is not self._woken for key, _ in selector.select()):
                self.handle_request()

    def _serve(self, request: socket.socket, client_address: Tuple[str, int]) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:
            self.handle_error(request, client_address)
        finally:
            self.shutdown_request(request)
            with self._connections_lock:
                del self._connections[threading.current_thread()]

    @staticmethod
    def _join(thread: threading.Thread, deadline: float) -> None:
        # `close` may be called by a reply function, which runs in one of these threads.
        if thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
