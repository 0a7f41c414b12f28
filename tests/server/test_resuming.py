"""A client that comes back gets exactly what it has not seen: after any frame, during the run and after it."""

from __future__ import annotations

import asyncio
import select
import socket
import socketserver
import threading
from typing import Any, Callable, List

import httpx
import pytest
from langgraph_sdk import get_client

from server.graphs import HI, TEXT, full_of_events, speaking
from server.loopback import Loopback, events_in
from streamgraph.testing import Gate
from support.waiting import PATIENCE, run, soon

Serving = Callable[..., Loopback]


@pytest.mark.parametrize("modes", [["messages-tuple", "values", "custom"], ["messages", "updates"]], ids="-".join)
def test_after_every_frame(serving: Serving, modes: List[str]) -> None:
    server = serving({"agent": full_of_events()})
    body = {"assistant_id": "agent", "input": HI, "stream_mode": modes, "stream_subgraphs": True}
    answer = server.post("/threads/t/runs/stream", {**body, "if_not_exists": "create"})
    events, again = events_in(answer.text), answer.headers["location"]
    assert len(events) > 8 and events[-1].event == "end"
    for place, event in enumerate(events):
        rest = events_in(server.get(again, headers={"last-event-id": event.id or ""}).text)
        assert rest == events[place + 1 :]
    for everything in ("-1", "nonsense", "9999999999999999999999999999999999999999999999-1", "1-x"):
        assert events_in(server.get(again, headers={"last-event-id": everything}).text) == events
    assert events_in(server.get(again).text) == events  # it is over, so nothing is still to come
    later = events_in(server.get(again, params={"stream_mode": "values"}).text)
    assert {str(event.event).partition("|")[0] for event in later} == {"metadata", "values", "end"}


def test_a_thread_may_have_any_printable_id(serving: Serving) -> None:
    server = serving({"agent": speaking()})
    body = {"assistant_id": "agent", "input": HI, "if_not_exists": "create"}
    answer = server.post("/threads/%F0%9F%98%80 %3F/runs/stream", body)
    assert events_in(server.get(answer.headers["location"]).text) == events_in(answer.text)


class Cutting(socketserver.ThreadingTCPServer):
    """A proxy that cuts the first connections after so many bytes of the answer."""

    def __init__(self, port: int, cuts: List[int]) -> None:
        self.behind = port
        self.cuts = cuts
        super().__init__(("127.0.0.1", 0), Forwarding)


class Forwarding(socketserver.BaseRequestHandler):
    """One connection through the proxy."""

    server: Cutting

    def handle(self) -> None:
        left = self.server.cuts.pop(0) if self.server.cuts else 10**9
        with socket.create_connection(("127.0.0.1", self.server.behind)) as behind:
            while left > 0:
                for ready in select.select([self.request, behind], [], [])[0]:
                    data = ready.recv(4096)
                    if not data:
                        return
                    if ready is self.request:
                        behind.sendall(data)
                    else:
                        self.request.sendall(data[:left])
                        left -= len(data)


@pytest.mark.slow
def test_a_cut_connection_loses_and_repeats_nothing(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    server = serving({"agent": speaking()})
    if not _reconnects():
        pytest.skip("This version of the SDK does not come back after a cut.")

    async def main(port: int) -> str:
        client = get_client(url=f"http://127.0.0.1:{port}")
        text = ""
        stream = client.runs.stream("t", "agent", input=HI, stream_mode="messages-tuple", if_not_exists="create")
        async for part in stream:
            text += part.data[0]["content"] if part.event == "messages" else ""
        await client.http.client.aclose()
        return text

    with Cutting(server.port, [1500, 1900]) as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.01,)).start()
        text = asyncio.run(main(proxy.server_address[1]))
        assert proxy.cuts == []
        proxy.shutdown()
    assert text == TEXT
    caplog.clear()  # the client says that it comes back


def _reconnects() -> bool:
    import inspect

    from langgraph_sdk import client

    source = inspect.getsource(inspect.getmodule(type(get_client(url="http://x").http)) or client)
    return "reconnect" in source


def test_a_late_client_gets_what_is_still_to_come(serving: Serving) -> None:
    gate = Gate()
    server = serving({"agent": speaking(gate=gate)})

    async def main() -> List[Any]:
        async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as client:
            body = {"assistant_id": "agent", "input": HI, "if_not_exists": "create"}
            made = (await client.post("/threads/t/runs", json=body)).json()
            gate.open(2)
            await soon(lambda: gate.passed == 2)
            found = server.runs.find(made["run_id"], None)
            await soon(lambda: "two" in str(found.handle.partial.messages))
            path = f"/threads/t/runs/{made['run_id']}/stream"
            params = {"stream_mode": ["messages-tuple", "messages"]}
            joining = asyncio.ensure_future(client.get(path, params=params))
            await soon(lambda: found.readers == 1)
            gate.open_all()
            return events_in((await joining).text)

    events = run(main())
    assert "".join(event.data[0]["content"] for event in events if event.event == "messages") == "three four"
    # What is told of a message as a whole includes what came before.
    assert [event.data[0]["content"] for event in events if event.event == "messages/partial"][-1] == TEXT


def test_events_that_are_gone_are_a_gap(serving: Serving) -> None:
    server = serving({"agent": full_of_events()}, max_events=4)
    body = {"assistant_id": "agent", "input": HI, "stream_mode": ["messages-tuple", "tasks"], "if_not_exists": "create"}
    answer = server.post("/threads/t/runs/stream", body)
    events = events_in(server.get(answer.headers["location"], headers={"last-event-id": "0-0"}).text)
    assert (events[0].event, events[0].data["error"]) == ("error", "ResumeGap")
