"""A few seconds of the soak; run `soak.py` itself for minutes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("dbos", reason="DBOS 3 needs Python 3.10")

pytestmark = pytest.mark.slow


def test_random_kills() -> None:
    """No client loses, doubles or reorders an event, whoever is killed; each run ends as it would have without that."""
    command = [sys.executable, str(Path(__file__).with_name("soak.py")), "--seconds", "10", "--seed", "5"]
    done = subprocess.run([*command, "--clients", "3"], capture_output=True, text=True, timeout=170)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert " 0 faults" in done.stdout
