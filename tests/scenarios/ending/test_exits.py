"""A process that leaves streams open ends at once, says nothing, and lets nodes clean up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_every_third_way() -> None:
    """Some 45 of the ways in which a process may end, each within a second; run `exits.py` itself for all of them."""
    command = [sys.executable, str(Path(__file__).with_name("exits.py")), "--every", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert int(done.stdout.split(":")[1].split()[0]) > 40, done.stdout


CLEANS_UP = """
import asyncio
from typing_extensions import TypedDict
from streamgraph.config import get_stream_writer
from streamgraph.graph import START, StateGraph

class State(TypedDict):
    value: str

async def node(state):
    get_stream_writer()("started")
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.01)
        print("cleaned up", flush=True)

graph = StateGraph(State).add_node(node).add_edge(START, "node").compile()
for chunk in graph.stream({"value": "?"}, stream_mode="custom"):
    raise ValueError(chunk)
"""


def test_clean_up() -> None:
    """After an exception that nobody catches, the async nodes of an open sync stream have run their `finally`."""
    done = subprocess.run([sys.executable, "-c", CLEANS_UP], capture_output=True, text=True, timeout=150)
    assert done.stdout == "cleaned up\n"
    assert done.stderr.rstrip().endswith("ValueError: started")
    assert done.returncode == 1
