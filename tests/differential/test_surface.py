"""LangGraph's public modules, names, attributes and parameters are here as well, or are listed with a reason.

Left out are the packages of savers, stores and caches, which live under `langgraph.` and stay their own.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import warnings
from types import ModuleType
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

import langgraph
import pytest

from differential.surface import MISSING

OWN_PACKAGES = ("langgraph.checkpoint", "langgraph.store", "langgraph.cache")

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

NOTHING: Any = object()


def peer_modules() -> List[str]:
    """The public modules of the installed LangGraph, langgraph-prebuilt included."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the walk imports packages, and some of them warn
        found = [module.name for module in pkgutil.walk_packages(langgraph.__path__, "langgraph.", onerror=_raise)]
    return sorted(
        name
        for name in found
        if not name.startswith(OWN_PACKAGES) and not any(part.startswith("_") for part in name.split("."))
    )


def _raise(name: str) -> None:
    raise ImportError(name)


def own_name(name: str) -> str:
    return name.replace("langgraph", "streamgraph", 1)


def loaded(name: str) -> Optional[ModuleType]:
    """A module, or `None` if there is none of this name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        return None


def names_of(module: ModuleType) -> List[str]:
    """What a module offers: its `__all__`, else what is made in it, and constants."""
    offered = getattr(module, "__all__", None)
    if offered is not None:
        return list(offered)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and name != "TYPE_CHECKING"
        and not isinstance(value, ModuleType)
        and getattr(value, "__module__", module.__name__) == module.__name__
    ]


def got(holder: object, name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(holder, name, NOTHING)


def attributes_of(cls: type) -> Set[str]:
    """The public attributes that LangGraph gives a class: methods, properties, fields and slots."""
    found: Set[str] = set()
    for base in cls.__mro__:
        if base.__module__.startswith("langgraph"):
            found.update(vars(base))
            found.update(vars(base).get("__annotations__", ()))
    return {name for name in found if not name.startswith("_")}


def has_attribute(cls: type, name: str) -> bool:
    """Whether a class, or its instances, have an attribute."""
    if got(cls, name) is not NOTHING:
        return True
    if any(
        name in vars(base).get("__annotations__", ()) or name in vars(base).get("__slots__", ()) for base in cls.__mro__
    ):
        return True
    if dataclasses.is_dataclass(cls) and name in cls.__dataclass_fields__:
        return True
    if any("__getattr__" in vars(base) for base in cls.__mro__):
        return True  # what its instances have is known when they are made
    # What a constructor of this package sets is documented on the class.
    documented = " ".join(base.__doc__ or "" for base in cls.__mro__ if base.__module__.startswith("streamgraph"))
    return f"{name}:" in documented


def parameters(function: Any) -> Optional[List[inspect.Parameter]]:
    if inspect.isclass(function) and inspect.isfunction(function.__init__) and not issubclass(function, tuple):
        function = function.__init__  # a deprecated class has a `__new__` that takes anything
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [
        parameter for parameter in found if parameter.name not in ("self", "cls") and parameter.kind not in VARIADIC
    ]


def differing(label: str, theirs: Any, ours: Any) -> Iterator[Tuple[str, str]]:
    """The parameters of a callable that ours lacks, or has at another position."""
    expected, known = parameters(theirs), parameters(ours)
    if expected is None or known is None:
        return
    names = [parameter.name for parameter in known]
    for parameter in expected:
        if parameter.name not in names:
            yield f"{label}({parameter.name})", "no such parameter"
    by_position = [parameter.name for parameter in expected if parameter.kind in POSITIONAL]
    own_positions = [parameter.name for parameter in known if parameter.kind in POSITIONAL]
    for position, name in enumerate(by_position):
        if name in names and own_positions[position : position + 1] != [name]:
            yield f"{label}({name})", f"not at position {position}"


def is_method(cls: type, name: str) -> bool:
    """Whether an attribute is a method, not a function that is the default of a field."""
    return inspect.isroutine(got(cls, name)) and name not in getattr(cls, "__dataclass_fields__", ())


def compared(label: str, theirs: Any, ours: Any) -> Iterator[Tuple[str, str]]:
    """What ours lacks of a class or function."""
    if inspect.isclass(theirs) and inspect.isclass(ours):
        for name in sorted(attributes_of(theirs)):
            if not has_attribute(ours, name):
                yield f"{label}.{name}", "no such attribute"
            elif is_method(theirs, name) and callable(got(ours, name)):
                yield from differing(f"{label}.{name}", got(theirs, name), got(ours, name))
    if callable(theirs) and callable(ours):
        yield from differing(label, theirs, ours)


def lacking() -> Dict[str, str]:
    """Everything that this package lacks, with what is wrong."""
    found: Dict[str, str] = {}
    for name in peer_modules():
        theirs, ours = loaded(name), loaded(own_name(name))
        if theirs is None:
            continue
        if ours is None:
            found[name] = "no such module"
            continue
        for item in names_of(theirs):
            label = f"{name}:{item}"
            if got(ours, item) is NOTHING:
                found[label] = "no such name"
            else:
                found.update(compared(label, got(theirs, item), got(ours, item)))
    return found


@pytest.fixture(scope="module")
def found() -> Dict[str, str]:
    return lacking()


def is_listed(label: str) -> bool:
    """Whether an entry names it, its class or its module."""
    module, _, rest = label.partition(":")
    holder = f"{module}:{rest.partition('.')[0]}.*"
    return label in MISSING or module in MISSING or ("." in rest and holder in MISSING)


def test_whatever_langgraph_has_is_here_or_is_listed(found: Dict[str, str]) -> None:
    wrong = {label: what for label, what in found.items() if not is_listed(label)}
    assert wrong == {}


def test_the_list_names_only_what_is_not_here(found: Dict[str, str]) -> None:
    """Entries about what the installed LangGraph does not have either say nothing; those about what is here are old."""
    modules = set(peer_modules())
    outdated = []
    for entry in MISSING:
        module = entry.split(":")[0]
        if entry.endswith(".*"):
            needed = any(label.startswith(entry[:-1]) for label in found)
        else:
            needed = entry in found or _absent_there(entry)
        if module in modules and not needed:
            outdated.append(entry)
    assert outdated == []


def _absent_there(entry: str) -> bool:
    """Whether the installed LangGraph itself does not have what an entry is about."""
    module, _, rest = entry.partition(":")
    holder: Any = loaded(module)
    path, _, parameter = rest.partition("(")
    for name in path.split(".") if path else ():
        if inspect.isclass(holder) and name not in attributes_of(holder):
            return True
        holder = got(holder, name)
        if holder is NOTHING:
            return True
    if not parameter:
        return False
    return parameter[:-1] not in [known.name for known in parameters(holder) or ()]


@pytest.mark.parametrize("reason", sorted(set(MISSING.values())))
def test_a_reason_is_given(reason: str) -> None:
    assert len(reason.split()) > 5
