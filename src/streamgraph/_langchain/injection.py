"""Parameters that a node's function gets by their names."""

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
    """What one task has to offer its function.

    Args:
        config: The config it runs with.
        scope: The task.
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

    Args:
        function: The function.
        skip: How many of its first parameters get something else.
        error: Whether it handles an error, and gets that as well.

    Only the name counts, not the annotation: an annotation may be a string, an alias or missing, and a
    parameter that is silently left out is hard to find.
    """
    parameters = parameters_of(function) or ()
    # What a partial has bound already is the user's.
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
            arguments[name] = None  # what a functional workflow returned last; a graph has no such thing
    return arguments
