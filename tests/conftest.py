"""What holds for every test: nothing of the machine that runs it has a say."""

from __future__ import annotations

import gc
import os

import pytest


def pytest_collection_finish() -> None:
    """Keep what has been imported and collected out of the many collections that tests ask for."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, no tracing and no key of the machine that runs the tests."""
    for name in list(os.environ):
        if name.startswith("OPENAI_") or name.upper() in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            monkeypatch.delenv(name)
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "false")
