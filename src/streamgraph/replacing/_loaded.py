"""What of the real LangGraph is loaded, and who uses it."""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType
from typing import AbstractSet, List, Optional

from streamgraph.replacing._finder import is_own
from streamgraph.replacing._names import OURS, add_on_of, is_below


def real_modules() -> List[str]:
    """Return the names of the modules of LangGraph that are loaded, without `langgraph` itself and without the add-ons.

    `langgraph` alone is an empty namespace package, which loading a saver is enough to import.
    """
    return [
        name
        for name, module in list(sys.modules.items())
        if "." in name and is_below(name) and add_on_of(name) is None and module is not None and not is_own(module)
    ]


def importers_of(names: AbstractSet[str]) -> List[str]:
    """Return the modules that use any of the modules in `names`, in the order in which they were imported.

    Args:
        names: The names of modules of LangGraph; `import langgraph.graph` uses `langgraph` itself.
    """
    return [
        name
        for name, module in list(sys.modules.items())
        if not is_below(name) and name.partition(".")[0] != OURS and _uses(module, names)
    ]


def _uses(module: Optional[ModuleType], names: AbstractSet[str]) -> bool:
    # Only the types of values are looked at: proxies may do anything when they are asked for an attribute.
    if not issubclass(type(module), ModuleType):
        return False
    return any(_origin(value) in names for value in list(vars(module).values()))


def _origin(value: object) -> Optional[object]:
    kind = type(value)
    if issubclass(kind, ModuleType):
        return vars(value).get("__name__")
    if kind is FunctionType:
        return getattr(value, "__module__", None)
    return vars(value).get("__module__") if issubclass(kind, type) else None
