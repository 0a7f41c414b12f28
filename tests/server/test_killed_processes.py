"""Server processes that are killed: what they ran has failed for all, and the others go on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, Iterator, List

import httpx
import pytest

from server.loopback import Event, events_in
from support.redis_servers import Server
from support.waiting import PATIENCE, eventually

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

PROGRAM = Path(__file__).with_name("serving_program.py")
RUN = {"assistant_id": "agent", "input": {"messages": [{"role": "user", "content": "hi"}]}, "if_not_exists": "create"}
MODES = {"stream_mode": ["messages-tuple", "values"]}
PATH = "stream?stream_mode=messages-tuple&stream_mode=values"


class Process:
    """A server process.

    Args:
        redis: What it shares.
        folder: Where the database is.
        pause: Seconds between two words of a run.
    """

    def __init__(self, redis: Server, folder: Path, pause: float) -> None:
        database = str(folder / "threads.db")
        command = [sys.executable, str(PROGRAM), redis.url, "killed", database, str(pause), "1.0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    @cached_property
    def client(self) -> httpx.Client:
        """Who asks it, when it serves."""
        assert self.process.stdout is not None
        return httpx.Client(base_url=f"http://127.0.0.1:{self.process.stdout.readline().strip()}", timeout=PATIENCE)

    def stream(self, path: str, last: str = "-1") -> Iterator[Event]:
        """The events of a stream, as they come; a connection that breaks ends them."""
        text = ""
        try:
            with self.client.stream("GET", path, headers={"last-event-id": last}) as response:
                assert response.status_code == 200
                for piece in response.iter_text():
                    whole, mark, rest = (text + piece).rpartition("\n\n")
                    text = rest
                    yield from events_in(whole + mark)
        except httpx.TransportError:
            return

    def close(self, kill: bool = True) -> None:
        """End it."""
        self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        self.process.wait()
        self.client.close()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Any]:
    """Two server processes, of which the first one counts slowly."""
    with Server(tmp_path) as redis:
        made = [Process(redis, tmp_path, 0.01), Process(redis, tmp_path, 0)]
        for process in made:
            process.client  # noqa: B018  (they begin at the same time, and are waited for)
        yield made
        for process in made:
            process.close()


def text_of(events: List[Event]) -> str:
    """The words in the events of a stream."""
    return "".join(event.data[0]["content"] for event in events if event.event == "messages")


def test_a_process_that_is_killed_in_the_middle_of_a_run(processes: List[Process]) -> None:
    """Clients elsewhere get what it has stored, and then why nothing more comes; a run that waits for its end begins.

    A client that comes from the killed process may know more than it has stored. It gets the end all the same.
    """
    first, other = processes
    run = first.client.post("/threads/t/runs", json={**RUN, **MODES}).json()["run_id"]
    waiting = other.client.post("/threads/t/runs", json={**RUN, **MODES}).json()["run_id"]
    here: List[Event] = []
    one = f"/threads/t/runs/{run}"
    with ThreadPoolExecutor() as pool:
        there = pool.submit(list, other.stream(f"{one}/{PATH}"))
        for event in first.stream(f"{one}/{PATH}"):
            here.append(event)
            if len(here) == 60:
                first.close()
        killed = time.monotonic()
        seen = there.result()
    assert time.monotonic() - killed < 10
    assert (seen[-1].event, seen[-1].data["error"]) == ("error", "RunLostError")
    assert "without a word" in seen[-1].data["message"]
    count = min(len(seen) - 1, len(here))
    assert seen[:count] == here[:count]
    assert list(other.stream(f"{one}/{PATH}")) == seen
    assert list(other.stream(f"{one}/{PATH}", here[-1].id or ""))[-1].event == "error"
    assert other.client.get(one).json()["status"] == "error"
    result = other.client.get(f"/threads/t/runs/{waiting}/join").json()
    assert [message["content"] for message in result["messages"]][:2] == ["hi", "begun"]
    assert result["messages"][-1]["content"].endswith("w399 ")
    assert other.client.get("/threads/t").json()["status"] == "idle"


def test_a_process_that_is_ended_tells_all(processes: List[Process]) -> None:
    """Its runs are cancelled, which the others know at once."""
    first, other = processes
    run = first.client.post("/threads/t/runs", json={**RUN, **MODES}).json()["run_id"]
    reading = other.stream(f"/threads/t/runs/{run}/{PATH}")
    begun = [next(reading) for _ in range(10)]
    with ThreadPoolExecutor() as pool:
        rest = pool.submit(list, reading)
        first.close(kill=False)
        events = [*begun, *rest.result()]
    assert (events[-1].event, events[-1].data["error"]) == ("error", "UserInterrupt")
    assert text_of(events).startswith("begunw0 w1 ")


def test_the_events_of_a_thread_go_on_after_a_kill(processes: List[Process]) -> None:
    """Numbered as before, with the end of the run that was lost."""
    first, other = processes
    body = {"id": 1, "method": "run.start", "params": {"assistant_id": "agent", "input": RUN["input"]}}
    assert first.client.post("/threads/t/commands", json=body).json()["type"] == "success"
    channels = ["lifecycle", "messages", "values", "updates", "tasks", "checkpoints"]

    def read(process: Process, since: int, most: int) -> List[Any]:
        found: List[Any] = []
        given = {"channels": channels, "since": since}
        with process.client.stream("POST", "/threads/t/stream/events", json=given) as response:
            text = ""
            for piece in response.iter_text():
                whole, mark, text = (text + piece).rpartition("\n\n")
                found += [event.data for event in events_in(whole + mark)]
                last = found[-1]["params"] if found else {}
                if len(found) >= most or (last.get("data", {}).get("event") == "failed" and not last["namespace"]):
                    break
        return found

    here = read(first, 0, 80)
    first.close()
    there = read(other, 0, 10**6)
    count = min(len(here), len(there) - 2)
    ids = [
        [(event["seq"], event["event_id"], json.dumps(event["params"]["data"])) for event in each[:count]]
        for each in (here, there)
    ]
    assert ids[0] == ids[1]
    assert there[-1]["params"]["data"]["event"] == "failed"
    assert other.client.post("/threads/t/commands", json=body).json()["type"] == "success"
    eventually(lambda: other.client.get("/threads/t").json()["status"] == "idle")
    rest = read(other, there[-1]["seq"], 20)
    assert rest[0]["seq"] == there[-1]["seq"] + 1
