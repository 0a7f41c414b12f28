"""LangGraph is loaded, and what this folder's tests start must have ended with them."""

from __future__ import annotations

import warnings

import pytest

from support.leaks import light_collections, no_complaint, no_thread_left

__all__ = ["light_collections", "no_complaint", "no_thread_left"]

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import langgraph.graph
    import langgraph.prebuilt

assert langgraph.graph.StateGraph


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let LangGraph say what it has deprecated."""
    for item in items:
        if "scenarios/peers" in str(item.path).replace("\\", "/"):
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning:langgraph"))
            item.add_marker(pytest.mark.filterwarnings("ignore::PendingDeprecationWarning:langgraph"))
            item.add_marker(pytest.mark.filterwarnings("ignore:create_react_agent has been moved"))
