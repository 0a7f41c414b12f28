"""`streamgraph serve` as a process of its own, and what it refuses."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from functools import cached_property
from pathlib import Path
from typing import Any, Dict, Iterator, List

import httpx
import pytest
from click.testing import CliRunner

from server.graphs import HI
from streamgraph_server.cli import serve_command
from support.savers import new_database
from support.waiting import PATIENCE, interruptible

PROGRAM = """
import asyncio

from streamgraph.config import get_store, get_stream_writer
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.types import interrupt

def say(state):
    return {"messages": [("ai", f"message {len(state['messages'])}")]}

async def remember(state):
    store = get_store()
    found = await store.aget(("said",), "count")
    count = (found.value["count"] if found else 0) + 1
    await store.aput(("said",), "count", {"count": count})
    return {"messages": [("ai", f"time {count}")]}

async def work(state):
    seconds = float(state["messages"][-1].content)
    get_stream_writer()("at work")
    await asyncio.sleep(seconds)
    return {"messages": [("ai", "worked")]}

def ask(state):
    return {"messages": [("ai", interrupt("may I?"))]}

def of(node):
    return StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile()

several = {"remember": of(remember), "work": of(work), "ask": of(ask)}
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

    def __init__(self, *arguments: str, drain: str = "0.2") -> None:
        command = [sys.executable, "-m", "streamgraph", "serve", *arguments, "--port", "0", "--drain", drain]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, preexec_fn=interruptible)

    @cached_property
    def line(self) -> str:
        """What it says when it serves."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    @cached_property
    def url(self) -> str:
        """Where it serves."""
        return str(re.findall(r"http://\S+", self.line)[0])

    def end(self, by: signal.Signals = signal.SIGINT) -> int:
        """Stop it as a terminal does, or as a container; return its status."""
        self.process.send_signal(by)
        status = self.process.wait(PATIENCE)
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
            answer = httpx.post(f"{served.url}/threads/t/runs/wait", json=body, timeout=PATIENCE).json()
            contents.append([message["content"] for message in answer["messages"]])
        finally:
            assert served.end() in (0, -signal.SIGINT)
    assert contents == [["hi", "message 1"], ["hi", "message 1", "hi", "message 3"]]


def test_what_the_command_refuses(program: Path) -> None:
    for arguments, says in (
        ([f"{program}:graph", "--host", "0.0.0.0"], "--insecure"),
        ([f"{program}:grahp"], "graph"),
        ([f"{program}:graph", "--checkpointer", "redis:"], "no checkpointer"),
        ([f"{program}:graph", "--queue", f"{program}:graph"], "not QueuedRuns"),
        ([f"{program}:graph", "--queue", f"{program}:runs", "--events", "redis://h"], "leave out --events"),
        (["--help"], "PATH_OR_MODULE:NAME"),
    ):
        result = CliRunner().invoke(serve_command, arguments)
        assert says in result.output and (result.exit_code != 0) == (arguments != ["--help"])


def said(text: str) -> Any:
    """An input."""
    return {"messages": [{"role": "user", "content": text}]}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "by"), [("sqlite", signal.SIGINT), ("postgres", signal.SIGTERM)])
def test_two_processes_serve_the_same_threads_and_end_in_order(
    program: Path, tmp_path: Path, kind: str, by: Any
) -> None:
    pytest.importorskip("langgraph.checkpoint.sqlite.aio")
    where = f"sqlite:{tmp_path / 'all.db'}" if kind == "sqlite" else new_database()
    arguments = [f"{program}:several", "--checkpointer", where, "--store", where]
    # On an empty database, and at the same time: both make its tables.
    both = [Served(*arguments, drain="4"), Served(*arguments)]
    texts: Dict[str, str] = {}
    try:
        one, two = (served.url for served in both)
        new = {"if_not_exists": "create"}
        for url, count in ((one, 1), (two, 2), (one, 3)):
            body = {"assistant_id": "remember", "input": said("hi"), **new}
            answer = httpx.post(f"{url}/threads/t/runs/wait", json=body, timeout=PATIENCE).json()
            assert answer["messages"][-1]["content"] == f"time {count}" and len(answer["messages"]) == 2 * count
        body = {"assistant_id": "ask", "input": said("hi"), **new}
        assert httpx.post(f"{one}/threads/q/runs/wait", json=body, timeout=PATIENCE).status_code == 200
        assert httpx.get(f"{two}/threads/q", timeout=PATIENCE).json()["status"] == "interrupted"
        found = httpx.post(
            f"{two}/threads/search", json={"sort_by": "thread_id", "sort_order": "asc"}, timeout=PATIENCE
        ).json()
        assert [thread["thread_id"] for thread in found] == ["q", "t"]
        item = httpx.get(f"{two}/store/items", params={"namespace": "said", "key": "count"}, timeout=PATIENCE).json()
        assert item["value"] == {"count": 3}
        body = {"assistant_id": "ask", "command": {"resume": "yes"}}
        answer = httpx.post(f"{two}/threads/q/runs/wait", json=body, timeout=PATIENCE).json()
        assert answer["messages"][-1]["content"] == "yes"
        assert httpx.get(f"{one}/threads/q", timeout=PATIENCE).json()["status"] == "idle"

        # One run ends while the first process drains, the other one is cancelled; the clients of both get an end.
        working = [threading.Barrier(2) for _ in range(2)]

        def read(thread: str, seconds: str, at_work: threading.Barrier) -> None:
            body = {"assistant_id": "work", "input": said(seconds), "stream_mode": ["custom", "values"], **new}
            with httpx.stream("POST", f"{one}/threads/{thread}/runs/stream", json=body, timeout=PATIENCE) as answer:
                texts[thread] = ""
                for line in answer.iter_lines():
                    texts[thread] += line + "\n"
                    if "at work" in line:
                        at_work.wait(PATIENCE)

        readers = [
            threading.Thread(target=read, args=(thread, seconds, at_work))
            for thread, seconds, at_work in zip(("short", "long"), ("0.4", "60"), working)
        ]
        for reader in readers:
            reader.start()
        for at_work in working:
            at_work.wait(PATIENCE)
        assert both[0].end(by) in (0, -by)
        for reader in readers:
            reader.join(PATIENCE)
        assert "worked" in texts["short"] and "event: end" in texts["short"]
        assert "UserInterrupt" in texts["long"] and "worked" not in texts["long"]

        # The second process goes on where the first one has stopped.
        assert "worked" in httpx.get(f"{two}/threads/short/state", timeout=PATIENCE).text
        assert httpx.get(f"{two}/threads/long/state", timeout=PATIENCE).json()["next"] == ["node"]
        body = {"assistant_id": "work", "command": {"update": {"messages": [{"role": "user", "content": "0"}]}}}
        assert "worked" in httpx.post(f"{two}/threads/long/runs/wait", json=body, timeout=PATIENCE).text
        assert both[1].end(by) in (0, -by)
    finally:
        for served in both:
            if served.process.poll() is None:
                served.process.kill()
                served.process.wait()
            assert served.process.stdout is not None
            served.process.stdout.close()
