"""The tests of `nodes_in_one_process.py`, in a process of their own: models note what a process has imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).with_name("nodes_in_one_process.py")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_nodes_on_ray_in_a_process_of_their_own() -> None:
    pytest.importorskip("ray")
    without = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS)]
    done = subprocess.run(command, cwd=TESTS.parents[3], env=without, capture_output=True, text=True, timeout=350)
    assert done.returncode == 0, done.stdout + done.stderr
