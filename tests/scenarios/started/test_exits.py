"""A program that has started runs ends at once, and says nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_every_way_to_leave_a_program() -> None:
    """In threads and on loops, before, during and after a run, with and without readers."""
    command = [sys.executable, str(Path(__file__).with_name("leaving_a_program.py"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert done.stdout.endswith(" ways, 0 faults\n")
