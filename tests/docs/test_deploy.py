"""The recipe that starts everything on one machine really does, and its clients outlive a server process."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import httpx
import pytest

from support.redis_servers import executable

pytestmark = pytest.mark.slow

DEPLOY = Path(__file__).parents[2] / "cookbook" / "deploy"
WORDS = 40


class Machine:
    """Everything that the recipe has started.

    Args:
        folder: For its data.
        workers: How many workers there are.
    """

    def __init__(self, folder: Path, workers: int = 0) -> None:
        self.port = _ports()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, str(DEPLOY / "up.py"), "--port", str(self.port), "--folder", str(folder)]
        command += ["--workers", str(workers)]
        environment = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "DATABASE_URL")}
        environment["PATH"] += os.pathsep + str(Path(executable()).parent)  # on Python 3.9 it is of another package
        self._process = subprocess.Popen(
            command,
            env={**environment, "WORDS": str(WORDS)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: List[str] = []
        self._news = threading.Condition()
        self._lines = threading.Thread(target=self._listen, name="lines", daemon=True)
        self._lines.start()
        self.servers = self.find(r"Ready at (.*)", count=1) and self.find(r"server \d+: process (\d+)$", count=2)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.lines.append(line.rstrip())
                self._news.notify_all()

    def find(self, pattern: str, count: int) -> List[str]:
        """Wait until so many lines were printed that match, and return what they have in the group."""

        def found() -> List[str]:
            return [match[1] for line in self.lines for match in [re.search(pattern, line)] if match]

        with self._news:
            assert self._news.wait_for(lambda: len(found()) >= count, 45), "\n".join(self.lines)
            return found()

    def end(self) -> int:
        """End it, and return its exit status."""
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(45)
        self._lines.join(5)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return status


def _ports() -> int:
    """Return a port that is free, as are those after it that are needed."""
    while True:
        port = random.randrange(20_000, 30_000)  # noqa: S311
        with suppress(OSError):
            for each in (port, port + 1, port + 2, port + 100):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", each))
            return port


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    found = Machine(tmp_path_factory.mktemp("deploy"))
    yield found
    assert found.end() == 0, "\n".join(found.lines)


class Reader:
    """Reads a run as a browser does: when the connection breaks, it comes again and says what it has seen last."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.breaks = 0
        self.attempt = 1
        self.ids: List[str] = []
        self.text = ""
        self.process: Optional[int] = None
        self.over = False

    def read(self, words: int) -> None:
        """Read until there are so many words, or to the end."""
        while not self.over:
            headers = {"last-event-id": self.ids[-1] if self.ids else "-1"}
            try:
                with httpx.stream("GET", self._url, headers=headers, timeout=30) as answer:
                    assert answer.status_code == 200, answer.read()
                    for id_, kind, data in _frames(answer.iter_lines()):
                        self._take(id_, kind, data)
                        if len(self.text.split()) >= words:
                            return
                    self.over = True
            except httpx.TransportError:
                self.breaks += 1

    def _take(self, id_: str, kind: str, data: Any) -> None:
        if id_:
            assert id_ not in self.ids
            self.ids.append(id_)
        assert kind != "error", data
        if kind == "messages":
            self.text += data[0]["content"]
        elif kind == "metadata" and data.get("attempt", 1) > self.attempt:
            self.attempt, self.text = data["attempt"], ""  # the step that was cut off is done again
        elif kind == "custom":
            self.process = data["process"]


def _frames(lines: Iterator[str]) -> Iterator[Tuple[str, str, Any]]:
    fields: Dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
        else:
            if "event" in fields:
                yield fields.get("id", ""), fields["event"], json.loads(fields.get("data") or "null")
            fields = {}


def test_readers_outlive_a_server_process(machine: Machine) -> None:
    """Two readers are at two processes. One of these is killed; both have every word once, and it comes back."""
    thread = httpx.post(f"{machine.url}/threads", json={}).json()["thread_id"]
    order = {"assistant_id": "graph", "input": {"messages": "go"}, "stream_mode": ["messages-tuple", "custom"]}
    run = httpx.post(f"{machine.url}/threads/{thread}/runs", json=order).json()["run_id"]
    url = f"{machine.url}/threads/{thread}/runs/{run}/stream?stream_mode=messages-tuple&stream_mode=custom"
    readers = [Reader(url), Reader(url)]
    first = threading.Thread(target=readers[0].read, args=(WORDS + 1,))
    first.start()
    second = threading.Thread(target=readers[1].read, args=(WORDS + 1,))
    second.start()
    while not all(reader.process and reader.text for reader in readers):
        first.join(0.05)
        assert first.is_alive()
    (other,) = [int(process) for process in machine.servers if int(process) != readers[0].process]
    os.kill(other, signal.SIGKILL)
    first.join(45)
    second.join(45)
    expected = " ".join(map(str, range(WORDS)))
    assert [reader.text for reader in readers] == [expected, expected]
    assert sum(reader.breaks for reader in readers) >= 1
    machine.find(r"server \d+: process (\d+)$", count=3)
    again = Reader(url)
    again.read(WORDS + 1)
    assert again.text == expected
    state = httpx.get(f"{machine.url}/threads/{thread}/state").json()
    assert state["values"]["messages"][-1]["content"] == expected


def test_runs_outlive_a_worker(tmp_path: Path) -> None:
    """With workers, a run goes on when the process that drives it is killed, and its readers get all of it."""
    pytest.importorskip("dbos", reason="DBOS 3 needs Python 3.10")
    machine = Machine(tmp_path, workers=2)
    try:
        thread = httpx.post(f"{machine.url}/threads", json={}).json()["thread_id"]
        order = {"assistant_id": "graph", "input": {"messages": "go"}, "stream_mode": ["messages-tuple", "custom"]}
        run = httpx.post(f"{machine.url}/threads/{thread}/runs", json=order).json()["run_id"]
        reader = Reader(
            f"{machine.url}/threads/{thread}/runs/{run}/stream?stream_mode=messages-tuple&stream_mode=custom"
        )
        reader.read(5)
        killed = reader.process
        assert killed is not None and str(killed) in machine.find(r"worker \d+: process (\d+)$", count=2)
        os.kill(killed, signal.SIGKILL)
        reader.read(WORDS + 1)
        assert (reader.attempt, reader.text) == (2, " ".join(map(str, range(WORDS))))
        assert reader.process != killed
        machine.find(r"worker \d+: process (\d+)$", count=3)
    finally:
        assert machine.end() == 0, "\n".join(machine.lines)
