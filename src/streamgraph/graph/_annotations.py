"""Read schemas and targets from the annotations of node and branch functions."""

from __future__ import annotations

import inspect
import typing
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Sequence

from langchain_core.runnables import Runnable, RunnableLambda
from typing_extensions import Literal, get_args, get_origin, get_type_hints

from streamgraph._compat.langgraph import with_peer
from streamgraph._langchain.callables import RunnableCallable
from streamgraph._langchain.signatures import parameters_of
from streamgraph._types import Command

# Another object in typing_extensions than in typing on Python 3.9.
_LITERALS = (Literal, typing.Literal)


def first_hint(target: object) -> Any:
    """Return the annotation of the parameter that receives the state, or `None` if it cannot be read."""
    function = _function_of(target)
    if function is None:
        return None
    parameters = parameters_of(function)
    return _hints(function).get(parameters[0].name) if parameters else None


def literal_results(target: object) -> Optional[Sequence[str]]:
    """Return the names in the return annotation `Literal[...]`, or `None` if the annotation is a different one."""
    function = _function_of(target)
    result = _hints(function).get("return") if function is not None else None
    return get_args(result) if _origin(result) in _LITERALS else None


def goto_results(target: object) -> Sequence[str]:
    """Return the names in the return annotation `Command[Literal[...]]`, alone or in a union; also of LangGraph's."""
    function = _function_of(target)
    result = _hints(function).get("return") if function is not None else None
    names: List[str] = []
    commands = with_peer(Command, "langgraph.types")
    for option in (result, *get_args(result)):
        if isinstance(_origin(option), type) and issubclass(_origin(option), commands):
            names += [name for item in get_args(option) if _origin(item) in _LITERALS for name in get_args(item)]
    return names


def _origin(hint: object) -> Any:
    return get_origin(hint)  # as Any: mypy's return type is too narrow to compare with special forms


def _function_of(target: Any) -> Optional[Callable[..., Any]]:
    """Return the function that carries the annotations of a node or branch."""
    if isinstance(target, partial):
        return _function_of(target.func)
    if isinstance(target, (RunnableLambda, RunnableCallable)):
        function = getattr(target, "func", None) or getattr(target, "afunc", None)
        return None if function is None else _function_of(function)
    if isinstance(target, Runnable) or not callable(target):
        return None
    if inspect.isroutine(target):
        return target
    return type(target).__call__.__get__(target)  # type: ignore[no-any-return]


def _hints(function: Callable[..., object]) -> Dict[str, Any]:
    try:
        return dict(get_type_hints(function, include_extras=True))
    except Exception:
        # A hint that cannot be evaluated here (a name from inside a function, X | Y on Python 3.9) is treated as
        # missing: the node gets the whole state.
        return {}
