"""The core depends on nothing: no LangChain, no event loop, no threads, no clock, no chance."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import streamgraph._core

CORE = Path(streamgraph._core.__file__).parent
MODULES = sorted(CORE.glob("*.py"))
ALLOWED = {f"streamgraph.{name}" for name in ("_types", "_policies", "_signals", "errors", "constants")}
FORBIDDEN = {"asyncio", "threading", "queue", "time", "uuid", "random", "concurrent", "multiprocessing", "socket", "os"}
STANDARD = getattr(sys, "stdlib_module_names", frozenset()) or frozenset(
    (
        "__future__",
        "collections",
        "difflib",
        "contextlib",
        "dataclasses",
        "fnmatch",
        "functools",
        "hashlib",
        "itertools",
        "typing",
    )
    + ("datetime", "pickle", "operator", "re", "warnings", "weakref")
)


def imports_of(path):
    """The full names of all modules that a file imports, wherever in the file it does."""
    for item in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(item, ast.Import):
            yield from (alias.name for alias in item.names)
        elif isinstance(item, ast.ImportFrom):
            assert item.level == 0, "imports are absolute"
            if item.module in ("streamgraph", "streamgraph._core"):
                yield from (f"{item.module}.{alias.name}" for alias in item.names)
            else:
                yield item.module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_imports(path):
    """A module of the core imports the core, the four modules of plain data, and harmless standard modules."""
    for name in imports_of(path):
        top = name.split(".")[0]
        own = name in ALLOWED or top == "typing_extensions" or name.startswith("streamgraph._core.")
        assert own or (top in STANDARD and top not in FORBIDDEN), f"{path.name} imports {name}"


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_plain_data(name):
    """What the core may import besides itself is as plain as the core, so nothing slips in through it."""
    path = CORE.parent / f"{name.split('.')[1]}.py"
    for used in imports_of(path):
        top = used.split(".")[0]
        assert used in ALLOWED or top == "typing_extensions" or (top in STANDARD and top not in FORBIDDEN)


def test_there_is_something_to_check():
    """The modules named in the tests of this folder exist."""
    names = {path.stem for path in MODULES}
    assert {"_state", "_returns", "_frontier", "_run", "_parts", "_outlet", "_stop", "_detach", "_ids"} <= names
