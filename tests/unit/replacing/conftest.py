"""`langgraph` as it is in a new process, in two forms: the installed one, and a small one made for a test."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator

import pytest

from streamgraph import restore_langgraph
from unit.replacing.installed import Installed, OnlyIn, loaded


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of `langgraph` is loaded, and it is not replaced; afterwards all is as it was."""
    before = {name: sys.modules.pop(name) for name in loaded()}
    for changed in ("meta_path", "path_hooks"):
        monkeypatch.setattr(sys, changed, list(getattr(sys, changed)))
    yield
    restore_langgraph()
    for name in loaded():
        del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture
def nothing_installed(unloaded: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """No distribution has anything below `langgraph`, until the test adds it."""
    folder = tmp_path / "site"
    folder.mkdir()
    sys.meta_path[:] = [OnlyIn(finder, folder) for finder in sys.meta_path]  # type: ignore[misc]
    return Installed(folder)


@pytest.fixture
def add_ons_installed(nothing_installed: Installed) -> Installed:
    """`langgraph-checkpoint` is installed, `langgraph` is not."""
    nothing_installed.add(
        "checkpoint/base/__init__.py", "checkpoint/memory.py", "store/base.py", "cache/base.py", "cache/memory.py"
    )
    return nothing_installed


@pytest.fixture
def all_installed(add_ons_installed: Installed) -> Installed:
    """`langgraph` is installed as well."""
    add_ons_installed.add("graph/__init__.py", "graph/state.py", types="class Command: ...\n", only_there="")
    return add_ons_installed
