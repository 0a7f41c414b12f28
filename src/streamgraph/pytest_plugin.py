"""A plugin for pytest: an unchanged test suite that imports `langgraph` runs on this package.

On the command line, or in `addopts` of the suite's configuration::

    pytest -p streamgraph.pytest_plugin

The plugin calls `replace_langgraph()` before any `conftest.py` is imported, also in the workers of pytest-xdist, and
takes the call back when the run ends. If it is too late, the run ends before it has begun, with the reason. Other
plugins that import LangGraph have to come after this one.
"""

from __future__ import annotations

import os
from typing import List, Optional

import pytest

from streamgraph.replacing import ReplacedTooLateError, Replacement, replace_langgraph

__all__ = ["pytest_addoption", "pytest_report_header", "pytest_unconfigure"]

_ENVIRONMENT = "PYTEST_PLUGINS"

_replacements: List[Replacement] = []
_environment: List[Optional[str]] = []


@pytest.hookimpl(tryfirst=True)
def pytest_addoption() -> None:
    """Replace `langgraph`: of all hooks, this is called as soon as the plugin is there."""
    try:
        _replacements.append(replace_langgraph())
    except ReplacedTooLateError as error:
        raise pytest.UsageError(f"streamgraph.pytest_plugin: {error}") from None
    # A worker of pytest-xdist imports the plugins of the command line after the conftest files, but those in this
    # variable before them.
    before = os.environ.get(_ENVIRONMENT)
    _environment.append(before)
    names = [name for name in (before or "").split(",") if name and name != __name__]
    os.environ[_ENVIRONMENT] = ",".join([__name__, *names])


def pytest_report_header() -> str:
    """Say in the header of the run what it runs on."""
    return "langgraph: replaced by streamgraph"


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Take it back when the run ends."""
    while _replacements:
        _replacements.pop().undo()
    while _environment:
        before = _environment.pop()
        if before is None:
            os.environ.pop(_ENVIRONMENT, None)
        else:
            os.environ[_ENVIRONMENT] = before
