"""Injection of a node function's parameters by name."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Callable, Dict, Tuple, cast

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import RunnableConfig

from streamgraph._langchain.runtime import runtime_of
from streamgraph._langchain.scope import Scope
from streamgraph._langchain.signatures import parameters_of

_NAMES = ("config", "writer", "runtime", "store", "previous")


class Invocation:
    """Config and scope of one task, passed along with its input.

    Args:
        config: The config of the task.
        scope: The scope of the task.
    """

    __slots__ = ("config", "scope")

    def __init__(self, config: RunnableConfig, scope: Scope) -> None:
        self.config = config
        self.scope = scope

    @property
    def is_heard(self) -> bool:
        """Whether a callback handler listens to what runs in the task."""
        return bool(cast("BaseCallbackManager", self.config["callbacks"]).handlers)


def injected_names(function: Callable[..., object], *, skip: int = 1, error: bool = False) -> Tuple[str, ...]:
    """Return the parameters of `function`, after the first, that are filled in by name.

    Only the name counts, not the annotation: an annotation may be a string, an alias or missing, and a parameter that
    is silently left out is hard to find.

    Args:
        function: The function.
        skip: The number of leading parameters that are passed otherwise.
        error: True for an error handler, whose parameter `error` is filled in as well.
    """
    parameters = parameters_of(function) or ()
    # Arguments bound by a partial take precedence.
    bound = function.keywords if isinstance(function, partial) else {}
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return tuple(
        parameter.name
        for parameter in parameters[skip:]
        if (parameter.name in _NAMES or (error and parameter.name == "error"))
        and parameter.kind in kinds
        and parameter.name not in bound
    )


def injected(names: Tuple[str, ...], invocation: Invocation) -> Dict[str, object]:
    """Return the arguments for `names`."""
    scope = invocation.scope
    arguments: Dict[str, object] = {}
    for name in names:
        if name == "config":
            arguments[name] = invocation.config
        elif name == "writer":
            arguments[name] = scope.write
        elif name == "runtime":
            arguments[name] = runtime_of(scope)
        elif name == "store":
            arguments[name] = scope.run.store
        elif name == "error":
            arguments[name] = scope.task.error
        else:
            arguments[name] = scope.run.previous
    return arguments
