"""The tests are where one looks for them: `unit` mirrors the package, and no folder needs another one."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator

import streamgraph

TESTS = Path(__file__).parents[1]
PACKAGE = Path(streamgraph.__file__).parent


def imported(path: Path) -> Iterator[str]:
    """The names of the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_no_folder_imports_from_another() -> None:
    """What two folders need is in `support`, which needs neither of them; all other imports name the own folder."""
    folders = {path.name for path in TESTS.iterdir() if path.is_dir()}
    wrong = []
    for path in TESTS.rglob("*.py"):
        own = ".".join(path.relative_to(TESTS).parts[:-1])
        for name in imported(path):
            if name.split(".")[0] not in folders - {"support", "typing"}:
                continue
            if name.rpartition(".")[0] != own and name != own:
                wrong.append(f"{path.relative_to(TESTS)}: {name}")
    assert wrong == []


def test_unit_mirrors_the_package() -> None:
    """Each folder of `unit` is named after a package of streamgraph, without its underscore."""
    packages = {path.name.lstrip("_") for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    folders = {path.name for path in (TESTS / "unit").iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders - packages == set()


def test_the_architecture_is_short() -> None:
    """Who takes the project over reads it in one go."""
    text = (TESTS.parent / ".github" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
