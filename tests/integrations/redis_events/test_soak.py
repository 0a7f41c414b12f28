"""A few seconds of the soak; run `soak.py` itself for minutes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_random_kills() -> None:
    """No reader loses, doubles or reorders an event, whoever is killed; every run ends for every reader."""
    command = [sys.executable, str(Path(__file__).with_name("soak.py")), "--seconds", "5", "--seed", "3", "--runs", "4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert " 0 faults" in done.stdout
