"""`langgraph.version`: the one module that has to speak of LangGraph and not of this package."""

from __future__ import annotations

from importlib import metadata
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Optional

FOLLOWED = "1.2.24"
"""The version of LangGraph whose names and behaviour this package has."""


class VersionLoader(Loader):
    """Loads a module with `__version__`, by which libraries decide what they may use.

    That is the version of LangGraph which is installed, as `importlib.metadata` has it, or else the one that this
    package follows. Our own version would tell a library that it runs on a LangGraph of years ago.
    """

    def create_module(self, spec: ModuleSpec) -> Optional[ModuleType]:
        """Have the import system make an ordinary module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Give the module what LangGraph's has."""
        try:
            version = metadata.version("langgraph")
        except metadata.PackageNotFoundError:
            version = FOLLOWED
        vars(module).update(__all__=("__version__",), __version__=version)
