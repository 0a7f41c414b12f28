"""Which module of ours a name below `langgraph.` stands for, and which names belong to other packages."""

from __future__ import annotations

import importlib.util
import pkgutil
import sys
from typing import Iterator, Mapping, Optional

import streamgraph

REPLACED = "langgraph"
OURS = "streamgraph"

ADD_ONS: Mapping[str, str] = {
    "cache": "langgraph-checkpoint",
    "checkpoint": "langgraph-checkpoint",
    "store": "langgraph-checkpoint",
}
"""What other distributions put below `langgraph.`, and the first of those that has it."""

VERSION = f"{REPLACED}.version"
"""The module that answers with LangGraph's version, not with ours."""

_PRIVATE = "_internal"
"""The one private folder that libraries import from, and the only one that is shown to them."""

_NOT_LANGGRAPHS = frozenset(
    {"accumulate", "executors", "named", "pytest_plugin", "replacing", "runs", "serialization", "terminal", "testing"}
    | {"watching"}
)
"""Public modules of this package that LangGraph does not have: a library that looks for one does not mean ours."""


def add_on_of(name: str) -> Optional[str]:
    """Return the add-on, a key of `ADD_ONS`, that a full module name lies in, or `None`."""
    levels = name.split(".")
    return levels[1] if len(levels) > 1 and levels[0] == REPLACED and levels[1] in ADD_ONS else None


def is_below(name: str) -> bool:
    """Return whether a full module name is `langgraph` or lies below it."""
    return name == REPLACED or name.startswith(REPLACED + ".")


def own_name(name: str) -> Optional[str]:
    """Return the name of our module that `name`, below `langgraph.`, stands for, or `None` if we have none.

    Parents of the module are imported, as `importlib.util.find_spec` does; the module itself is not.
    """
    top, _, rest = name[len(REPLACED) + 1 :].partition(".")
    if not _is_shown(top):
        return None
    own = f"{OURS}.{top}.{rest}" if rest else f"{OURS}.{top}"
    if own in sys.modules:
        return own
    return own if importlib.util.find_spec(own) is not None else None


def siblings(name: str) -> Iterator[str]:
    """Yield the full names below `langgraph.` that we have beside `name`."""
    parent = name.rpartition(".")[0]
    if parent == REPLACED:
        yield from (f"{REPLACED}.{top}" for top in own_tops())
        return
    package = sys.modules.get(parent)
    for found in pkgutil.iter_modules(getattr(package, "__path__", None) or []):
        if not found.name.startswith("_"):
            yield f"{parent}.{found.name}"


def own_tops() -> Iterator[str]:
    """Yield the names right below `langgraph.` for which we have a public module."""
    for found in pkgutil.iter_modules(streamgraph.__path__):
        if _is_shown(found.name) and found.name != _PRIVATE:
            yield found.name
    yield from () if importlib.util.find_spec(f"{OURS}.version") else ("version",)


def _is_shown(top: str) -> bool:
    return top == _PRIVATE or not (top.startswith("_") or top in _NOT_LANGGRAPHS)
