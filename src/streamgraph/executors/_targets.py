"""What a worker runs, by reference: `module:name`, or `module:name()` for a function that makes it."""

from __future__ import annotations

import importlib
import re
from typing import Callable, Dict, Tuple

from streamgraph._langchain.nodes import is_node_like
from streamgraph.errors import UnknownOptionError

_REFERENCE = re.compile(r"([\w.]+):([A-Za-z_][\w.]*)(\(\))?")


def checked_reference(target: object) -> Tuple[str, str, bool]:
    """Return the module and the name of a reference, and whether the name is that of a factory.

    Raises:
        UnknownOptionError: It is none, or names something in the program's main file.
    """
    match = _REFERENCE.fullmatch(target) if isinstance(target, str) else None
    if match is None:
        raise UnknownOptionError(
            f"A node that runs elsewhere is named by a reference, but this is {target!r:.100}",
            hint='Give "module:name", or "module:make()" for a function that makes it; the worker imports the module.',
        )
    module, name, called = match.groups()
    if module == "__main__":
        raise UnknownOptionError(
            f"{target!r} is in the main file of the program, which a worker cannot import",
            hint="Move it to a module of its own.",
        )
    return module, name, bool(called)


def loaded(target: str) -> object:
    """Return what a reference names: a function, a Runnable or a compiled graph.

    Raises:
        UnknownOptionError: There is no such name, or what it names cannot be a node.
    """
    module, name, called = checked_reference(target)
    found: object = importlib.import_module(module)
    for part in name.split("."):
        if not hasattr(found, part):
            public = tuple(key for key in dir(found) if not key.startswith("_"))
            raise UnknownOptionError(f"{target} names nothing: there is no {part!r}", name=part, known=public)
        found = getattr(found, part)
    if called:
        make = found
        if not callable(make):
            raise UnknownOptionError(f"{target} is {make!r:.100}, which cannot be called", hint="Leave () out.")
        found = make()
    compiles = getattr(found, "compile", None)
    if not is_node_like(found) and callable(compiles):
        found = compiles()
    if not is_node_like(found):
        raise UnknownOptionError(
            f"{target} is {found!r:.100}, which cannot be a node", hint="Name a function, a Runnable or a graph."
        )
    return found


class Targets:
    """What was loaded, once for each reference and process.

    Args:
        load: Loads what a reference names.
    """

    def __init__(self, load: Callable[[str], object] = loaded) -> None:
        self._load = load
        self._known: Dict[str, object] = {}

    def __getitem__(self, target: str) -> object:
        if target not in self._known:
            self._known[target] = self._load(target)
        return self._known[target]
