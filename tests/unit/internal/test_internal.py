"""The marked folder: each name says who needs it, and is the real thing."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest
from typing_extensions import TypedDict

import streamgraph
from streamgraph import _reserved, types, typing
from streamgraph._internal import _config, _constants, _retry, _runnable, _typing
from streamgraph.graph import StateGraph, _node
from streamgraph.utils import config, runnable

FOLDER = Path(streamgraph.__file__).parent / "_internal"

MODULES = sorted(path for path in FOLDER.glob("*.py") if path.name != "__init__.py")

ELSEWHERE = [FOLDER.parent / "graph" / "_node.py"]


@pytest.mark.parametrize("path", [*MODULES, *ELSEWHERE], ids=lambda path: path.stem)
def test_each_name_says_who_needs_it(path):
    """`__all__` has one name in a line, with a comment; nothing else is public."""
    text = path.read_text(encoding="utf-8")
    module = importlib.import_module(f"streamgraph.{path.parent.name}.{path.stem}")
    lines = re.findall(r'^    "(\w+)",  # \S.*\S$', text, re.MULTILINE)
    assert lines == module.__all__
    made = {name for name in vars(module) if not name.startswith("_") and name != "annotations"}
    made -= {"Runtime", "StreamWriter", "ContextT", "NodeInputT", "NodeInputT_contra"}
    imported = {
        alias.asname or alias.name
        for node in ast.parse(text).body
        if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("streamgraph")
        for alias in node.names
    }
    assert made - imported - set(lines) == set()


def test_they_are_the_real_things():
    """A library and the package have the same objects."""
    assert _config.patch_configurable is config.patch_configurable
    assert _config.ensure_config is config.ensure_config
    assert _retry.default_retry_on is types.default_retry_on
    assert _runnable.RunnableCallable is runnable.RunnableCallable
    assert _runnable.RunnableLike is runnable.RunnableLike
    assert _typing.StateLike is typing.StateLike
    assert {name: getattr(_constants, name) for name in _constants.__all__} == {
        name: getattr(_reserved, name) for name in _constants.__all__
    }


def test_types_of_nodes():
    """They take the state and the context as parameters, and fit functions."""

    class State(TypedDict):
        x: int

    def node(state: State) -> None:
        """Do nothing."""

    assert _node.StateNode[State, None]
    checked: _node.StateNode = node
    assert StateGraph(State).add_node("a", checked).nodes["a"].__class__ is _node.StateNodeSpec


def test_deprecated_arguments():
    """The type takes none."""
    assert _typing.DeprecatedKwargs.__annotations__ == {}
    assert _typing.EMPTY_SEQ == ()
    assert _typing.MISSING is not None
