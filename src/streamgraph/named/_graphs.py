"""Finding what a command line names: a graph, several, or a function that makes them."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Dict, Mapping, Tuple

from streamgraph.errors import UnknownOptionError
from streamgraph.pregel import Pregel

_loaded: Dict[Path, ModuleType] = {}
"""The modules of files: a file is executed once, like a module, so that its classes are the same for all."""

_locks: Dict[Path, RLock] = {}
"""Held while a file is executed, so that no other thread gets a part of it."""


def load_graphs(target: str) -> Dict[str, Pregel]:
    """Return the graphs that a target names.

    Args:
        target: `PATH:NAME` or `MODULE:NAME`. Under the name is a graph, which gets this name; a dict of
            graphs; or a function without arguments that returns one of these. Without a name: the only graph in the
            module.

    Raises:
        UnknownOptionError: There is no such module or name, or no graph under it.
    """
    place, name = split_target(target)
    if name:
        return _graphs(load_object(target), name, target)
    found = {key: value for key, value in vars(_module(place)).items() if isinstance(value, Pregel)}
    if len(found) == 1:
        return found
    names = ", ".join(sorted(found)) or "none"
    raise UnknownOptionError(f"{place} has not one graph, but {names}", hint=f"Say which: {place}:NAME.")


def load_object(target: str) -> object:
    """Return what a target names.

    Args:
        target: `PATH:NAME` or `MODULE:NAME`.

    Raises:
        UnknownOptionError: There is no such module or name, or the target has no name.
    """
    place, name = split_target(target)
    if not name:
        raise UnknownOptionError(f"{target!r} does not say what is meant in it", hint=f"Say it: {place}:NAME.")
    module = _module(place)
    try:
        return vars(module)[name]
    except KeyError:
        public = tuple(key for key in vars(module) if not key.startswith("_"))
        raise UnknownOptionError(f"{place} has no {name!r}", name=name, known=public) from None


def split_target(target: str) -> Tuple[str, str]:
    """Return the path or module of a target, and the name in it; a colon after a drive's letter is part of a path."""
    place, colon, name = target.rpartition(":")
    if colon and name.isidentifier() and len(place) > 1:
        return place, name
    return target, ""


def _module(place: str) -> ModuleType:
    path = Path(place)
    if path.suffix == ".py" or path.is_file():
        return _module_at(path)
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not (place == error.name or place.startswith(f"{error.name}.")):
            raise  # the module is there, and one that it imports is not
        raise UnknownOptionError(f"There is no module {place!r}", hint="Give a module or the path of a file.") from None


def _module_at(path: Path) -> ModuleType:
    if not path.is_file():
        raise UnknownOptionError(f"There is no file {str(path)!r}", hint="Give a module or the path of a file.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UnknownOptionError(f"{str(path)!r} is no Python file", hint="Give a module or the path of a file.")
    key = path.resolve()
    with _locks.setdefault(key, RLock()):
        before = sys.modules.get(path.stem)
        if before is not None and _loaded.get(key) is before:
            return before
        module = importlib.util.module_from_spec(spec)
        # As when it is run as a program: what lies beside it can be imported, and classes in it are found by their
        # module.
        if str(key.parent) not in sys.path:
            sys.path.insert(0, str(key.parent))
        sys.modules[path.stem] = _loaded[key] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del _loaded[key], sys.modules[path.stem]
            if before is not None:
                sys.modules[path.stem] = before
            raise
        return module


def _graphs(value: object, name: str, target: str) -> Dict[str, Pregel]:
    if isinstance(value, Pregel):
        return {name: value}
    if isinstance(value, Mapping):
        for key, graph in value.items():
            if not isinstance(key, str) or not isinstance(graph, Pregel):
                raise UnknownOptionError(f"{target} has {graph!r:.100} under {key!r}, which is no graph")
        return dict(value)
    if inspect.isroutine(value):
        return _graphs(value(), name, f"{target}()")
    hint = "Compile it first." if hasattr(value, "compile") else "Give a graph, a dict of graphs, or a function."
    raise UnknownOptionError(f"{target} is {value!r:.100}, which is no graph", hint=hint)
