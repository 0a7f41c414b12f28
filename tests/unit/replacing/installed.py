"""A small `langgraph` made for a test, and what is loaded of any."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, List, Mapping


def loaded() -> List[str]:
    """Return what `sys.modules` has of `langgraph`."""
    return sorted(name for name in sys.modules if name == "langgraph" or name.startswith("langgraph."))


class OnlyIn:
    """A finder that finds `langgraph` in one folder, so that the installed one is out of sight.

    Args:
        finder: The finder that it stands for.
        folder: The folder that holds `langgraph`.
    """

    def __init__(self, finder: Any, folder: Path) -> None:
        self._finder = finder
        self._path = [str(folder)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find a module; what is below `langgraph` is found by its `__path__`."""
        if name == "langgraph":
            return PathFinder.find_spec(name, self._path)
        return self._finder.find_spec(name, path, target)


class Installed:
    """A `langgraph` made for a test.

    Args:
        folder: Where it is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, *names: str, **sources: str) -> None:
        """Add modules.

        Args:
            names: Paths of files, which get no content.
            sources: Contents of modules right below `langgraph`.
        """
        files: Mapping[str, str] = {
            **dict.fromkeys(names, ""),
            **{f"{name}.py": text for name, text in sources.items()},
        }
        for name, text in files.items():
            path = self._folder / "langgraph" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
