"""Runs in worker processes that end, are killed, or stand still: none is lost, and readers know what has happened."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from typing import Any, Dict, Iterator, List, Tuple
from uuid import uuid4

import httpx
import pytest

from integrations.dbos_runs.conftest import Place

pytest.importorskip("dbos", reason="DBOS 3 needs Python 3.10")
from streamgraph_integrations import dbos_runs  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    # DBOS leaves connections of its pool to the collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

WAIT = 40
"""Seconds that a worker may take, also on a busy machine."""


def soon(condition: Any) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def text_of(chunk: Any) -> Any:
    """The text of a token, or a `NewAttempt` as it is."""
    return chunk if isinstance(chunk, dbos_runs.NewAttempt) else chunk[0].content


def pid_of(place: Place, what: str) -> int:
    """The process in which something has run last."""
    lines = (place.folder / "ran").read_text().splitlines()
    return int([line.split()[1] for line in lines if line.split()[0] == what][-1])


TOKENS = [f"{number} " for number in range(10)]


def test_a_worker_that_is_killed(place: Place) -> None:
    """Another one goes on from the last record; readers get each text once after the word of the new attempt."""
    place.worker()
    place.worker()
    run = place.runs.enqueue("steps", {"topic": place.program.Topic(name="ice"), "log": []})
    found: Dict[str, List[Any]] = {"messages": [], "custom": []}

    def read(mode: str) -> None:
        found[mode].extend(text_of(chunk) if mode == "messages" else chunk for chunk in run.stream(mode))

    readers = [threading.Thread(target=read, args=(mode,)) for mode in found]
    for reader in readers:
        reader.start()
    soon(lambda: len(found["messages"]) == 6)
    killed = pid_of(place, "second")
    os.kill(killed, signal.SIGKILL)
    place.let("go")
    assert run.result(WAIT)["log"] == ["first", "second", "third of ice"]
    for reader in readers:
        reader.join(WAIT)
    again = dbos_runs.NewAttempt(2)
    assert [text for text in found["messages"] if text] == [*TOKENS[:6], again, *TOKENS]
    assert found["custom"] == ["first", again, {"log": ["second"]}]
    assert place.noted() == ["first", "second", "second", "third"]
    assert pid_of(place, "third") != killed
    # Who comes late, or again from an old place, reads the attempt that has ended.
    assert [text_of(chunk) for chunk in run.stream("messages") if text_of(chunk)] == TOKENS
    late = [text_of(chunk) for chunk in run.stream("messages", after="1-2")]
    assert [text for text in late if text] == [again, *TOKENS]
    soon(lambda: run.status == "done")


def test_a_worker_that_is_told_to_end(place: Place) -> None:
    """It lets a run end that does so in time, and leaves the other one to the next worker at once; it takes no more."""
    worker = place.worker("--drain", "1.5", lease=60)
    short, long = [place.runs.enqueue("waits", {"log": [name]}) for name in ("short", "long")]
    soon(lambda: {"begins:short", "begins:long"} <= set(place.noted()))
    worker.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    place.let("short")
    later = place.runs.enqueue("waits", {"log": ["later"]})
    assert worker.wait(WAIT) == 0
    assert short.status == "done"
    assert [long.status, later.status] == ["queued", "queued"]
    for name in ("long", "later"):
        place.let(name)
    place.worker(lease=60)
    assert long.result(WAIT) == {"log": ["long", "long done"]}
    assert later.result(WAIT) == {"log": ["later", "later done"]}
    assert place.noted().count("begins:long") == 2


def test_a_worker_that_stands_still(place: Place) -> None:
    """When it goes on, it ends its run at once: nothing of it is in the events, nor in the thread."""
    frozen = place.worker(lease=1)
    config = {"configurable": {"thread_id": uuid4().hex}}
    run = place.runs.enqueue("steps", {"log": []}, config)
    soon(lambda: "second" in place.noted())
    os.kill(frozen.pid, signal.SIGSTOP)
    place.worker(lease=1)
    soon(lambda: place.noted().count("second") == 2)
    os.kill(frozen.pid, signal.SIGCONT)
    time.sleep(0.3)
    place.let("go")
    assert run.result(WAIT) == {"log": ["first", "second", "third"]}
    assert pid_of(place, "third") != frozen.pid
    assert place.noted() == ["first", "second", "second", "third"]
    soon(lambda: run.status == "done")
    # It still works.
    place.workers[1].send_signal(signal.SIGKILL)
    place.let("x")
    assert place.runs.enqueue("waits", {"log": ["x"]}, config).result(WAIT)["log"][-1] == "x done"
    assert pid_of(place, "ends:x") == frozen.pid


def test_workers_that_are_killed_at_random(place: Place) -> None:
    """No run is lost; no finished step is done again; what readers get has no hole, nothing twice and nothing moved."""
    chance = random.Random(22)  # noqa: S311
    workers = {worker.pid: worker for worker in [place.worker(lease=1.5) for _ in range(3)]}
    runs = [
        place.runs.enqueue("counting", {"log": [str(number)]}, key=f"{place.folder} {number}") for number in range(12)
    ]
    streams: List[List[Any]] = [[] for _ in runs]
    places: List[str] = []

    def read(run: Any, found: List[Any]) -> None:
        found.extend(text for text in map(text_of, run.stream("messages")) if text)

    readers = [threading.Thread(target=read, args=pair) for pair in zip(runs, streams)]
    for reader in readers:
        reader.start()
    for turn in range(2):
        # First all are in the middle of their second step, and are read.
        soon(lambda: len(place.noted()) >= 36 if turn else all(len(found) == 31 for found in streams))
        time.sleep(chance.random() / 5)
        # The one that has begun a step last, so that it is in the middle of it.
        busy = [pid for pid in map(int, place.noted_by()) if pid in workers]
        workers.pop(busy[-1]).send_signal(signal.SIGKILL)
        place.let("count")
    for number, run in enumerate(runs):
        assert run.result(WAIT) == {"log": [str(number), 1, 2, 3, 4, 5]}
    for reader in readers:
        reader.join(WAIT)
    places = place.noted()
    told = [f"{step}.{token} " for step in range(1, 6) for token in range(20)]
    for number, found in enumerate(streams):
        attempts: List[List[str]] = [[]]
        for text in found:
            if isinstance(text, dbos_runs.NewAttempt):
                assert text.attempt > len(attempts)
                attempts.append([])
            else:
                attempts[-1].append(text)
        # Each attempt goes on with the step in which the one before it was cut off, and the last one to the end.
        so_far = 0
        for texts in attempts:
            begins = so_far if not texts else told.index(texts[0])
            assert begins % 20 == 0
            assert so_far - 20 <= begins <= so_far
            so_far = begins + len(texts) if texts else so_far
            assert texts == told[begins : begins + len(texts)]
        assert so_far == len(told)
        starts = [int(what[6]) for what in places if what.startswith("counts") and what.endswith(f":{number}")]
        assert starts == sorted(starts)
        assert set(starts) == {1, 2, 3, 4, 5}
        assert len(starts) <= 5 + 2  # one step for each worker that was killed
    assert any(len(found) > 100 for found in streams)


def events_of(client: httpx.Client, path: str, last: str) -> Iterator[Tuple[str, str, Any]]:
    """The kinds, ids and data of the events of a stream, as they come."""
    with client.stream("GET", path, headers={"last-event-id": last}) as response:
        assert response.status_code == 200
        fields: Dict[str, str] = {}
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
            elif "event" in fields:
                yield fields["event"], fields.get("id", ""), json.loads(fields.get("data") or "null")
                fields = {}


def test_two_servers_and_two_workers(place: Place) -> None:
    """A worker is killed, and a client goes over to the other server: no event is lost, doubled or moved."""
    place.worker(lease=1.5)
    place.worker(lease=1.5)
    thread = f"/threads/{uuid4()}"
    place.let("count")
    with place.server() as one, place.server() as other:
        order = {"assistant_id": "counting", "input": {"log": ["s"]}, "if_not_exists": "create"}
        asked = one.post(f"{thread}/runs", json={**order, "stream_mode": ["messages-tuple", "values"]}).json()
        path = f"{thread}/runs/{asked['run_id']}/stream?stream_mode=messages-tuple&stream_mode=values"
        found: List[Tuple[str, str, Any]] = []
        for event in events_of(one, path, "-1"):
            found.append(event)
            if sum(kind == "messages" for kind, *_ in found) == 30:
                os.kill(pid_of(place, "counts2:s"), signal.SIGKILL)
                break
        found.extend(events_of(other, path, found[-1][1]))
        assert found[-1][0] == "end"
        places = [tuple(map(int, event_id.split("-"))) for _, event_id, _ in found if event_id]
        assert places == sorted(set(places))
        attempts: List[List[str]] = [[]]
        for kind, _, data in found:
            if kind == "metadata" and data.get("attempt", 1) > 1:
                attempts.append([])
            elif kind == "messages" and data[0]["content"]:
                attempts[-1].append(data[0]["content"])
        told = [f"{step}.{token} " for step in range(1, 6) for token in range(20)]
        assert len(attempts) == 2
        assert attempts[0] == told[: len(attempts[0])]
        assert attempts[1] == told[20:]
        for client in (one, other):
            assert client.get(f"{thread}/state").json()["values"]["log"] == ["s", 1, 2, 3, 4, 5]
            assert client.get(f"{thread}/runs/{asked['run_id']}").json()["status"] == "success"
    assert [what for what in place.noted() if what.endswith(":s")] == [f"counts{step}:s" for step in (1, 2, 2, 3, 4, 5)]
