"""Libraries that import `langgraph` show the same on this package as on LangGraph."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, Sequence

import pytest

from differential.harness import ASYNC_REFERENCE

PROGRAM = Path(__file__).parent / "agents_of_langchain.py"


def told(*command: str, ways: Sequence[str] = ()) -> Dict[str, str]:
    """Return what the program says of each agent."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", *command, str(PROGRAM), *ways],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        encoding="utf-8",
        timeout=50,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return dict(line.split(" ", 1) for line in ended.stdout.splitlines())


@pytest.mark.slow
def test_agents_of_langchain() -> None:
    """Values, updates, tokens, custom data, metadata and their order are the same, sync and async."""
    # Where LangGraph cannot hand its context to an asyncio task, its sync run is the expectation.
    ours, langgraphs = told("-m", "streamgraph"), told(ways=() if ASYNC_REFERENCE else ["--sync"])

    assert list(ours) == list(langgraphs)
    for name, text in langgraphs.items():
        expected, got = json.loads(text), json.loads(ours[name])
        for way in got:
            assert got[way] == expected[way if ASYNC_REFERENCE else way.lstrip("a")], (name, way)
