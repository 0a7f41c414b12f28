"""What is streamed is framed as h11 frames it, and what happens once is told to all who wait."""

from __future__ import annotations

import asyncio
from typing import Any, List

import h11
import pytest

from streamgraph_server._connections import StreamingConnection
from streamgraph_server._moments import Moment
from support.waiting import run

PIECES = (b"one", b"", b"x" * 5000, b"\r\n")
HEADS: Any = {
    "chunked": [],
    "chunked by its own word": [("Transfer-Encoding", "chunked")],
    "of a known length": [("content-length", str(sum(map(len, PIECES))))],
}


def sent(kind: Any, request: bytes, head: Any, status: int, pieces: Any) -> List[Any]:
    """What a connection sends as the answers to two requests, and the states it has meanwhile."""
    connection, found = kind(h11.SERVER), []
    for _ in range(2):
        connection.receive_data(request)
        while type(connection.next_event()) is not h11.EndOfMessage:
            pass
        for event in (
            h11.Response(status_code=status, headers=head), *(h11.Data(data=piece) for piece in pieces),
            h11.EndOfMessage(),
        ):  # fmt: skip
            found.append((connection.send(event), connection.our_state, connection.their_state))
        if connection.our_state is h11.MUST_CLOSE:
            break
        connection.start_next_cycle()
    return found


@pytest.mark.parametrize("head", sorted(HEADS))
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_frames_are_those_of_h11(head: str, method: str, version: str) -> None:
    request = f"{method} / HTTP/{version}\r\nhost: a\r\n\r\n".encode()
    pieces = PIECES if method == "GET" else [b""] * 4 if head != "of a known length" else []
    given = (request, HEADS[head], 200, pieces)
    assert sent(StreamingConnection, *given) == sent(h11.Connection, *given)


def test_a_piece_after_the_end_is_refused() -> None:
    connection: Any = StreamingConnection(h11.SERVER)
    connection.receive_data(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    while type(connection.next_event()) is not h11.EndOfMessage:
        pass
    for event in (h11.Response(status_code=200, headers=[]), h11.Data(data=b"a"), h11.EndOfMessage()):
        connection.send(event)
    with pytest.raises(h11.LocalProtocolError):
        connection.send(h11.Data(data=b"b"))


def test_all_who_wait_for_a_moment_go_on() -> None:
    async def wait() -> None:
        moment = Moment()
        waiting = [asyncio.ensure_future(moment.wait()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        await asyncio.sleep(0)
        assert not moment.is_set() and not waiting[0].done()
        waiting[2].cancel()
        moment.set()  # before the cancelled one has run
        moment.set()
        assert await waiting[0] is True and moment.is_set()
        assert await moment.wait() is True
        assert all(task.cancelled() for task in (await asyncio.sleep(0), waiting[1:])[1])

    run(wait())
