"""A thousand random graphs with random endings; run `soak.py` itself for more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_a_thousand_programs() -> None:
    """Nothing leaks, hangs or comes out of order, and a fair share of runs was left early, failed and finished."""
    command = [sys.executable, str(Path(__file__).with_name("soak.py")), "--programs", "1000", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert " 0 leaks or other faults" in done.stdout
    words = done.stdout.replace(",", "").split()
    for count in ("programs", "finished", "left", "failed", "checked"):
        assert int(words[words.index(count) - 1]) > 10, done.stdout
