"""After any call of the saver the process may be killed: the next goes on, and nothing that was stored runs again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from support.savers import new_database

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("killed.py")
NODES = ["a", "b", "c", "joined", "answered", "x", "y", "sent", "sent"]
ASKED = ["in", "a", "b", "c", "joined", "answered"]
RESULT = [*ASKED, *ASKED, "x", "y", "sent", "sent"]


@pytest.mark.parametrize(
    ("kind", "durability"),
    [("sqlite", "sync"), ("sqlite", "async"), ("sqlite", "exit"), ("postgres", "sync")],
)
def test_the_next_process_goes_on(kind: str, durability: str, tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), str(tmp_path), durability]
    if kind == "postgres":
        command.append(new_database())
    done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)
    assert len(outcomes) > (3 if durability == "exit" else 20)
    for calls, outcome in enumerate(outcomes, 1):
        assert (outcome["status"], outcome["final"]) == (0, RESULT), (calls, outcome, done.stderr)
        again = Counter(outcome["ran"]) - Counter(NODES)
        assert not Counter(NODES) - Counter(outcome["ran"])
        # What had run without being stored may run again, and nothing else.
        # (`inner` has a result of its own besides those of the nodes in it, which are in the log.)
        lost = 0 if durability == "sync" else len(outcome["before"]) + 1 - outcome["stored"]
        assert sum(again.values()) <= max(lost, 0), (calls, outcome)
