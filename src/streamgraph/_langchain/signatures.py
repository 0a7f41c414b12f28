"""The parameters of functions, looked up once: building and compiling a graph ask for them several times."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Callable, Optional, Tuple
from weakref import WeakKeyDictionary

_known: WeakKeyDictionary[FunctionType, Tuple[inspect.Parameter, ...]] = WeakKeyDictionary()


def parameters_of(function: Callable[..., object]) -> Optional[Tuple[inspect.Parameter, ...]]:
    """Return the parameters of something callable, or `None` if it has no signature, as some builtins have none."""
    # Other callables are made anew whenever they are asked for, as bound methods are, or can be changed.
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
