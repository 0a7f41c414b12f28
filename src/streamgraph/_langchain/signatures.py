"""Cached parameters of functions; building and compiling a graph read them several times."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Callable, Optional, Tuple
from weakref import WeakKeyDictionary

_known: WeakKeyDictionary[FunctionType, Tuple[inspect.Parameter, ...]] = WeakKeyDictionary()


def parameters_of(function: Callable[..., object]) -> Optional[Tuple[inspect.Parameter, ...]]:
    """Return the parameters of a callable, or `None` if it has no signature, as with some builtins."""
    # Other callables are not cached: they may be new objects at each access, as bound methods are, or mutable.
    plain = function if type(function) is FunctionType else None
    parameters = None if plain is None else _known.get(plain)
    if parameters is None:
        try:
            parameters = tuple(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            return None
        if plain is not None:
            _known[plain] = parameters
    return parameters
