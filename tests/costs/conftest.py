"""Costs are counted as they are without LangGraph, which other tests of the same process may have loaded."""

from __future__ import annotations

import sys

import pytest

from streamgraph._compat.langgraph import PEER


@pytest.fixture(autouse=True)
def without_langgraph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it look as if LangGraph was not loaded."""
    package, _, name = PEER.partition(".")
    if PEER in sys.modules:
        # A test that loads it makes a second module, which must not take the place of the first for good.
        monkeypatch.setattr(sys.modules[package], name, sys.modules[PEER])
        monkeypatch.delitem(sys.modules, PEER)
