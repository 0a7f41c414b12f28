"""The import system's way to the modules of this package under LangGraph's names.

Two objects of the import protocol share the work:

- `Finder` stands at the front of `sys.meta_path` and answers for `langgraph` and everything below it. It finds our
  modules, passes the add-ons of other distributions on to the finders behind it, and refuses the rest: nobody gets a
  module of the real LangGraph by accident.
- `PathEntry` stands for the one entry of `langgraph.__path__`. It is there for those who ask the path and not the
  finders, such as `pkgutil`. The entry is no directory, so no other finder can look there.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from importlib.abc import Loader, MetaPathFinder, PathEntryFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Iterator, List, Optional, Protocol, Sequence, Tuple, Union

import streamgraph
from streamgraph.replacing._errors import MissingModuleError
from streamgraph.replacing._names import ADD_ONS, OURS, REPLACED, VERSION, add_on_of, own_name, own_tops, siblings
from streamgraph.replacing._version import VersionLoader

PATH_ENTRY = os.path.join(os.path.dirname(os.path.abspath(streamgraph.__file__)), "<langgraph>")
"""What `langgraph.__path__` holds. It is absolute, since `importlib.invalidate_caches` forgets relative entries."""


class _SpecFinder(Protocol):
    """What stands in `sys.meta_path`."""

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None, /
    ) -> Optional[ModuleSpec]:
        """Find a module."""
        ...


class SameModuleLoader(Loader):
    """Loads a module of ours under a second name: the same object, which keeps what it says of itself.

    Args:
        own: The name of our module.
    """

    def __init__(self, own: str) -> None:
        self.own = own
        self._spec: Optional[ModuleSpec] = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Import our module, and remember its spec, which the import system is going to replace."""
        module = importlib.import_module(self.own)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own spec back; it has been executed already."""
        module.__spec__ = self._spec


class RootLoader(Loader):
    """Loads `langgraph` itself: always the same, empty module.

    Args:
        root: The module.
    """

    def __init__(self, root: ModuleType) -> None:
        self._root = root

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module."""
        return self._root

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: there is nothing in it but what was imported from below it."""


class Finder(MetaPathFinder):
    """Finds our modules under LangGraph's names."""

    def __init__(self) -> None:
        self.root = ModuleType(REPLACED, "LangGraph's name, under which the modules of streamgraph can be imported.")
        self._set_up_root()

    def _set_up_root(self) -> None:
        spec = self._root_spec()
        self.root.__spec__, self.root.__loader__, self.root.__package__ = spec, spec.loader, REPLACED
        self.root.__path__ = [PATH_ENTRY]

    def _root_spec(self) -> ModuleSpec:
        spec = ModuleSpec(REPLACED, RootLoader(self.root), origin=OURS, is_package=True)
        spec.submodule_search_locations = [PATH_ENTRY]
        return spec

    def find_spec(
        self, fullname: str, path: Optional[Sequence[Union[bytes, str]]] = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        """Find a module, as the import system asks for it.

        Raises:
            MissingModuleError: The name lies below `langgraph.`, and neither we nor the add-ons have it.
        """
        if fullname == REPLACED:
            return self._root_spec()
        if not fullname.startswith(REPLACED + "."):
            return None
        add_on = add_on_of(fullname)
        if add_on is not None:
            if fullname != f"{REPLACED}.{add_on}":
                parent = sys.modules.get(fullname.rpartition(".")[0])
                if not is_own(parent):
                    return None  # Inside an add-on everything is as ever.
            else:
                spec = self._real_add_on(fullname, target)
                if spec is not None:
                    return spec
        if fullname == VERSION:
            return ModuleSpec(VERSION, VersionLoader(), origin=OURS)
        own = own_name(fullname)
        if own is None:
            package = ADD_ONS.get(add_on or "")
            hint = "" if package is None else f"It comes with another package: pip install {package}."
            raise MissingModuleError(fullname, () if package else sorted(siblings(fullname)), hint)
        return _spec_of(fullname, own)

    def _real_add_on(self, fullname: str, target: Optional[ModuleType]) -> Optional[ModuleSpec]:
        path = self.real_path()
        for finder in self._others():
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                return spec
        return None

    def real_path(self) -> List[str]:
        """Return the directories of the real `langgraph`, an empty list if nothing of it is installed."""
        for finder in self._others():
            spec = finder.find_spec(REPLACED, None)
            if spec is not None and spec.submodule_search_locations is not None:
                found = [entry for entry in spec.submodule_search_locations if entry != PATH_ENTRY]
                if found:
                    return found
        return []

    def _others(self) -> Iterator[_SpecFinder]:
        return (finder for finder in list(sys.meta_path) if finder is not self and hasattr(finder, "find_spec"))


class PathEntry(PathEntryFinder):
    """Answers those who look into `langgraph.__path__`; made by `sys.path_hooks`.

    Args:
        finder: What knows the modules.
    """

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    def find_spec(self, fullname: str, target: Optional[ModuleType] = None) -> Optional[ModuleSpec]:
        """Find a module right below `langgraph`."""
        return self._finder.find_spec(fullname, None, target)

    def iter_modules(self, prefix: str = "") -> Iterator[Tuple[str, bool]]:
        """Yield the names of the modules right below `langgraph`, and whether each is a package, for `pkgutil`."""
        for top in sorted(own_tops()):
            spec = self._finder.find_spec(f"{REPLACED}.{top}")
            if spec is not None and isinstance(spec.loader, (SameModuleLoader, VersionLoader)):
                yield prefix + top, spec.submodule_search_locations is not None


class PathHook:
    """Makes the finder of `langgraph.__path__`, and refuses every other path entry.

    Args:
        finder: What knows the modules.
    """

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    def __call__(self, entry: str) -> PathEntry:
        """Return the finder of a path entry.

        Raises:
            ImportError: The entry is not ours.
        """
        if entry != PATH_ENTRY:
            raise ImportError("This is the hook of streamgraph.replacing", path=entry)
        return PathEntry(self._finder)


def is_own(module: Optional[ModuleType]) -> bool:
    """Return whether a module is one of this package."""
    name = getattr(module, "__name__", "")
    return name == OURS or str(name).startswith(OURS + ".")


def _spec_of(fullname: str, own: str) -> ModuleSpec:
    found = importlib.util.find_spec(own)
    spec = ModuleSpec(fullname, SameModuleLoader(own), origin=None if found is None else found.origin)
    if found is not None and found.submodule_search_locations is not None:
        spec.submodule_search_locations = list(found.submodule_search_locations)
    return spec
