"""What every test of the server checks when it is over, and a server on loopback."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from server.browser import axe, browser, visit
from server.loopback import Loopback
from streamgraph_server import serve
from support.leaks import light_collections, no_complaint, no_thread_left

FILES = Path(__file__).parent / "javascript"
PATIENCE = 200  # seconds for npm

__all__ = ["axe", "browser", "light_collections", "no_complaint", "no_thread_left", "visit"]


@pytest.fixture(autouse=True)
def quiet_clients() -> Iterator[None]:
    """The SDK logs every answer that is an error, on the Pythons where it cannot add a note to the exception."""
    logger = logging.getLogger("langgraph_sdk")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


@pytest.fixture
def serving() -> Iterator[Callable[..., Loopback]]:
    """Serve graphs with real uvicorn on a free port; all servers end with the test."""
    running = []

    def app(served: Any) -> Loopback:
        server = Loopback(served)
        running.append(server)
        return server

    def start(graphs: Any, **options: Any) -> Loopback:
        return app(serve(graphs, **{"drain": 0.2, **options}))

    start.app = app  # type: ignore[attr-defined]
    yield start
    for server in running:
        server.stop()


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Install the clients, and return what runs a script of theirs; workers of one test run share them."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if worker else base) / "javascript"
    installed, failed = folder / "installed", folder / "failed"
    try:
        folder.mkdir()
    except FileExistsError:
        deadline = time.monotonic() + PATIENCE
        while not (installed.exists() or failed.exists()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    else:
        (failed if _install(folder) else installed).touch()
    if failed.exists():
        assert not os.environ.get("CI"), "npm cannot install the JavaScript clients"
        pytest.skip("The JavaScript clients cannot be installed here: npm or the network is missing.")

    def run(*arguments: str) -> Any:
        script = [str(folder / "node_modules" / ".bin" / "node"), *arguments]
        done = subprocess.run(script, cwd=folder, capture_output=True, encoding="utf-8", timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    run.folder = folder  # type: ignore[attr-defined]
    return run


def _install(folder: Path) -> bool:
    """Install the clients in a folder; return whether it has failed."""
    for file in FILES.iterdir():
        shutil.copy(file, folder)
    command = [shutil.which("npm") or "npm", "install", "--no-audit", "--no-fund", "--prefer-offline"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=PATIENCE)
    except (OSError, subprocess.SubprocessError) as error:
        logging.getLogger(__name__).warning("%s: %s", error, getattr(error, "stderr", b""))
        return True
    return False
