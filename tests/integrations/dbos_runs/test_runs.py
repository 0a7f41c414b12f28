"""The tests of `runs_in_one_process.py`, in a process of their own: DBOS exists once in a process, with its logger."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).with_name("runs_in_one_process.py")


@pytest.mark.slow
def test_queued_runs_in_a_process_of_their_own() -> None:
    pytest.importorskip("dbos", reason="DBOS 3 needs Python 3.10")
    without = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS)]
    done = subprocess.run(command, cwd=TESTS.parents[3], env=without, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
