"""`streamgraph serve` as a process of its own, and what it refuses."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator, List

import httpx
import pytest
from click.testing import CliRunner

from server.graphs import HI
from streamgraph_server.cli import serve_command

PROGRAM = """
from streamgraph.graph import START, MessagesState, StateGraph

def say(state):
    return {"messages": [("ai", f"message {len(state['messages'])}")]}

builder = StateGraph(MessagesState).add_node("say", say).add_edge(START, "say")
graph = builder.compile()
both = {"one": graph, "two": builder.compile()}
wrong = {"one": 1}

def make():
    return both
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Path]:
    """A file with graphs."""
    path = tmp_path / "served_program.py"
    path.write_text(PROGRAM)
    before = list(sys.path)
    yield path
    sys.path[:] = before
    sys.modules.pop("served_program", None)


class Served:
    """The command in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "streamgraph", "serve", *arguments, "--port", "0", "--drain", "0.2"]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline()
        self.url = re.findall(r"http://\S+", self.line)[0]

    def end(self) -> int:
        """Stop it as a terminal does; return its status."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@pytest.mark.slow
def test_it_serves_and_threads_outlive_the_process(program: Path, tmp_path: Path) -> None:
    pytest.importorskip("langgraph.checkpoint.sqlite.aio")
    arguments = [f"{program}:make", "--checkpointer", f"sqlite:{tmp_path / 'threads.db'}"]
    contents: List[Any] = []
    for _ in range(2):
        served = Served(*arguments)
        try:
            assert served.line.startswith("Serving one, two at ")
            body = {"assistant_id": "two", "input": HI, "if_not_exists": "create"}
            answer = httpx.post(f"{served.url}/threads/t/runs/wait", json=body, timeout=20).json()
            contents.append([message["content"] for message in answer["messages"]])
        finally:
            assert served.end() in (0, -signal.SIGINT)
    assert contents == [["hi", "message 1"], ["hi", "message 1", "hi", "message 3"]]


def test_what_the_command_refuses(program: Path) -> None:
    for arguments, says in (
        ([f"{program}:graph", "--host", "0.0.0.0"], "--insecure"),
        ([f"{program}:grahp"], "graph"),
        ([f"{program}:graph", "--checkpointer", "redis:"], "no checkpointer"),
        (["--help"], "PATH_OR_MODULE:NAME"),
    ):
        result = CliRunner().invoke(serve_command, arguments)
        assert says in result.output and (result.exit_code != 0) == (arguments != ["--help"])
