"""The servers that `serving.py` compares, each in a process of its own, and what such a process uses."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Dict, List, Optional

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class ServerProcess:
    """A server in a process of its own, with everything that it starts.

    Args:
        name: Its name in the tables.
        command: What starts it; `PORT` is replaced by the port to listen at.
        engine: The library that the graph is built with.
        folder: Its working directory.
        environment: Further variables.
    """

    def __init__(
        self, name: str, command: List[str], engine: str, folder: str, environment: Optional[Dict[str, str]] = None
    ) -> None:
        self.name = name
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [part.replace("PORT", str(self.port)) for part in command],
            cwd=folder,
            env={**os.environ, **(environment or {}), "SERVING_ENGINE": engine},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait(self, seconds: float = 90.0) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: It does not come up; the error has the end of what it has printed.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ok", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.1)
        self._log.seek(0)
        printed = self._log.read().decode(errors="replace")[-2000:]
        self.stop()
        raise RuntimeError(f"{self.name} does not come up. It has printed:\n{printed}")

    def stop(self) -> None:
        """End it, and what it has started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                break
            try:
                self._process.wait(3)
            except subprocess.TimeoutExpired:
                continue
        self._process.wait()
        self._log.close()

    def cpu(self) -> float:
        """The seconds of CPU that it has used so far."""
        used = 0
        for process in self._processes():
            fields = (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()
            used += int(fields[11]) + int(fields[12])
        return used / TICKS

    def memory(self) -> int:
        """The bytes of memory that it uses."""
        sizes = [(Path("/proc") / str(process) / "statm").read_text().split()[1] for process in self._processes()]
        return sum(map(int, sizes)) * PAGE

    def _processes(self) -> List[int]:
        found, rest = [], [self._process.pid]
        while rest:
            process = rest.pop()
            found.append(process)
            for children in Path(f"/proc/{process}/task").glob("*/children"):
                rest.extend(map(int, children.read_text().split()))
        return found


def ours(folder: str) -> ServerProcess:
    """`streamgraph serve`."""
    command = [sys.executable, "-m", "streamgraph", "serve", f"{HERE / 'serving_graph.py'}:graphs", "--port", "PORT"]
    return ServerProcess("streamgraph serve", command, "streamgraph", folder)


def their_engine(folder: str) -> ServerProcess:
    """Our server with LangGraph's engine behind it."""
    command = [sys.executable, str(HERE / "serving_engine.py"), "PORT"]
    return ServerProcess("LangGraph's engine behind the same server", command, "langgraph", folder)


def development_server(python: str, folder: str, at_once: int) -> ServerProcess:
    """`langgraph dev`, as a black box.

    Args:
        python: The Python of the environment that it is installed in.
        folder: Where it runs; its files are written there.
        at_once: How many runs it may do at the same time.
    """
    about = {"dependencies": ["."], "graphs": {"agent": f"{HERE / 'serving_graph.py'}:graph"}}
    (Path(folder) / "langgraph.json").write_text(json.dumps(about))
    command = [python, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload", "--port", "PORT"]
    command += ["--n-jobs-per-worker", str(at_once)]
    quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false", "LOG_LEVEL": "error"}
    return ServerProcess("langgraph dev", command, "langgraph", folder, {**quiet, "PYTHONPATH": ""})
