"""A real server on a free port of this machine, and raw requests to it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import httpx
import uvicorn
from starlette.applications import Starlette

from streamgraph_server.cli import GraphServer, keep_little
from support.waiting import PATIENCE, eventually


class Loopback:
    """An application behind uvicorn, in a thread."""

    def __init__(self, app: Any) -> None:
        self.app: Starlette = app
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        keep_little(listening)
        listening.listen(2048)
        self.port = listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.server = GraphServer(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2))
        self._thread = threading.Thread(target=self.server.run, args=([listening],), name="test-server")
        self._thread.start()
        eventually(lambda: self.server.started)
        self._client = httpx.Client(base_url=self.url, timeout=PATIENCE)

    @property
    def runs(self) -> Any:
        """The runs of the server."""
        return self.app.state.service.runs

    def stop(self) -> None:
        """End the server, and wait for it."""
        self._client.close()
        self.server.should_exit = True
        self._thread.join()

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Send JSON."""
        return self._client.post(path, json=body, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Ask for something."""
        return self._client.get(path, **options)


class Event(NamedTuple):
    """One frame as a client reads it."""

    id: Optional[str]
    event: Optional[str]
    data: Any


def events_in(text: str) -> List[Event]:
    """The frames in the body of a response, without comments."""
    found = []
    for block in text.split("\n\n"):
        fields: Dict[str, str] = dict(line.split(": ", 1) for line in block.split("\n") if line and line[0] != ":")
        if fields:
            data = fields["data"]
            found.append(Event(fields.get("id"), fields.get("event"), data if data == "[DONE]" else json.loads(data)))
    return found


def kinds(events: List[Event]) -> List[str]:
    """The names of frames, each once in a row."""
    names = [event.event or event.data["type"] for event in events]
    return [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]


async def raw_request(port: int, head: str, body: bytes = b"") -> Tuple[int, bytes]:
    """Send a request as it stands, and return the status and the rest of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
    answer = await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]
