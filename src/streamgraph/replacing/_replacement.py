"""Putting this package in the place of `langgraph`, and taking it away again."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from types import ModuleType, TracebackType
from typing import Dict, List, Optional, Type, TypeVar

from streamgraph.replacing._errors import ReplacedTooLateError
from streamgraph.replacing._finder import PATH_ENTRY, Finder, PathHook, is_own
from streamgraph.replacing._loaded import importers_of, real_modules
from streamgraph.replacing._names import ADD_ONS, REPLACED, VERSION, add_on_of, is_below


class Replacement:
    """What `replace_langgraph()` returns: a way to take that call back.

    Use it as a context manager, or call `undo`.
    """

    def __init__(self) -> None:
        self._taken_back = False

    @property
    def active(self) -> bool:
        """Whether `langgraph` is replaced because of this call."""
        return not self._taken_back

    def undo(self) -> None:
        """Take the call back. With the last of several calls, `langgraph` is the real one again.

        A second `undo` has no effect. Libraries that were imported meanwhile keep what they have imported.
        """
        with _LOCK:
            if not self._taken_back:
                self._taken_back = True
                _open.remove(self)
                if not _open:
                    _take_away()

    def __enter__(self) -> Replacement:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.undo()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of langgraph, {'active' if self.active else 'undone'}>"


def replace_langgraph() -> Replacement:
    """Have libraries that import `langgraph` by name run on this package.

    Call it before anything of LangGraph is imported, for example in the first line of a program. It holds for all
    threads of the process; a process that is started anew needs its own call. Calling it again has no further effect,
    and each call can be taken back by itself.

    Returns:
        A handle whose `undo()` takes the call back; also a context manager.

    Raises:
        ReplacedTooLateError: Modules of the real LangGraph are loaded already. Savers, stores and caches of the
            packages `langgraph-checkpoint*` may be.
    """
    with _LOCK:
        if not _open:
            _put_in_place()
        replacement = Replacement()
        _open.append(replacement)
        return replacement


def restore_langgraph() -> None:
    """Take back all calls of `replace_langgraph()`: `langgraph` is the real one again, if it is installed.

    Without such a call nothing happens. Libraries that were imported meanwhile keep what they have imported.
    """
    with _LOCK:
        for replacement in list(_open):
            replacement.undo()


class _InPlace:
    """What was put in place, and what was there before.

    Attributes:
        finder: The finder at the front of `sys.meta_path`.
        hook: The hook in `sys.path_hooks`.
        before: What was in `sys.modules` under names that we have taken.
    """

    def __init__(self) -> None:
        self.finder = Finder()
        self.hook = PathHook(self.finder)
        self.before: Dict[str, Optional[ModuleType]] = {}


Item = TypeVar("Item")

_LOCK = threading.RLock()
_open: List[Replacement] = []
_in_place: List[_InPlace] = []


def _put_in_place() -> None:
    _refuse_if_late()
    placed = _InPlace()
    modules: Dict[str, Optional[ModuleType]] = sys.modules  # type: ignore[assignment]  # None bars an import
    # Entries of None keep modules from being imported; what they kept away is the real LangGraph.
    for name in [name for name in list(modules) if is_below(name) and add_on_of(name) is None]:
        placed.before[name] = modules.pop(name)
    sys.path_hooks.append(placed.hook)
    sys.meta_path.insert(0, placed.finder)
    if placed.before.get(REPLACED) is not None or _loaded_add_ons():
        modules[REPLACED] = placed.finder.root
        _hang_add_ons_on(placed.finder.root)
    _in_place.append(placed)


def _refuse_if_late() -> None:
    loaded = real_modules()
    if loaded:
        raise ReplacedTooLateError(sorted(loaded), importers_of({REPLACED, *loaded}))


def _take_away() -> None:
    placed = _in_place.pop()
    modules: Dict[str, Optional[ModuleType]] = sys.modules  # type: ignore[assignment]  # as above
    _remove_identical(sys.meta_path, placed.finder)
    _remove_identical(sys.path_hooks, placed.hook)
    sys.path_importer_cache.pop(PATH_ENTRY, None)
    for name in [name for name in list(modules) if is_below(name)]:
        if modules[name] is placed.finder.root or is_own(modules[name]) or name == VERSION:
            del modules[name]
    for name, module in placed.before.items():
        modules.setdefault(name, module)
    _give_add_ons_their_parent(modules)


def _give_add_ons_their_parent(modules: Dict[str, Optional[ModuleType]]) -> None:
    # Add-ons that were loaded meanwhile stay loaded: they are not ours, and a second copy of their classes would not
    # fit the objects that exist. So the package above them has to be there as well.
    if _loaded_add_ons():
        if REPLACED not in modules and importlib.util.find_spec(REPLACED) is not None:
            importlib.import_module(REPLACED)
        root = modules.get(REPLACED)
        if root is not None:
            _hang_add_ons_on(root)


def _loaded_add_ons() -> Dict[str, ModuleType]:
    found = {add_on: sys.modules.get(f"{REPLACED}.{add_on}") for add_on in ADD_ONS}
    return {add_on: module for add_on, module in found.items() if module is not None and not is_own(module)}


def _hang_add_ons_on(root: ModuleType) -> None:
    for add_on, module in _loaded_add_ons().items():
        setattr(root, add_on, module)


def _remove_identical(items: List[Item], item: object) -> None:
    items[:] = [other for other in items if other is not item]
