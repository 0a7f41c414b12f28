"""Three seconds of random graphs and random endings; run `soak.py` itself for longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_three_seconds() -> None:
    """Nothing leaks, hangs or comes out of order, and a fair share of runs was left early, failed and finished."""
    command = [sys.executable, str(Path(__file__).with_name("soak.py")), "--seconds", "3", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=55)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert " 0 leaks or other faults" in done.stdout
    words = done.stdout.replace(",", "").split()
    for count in ("programs", "finished", "left", "failed", "checked"):
        assert int(words[words.index(count) - 1]) > 10, done.stdout
