"""Real servers of PostgreSQL and Redis, and worker processes."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator, List
from uuid import uuid4

import httpx
import pytest

from support.redis_servers import Server
from support.savers import new_database

PROGRAM = Path(__file__).with_name("queued_program.py")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all tests of the process."""
    with Server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def database() -> str:
    """A database for all tests of the process: making DBOS's tables takes a second."""
    pytest.importorskip("dbos", reason="DBOS 3 needs Python 3.10")
    return new_database()


class Place:
    """What a test has for itself: a folder, a prefix, queued runs, and worker processes.

    Args:
        folder: The folder.
        monkeypatch: Changes where modules are looked for.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        # Under the name that it has in workers, which find its classes by it.
        monkeypatch.syspath_prepend(str(PROGRAM.parent))
        self.program = importlib.import_module(PROGRAM.stem)
        self.runs: Any = self.program.runs()
        self.workers: List[subprocess.Popen[str]] = []

    def worker(self, *options: str, lease: float = 2.0) -> subprocess.Popen[str]:
        """Start a worker, and wait until it takes runs."""
        worker = subprocess.Popen(
            [sys.executable, "-m", "streamgraph_integrations.dbos_runs", f"{PROGRAM}:runs", *options],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TEST_LEASE": str(lease)},
        )
        self.workers.append(worker)
        assert worker.stdout is not None
        assert worker.stdout.readline().startswith("Worker ")
        return worker

    def server(self) -> httpx.Client:
        """Start a server whose runs are queued, and return a client of it."""
        queue, database = f"{PROGRAM}:runs", os.environ["TEST_DATABASE"]
        command = [sys.executable, "-m", "streamgraph", "serve", f"{PROGRAM}:graphs", "--port", "0", "--queue", queue]
        server = subprocess.Popen([*command, "--checkpointer", database], stdout=subprocess.PIPE, text=True)
        self.workers.append(server)
        assert server.stdout is not None
        return httpx.Client(base_url=server.stdout.readline().split()[-1], timeout=60)

    def let(self, name: str) -> None:
        """Make the file for which nodes wait."""
        (self.folder / name).touch()

    def noted(self) -> List[str]:
        """What has run."""
        found: List[str] = self.program.noted()
        return found

    def noted_by(self) -> List[str]:
        """The processes in which it has run."""
        return [line.split()[1] for line in (self.folder / "ran").read_text().splitlines()]

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL)
            worker.wait()
            if worker.stdout is not None:
                worker.stdout.close()
        self.runs.events.close()
        self.runs.close()


@pytest.fixture
def place(database: str, redis_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """What a test has for itself."""
    monkeypatch.setenv("TEST_DATABASE", database)
    monkeypatch.setenv("TEST_REDIS", redis_server.url)
    monkeypatch.setenv("TEST_PREFIX", f"test{uuid4().hex}")
    monkeypatch.setenv("TEST_FOLDER", str(tmp_path))
    paths = [str(Path(path).resolve()) for path in sys.path if path]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    # The handler that DBOS makes once writes to what stands for stderr in the test that has made it.
    logging.getLogger("dbos").handlers.clear()
    found = Place(tmp_path, monkeypatch)
    yield found
    found.close()
