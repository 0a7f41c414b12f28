"""`pytest -p streamgraph.pytest_plugin` runs an unchanged suite on this package."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
pytest.importorskip("langgraph")

CONFTEST = """
from langgraph.graph import StateGraph

def pytest_report_header():
    return "conftest has " + StateGraph.__module__
"""

SUITE = """
import os
from unittest import mock
import pytest
from langgraph.graph import StateGraph
from langgraph.types import Command

@pytest.mark.parametrize("n", range(4))
def test_engine(n):
    assert StateGraph.__module__ == "streamgraph.graph.state"
    assert Command.__module__ == "streamgraph.types"

def test_patch():
    with mock.patch("langgraph.types.Command") as patched:
        import streamgraph.types
        assert streamgraph.types.Command is patched
"""


@pytest.fixture
def suite(tmp_path):
    """A suite whose conftest imports LangGraph."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def outside():
    """The environment without what is meant for the pytest that runs this test."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def run(suite, *arguments, **environment):
    """Run the suite."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments]
    return subprocess.run(
        command, cwd=suite, env={**outside(), **environment}, capture_output=True, encoding="utf-8", timeout=150
    )


WITH_PLUGIN = ("-p", "streamgraph.pytest_plugin", "-v")


def test_before_the_conftest_files(suite):
    """Conftest files and tests get our modules; without the plugin they get the real ones."""
    ended = run(suite, *WITH_PLUGIN)

    assert ended.returncode == 0, ended.stdout
    assert "langgraph: replaced by streamgraph" in ended.stdout
    assert "conftest has streamgraph.graph.state" in ended.stdout
    assert run(suite).returncode == 1


def test_in_the_workers_of_xdist(suite):
    """So it is in each worker, although its command line is read after the conftest files."""
    ended = run(suite, *WITH_PLUGIN, "-n", "2")

    assert ended.returncode == 0, ended.stdout
    assert "5 passed" in ended.stdout


def test_in_the_configuration(suite):
    """The option can stand in the suite's own configuration."""
    (suite / "pytest.ini").write_text("[pytest]\naddopts = -p streamgraph.pytest_plugin\n")

    assert run(suite).returncode == 0


def test_in_the_first_line_of_the_conftest(suite):
    """The conftest file can ask for it as well, before its own imports."""
    (suite / "conftest.py").write_text("import streamgraph\nstreamgraph.replace_langgraph()\n" + CONFTEST)

    assert run(suite).returncode == 0


@pytest.mark.parametrize("how", ["conftest", "plugin"])
def test_too_late(suite, how):
    """If the real LangGraph is loaded, the run ends before a test has run, and says who uses it."""
    (suite / "early.py").write_text("from langgraph.graph import StateGraph")
    path = os.pathsep.join([str(suite), os.environ.get("PYTHONPATH", "")])
    if how == "conftest":
        (suite / "conftest.py").write_text("import early\npytest_plugins = ['streamgraph.pytest_plugin']")
        ended = run(suite, PYTHONPATH=path)
    else:
        ended = run(suite, "-p", "early", *WITH_PLUGIN, PYTHONPATH=path)

    assert ended.returncode == pytest.ExitCode.USAGE_ERROR, ended.stdout
    assert "replace_langgraph() was called too late" in ended.stderr
    assert "early" in ended.stderr
    assert "passed" not in ended.stdout


def test_it_is_taken_back(suite):
    """A run inside a process leaves nothing behind: neither modules nor the variable for the workers."""
    code = (
        "import os, sys, pytest\n"
        "for _ in range(2):\n"
        "    assert pytest.main(['-q', '-p', 'no:cacheprovider', '-p', 'streamgraph.pytest_plugin']) == 0\n"
        "    left = sorted(name for name in sys.modules if name.startswith('langgraph'))\n"
        "    print(left, os.environ.get('PYTEST_PLUGINS'))\n"
        "    for name in ('conftest', 'test_suite'): sys.modules.pop(name, None)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=suite,
        env={**outside(), "PYTEST_PLUGINS": ""},
        capture_output=True,
        encoding="utf-8",
        timeout=150,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [line for line in ended.stdout.splitlines() if line.startswith("[")] == ["[] ", "[] "]
