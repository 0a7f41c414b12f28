"""The clients of `serving.py`: raw sockets, which do next to nothing while the server works."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence, Tuple

STAMP = re.compile(rb'"content":"(\d+\.\d{6}) ",')


class Client(asyncio.Protocol):
    """One request for a streamed run, and what comes back, with times."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.pieces: List[Tuple[float, bytes]] = []
        self.sent = 0.0
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: Optional[asyncio.Transport] = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.sent = time.monotonic()
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.pieces.append((time.monotonic(), data))

    def connection_lost(self, error: Optional[Exception]) -> None:
        if not self.over.done():
            self.over.set_result(None)


@dataclass
class Answers:
    """What some clients have got.

    Attributes:
        tokens: How many tokens there were.
        errors: What went wrong, one line for each client.
        delays: Seconds from the making of each token to its arrival, in ascending order.
        firsts: Seconds from the request to the first token of each client, in ascending order.
        seconds: From the first request to the last byte.
    """

    tokens: int = 0
    errors: List[str] = field(default_factory=list)
    delays: List[float] = field(default_factory=list)
    firsts: List[float] = field(default_factory=list)
    seconds: float = 0.0

    def delay(self, share: float) -> float:
        """The delay that this share of the tokens does not exceed, in milliseconds."""
        return at(self.delays, share)

    def first(self, share: float) -> float:
        """The time to the first token that this share of the clients does not exceed, in milliseconds."""
        return at(self.firsts, share)


def at(ordered: Sequence[float], share: float) -> float:
    """The value at a share of an ascending sequence of seconds, in milliseconds."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000 if ordered else float("nan")


def request(port: int, given: Dict[str, Any]) -> bytes:
    """The request for a run of the graph that streams its tokens."""
    body = json.dumps({"assistant_id": "agent", "input": given, "stream_mode": ["messages-tuple"]}).encode()
    head = (
        f"POST /runs/stream HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"accept: text/event-stream\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def connect(port: int, inputs: Sequence[Dict[str, Any]]) -> List[Client]:
    """Ask for as many runs as there are inputs, all at once."""
    loop = asyncio.get_running_loop()

    async def one(given: Dict[str, Any]) -> Client:
        _, client = await loop.create_connection(lambda: Client(request(port, given)), "127.0.0.1", port)
        return client

    return list(await asyncio.gather(*map(one, inputs)))


async def ask(port: int, inputs: Sequence[Dict[str, Any]], timeout: float = 300.0) -> Answers:
    """Ask for runs, wait for their ends, and return what came."""
    clients = await connect(port, inputs)
    return await answers_of(clients, [given["tokens"] for given in inputs], timeout)


async def answers_of(clients: Sequence[Client], expected: Sequence[int], timeout: float = 300.0) -> Answers:
    """Wait for the ends of the answers, and return what came."""
    await asyncio.wait([client.over for client in clients], timeout=timeout)
    answers = Answers()
    for client, tokens in zip(clients, expected):
        _read(client, tokens, answers)
        client.transport.abort()  # type: ignore[union-attr]
    answers.delays.sort()
    answers.firsts.sort()
    ends = [client.pieces[-1][0] for client in clients if client.pieces]
    answers.seconds = max(ends, default=0.0) - min(client.sent for client in clients)
    return answers


def _read(client: Client, expected: int, answers: Answers) -> None:
    body, place, ends = b"".join([data for _, data in client.pieces]), 0, []
    for moment, data in client.pieces:
        place += len(data)
        ends.append((place, moment))
    number, found = 0, 0
    for match in STAMP.finditer(body):
        while ends[number][0] < match.end():
            number += 1
        moment = ends[number][1]
        if not found:
            answers.firsts.append(moment - client.sent)
        found += 1
        answers.delays.append(moment - float(match[1]))
    answers.tokens += found
    status = body[9:12].decode()
    if status != "200":
        answers.errors.append(f"status {status or 'none'}: {body[-200:]!r}")
    elif b"event: error" in body:
        answers.errors.append(repr(body[body.index(b"event: error") :][:200]))
    elif not client.over.done() or found != expected:
        answers.errors.append(f"{found} of {expected} tokens, then {'nothing' if client.over.done() else 'silence'}")
