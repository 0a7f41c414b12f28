"""Convert functions, Runnables and dicts of these to actions."""

from __future__ import annotations

import functools
import inspect
from abc import abstractmethod
from typing import Any, Awaitable, Callable, Dict, Optional, Sequence, Tuple, TypeVar

from langchain_core.runnables import (
    Runnable,
    RunnableBinding,
    RunnableParallel,
)
from langchain_core.runnables.utils import accepts_config
from typing_extensions import Self

from streamgraph._compat.langchain_core import is_async_only, lambda_functions
from streamgraph._core.action import Action
from streamgraph._langchain.generator_nodes import async_generator_action, generator_action
from streamgraph._langchain.injection import Invocation, injected, injected_names
from streamgraph._langchain.signatures import parameters_of

F = TypeVar("F", bound="Callable[..., object]")

AnyRunnable = Runnable[Any, Any]
"""A Runnable of the user, with any input and output."""

Arguments = Tuple[Tuple[Any, ...], Dict[str, Any]]
"""The positional and keyword arguments of a call."""


class NodeRunnable(AnyRunnable):
    """A Runnable that says itself how it is called as a node or branch."""

    tags: Optional[Sequence[str]] = None
    """Tags for everything that runs in it."""

    @property
    def bound(self) -> Self:
        """The Runnable itself: in LangGraph a node of a compiled graph is a wrapper with this attribute."""
        return self

    @abstractmethod
    def node_action(self, *, error: bool = False) -> Action:
        """Return its action; the arguments are the input and an `Invocation`.

        Args:
            error: True for an error handler, whose parameter `error` is filled in as well.
        """


def is_node_like(target: object) -> bool:
    """Return whether `target` can be a node or a branch: a callable, a Runnable, or a dict of these."""
    if isinstance(target, dict):
        return bool(target) and all(map(is_node_like, target.values()))
    return callable(target) or isinstance(target, Runnable)


def takes_no_input(target: Any) -> bool:
    """Return whether `target` is a function without a positional parameter for the state."""
    if isinstance(target, (Runnable, dict)):
        return False
    parameters = parameters_of(target)
    named_only = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    return parameters is not None and all(parameter.kind in named_only for parameter in parameters)


def name_of(target: object) -> Optional[str]:
    """Return the default name of a node, or `None` for a dict."""
    if isinstance(target, Runnable):
        return target.get_name()
    if isinstance(target, functools.partial):
        return name_of(target.func)
    name = getattr(target, "__name__", None)
    return name if isinstance(name, str) else None if isinstance(target, dict) else type(target).__name__


def bound_config(target: object) -> Tuple[Tuple[str, ...], Dict[str, object]]:
    """Return the tags and metadata bound to a node with `with_config`.

    They apply to everything in the node. langchain-core passes them on, but before version 1.0 and Python 3.11 not to
    calls in an async function.
    """
    tags: Tuple[str, ...] = ()
    metadata: Dict[str, object] = {}
    while isinstance(target, RunnableBinding):
        tags = (*(target.config.get("tags") or ()), *tags)
        metadata = {**(target.config.get("metadata") or {}), **metadata}
        target = target.bound
    if isinstance(target, NodeRunnable):
        tags = (*(target.tags or ()), *tags)
    return tags, metadata


def identity_of(target: object) -> str:
    """Return a name that identifies a node's function in any process; `"__dynamic__"` for other objects."""
    name = getattr(target, "__qualname__", None)
    return f"{getattr(target, '__module__', None)}.{name}" if isinstance(name, str) else "__dynamic__"


def as_action(target: Any, *, error: bool = False) -> Action:
    """Return the action of a node; its arguments are the input and an `Invocation`.

    A function's known parameters are filled in by name, a Runnable gets the config, and a dict becomes a
    `RunnableParallel`.

    Args:
        target: The node.
        error: True for an error handler, whose parameter `error` is filled in as well.
    """
    if isinstance(target, dict):
        target = RunnableParallel(target)
    if isinstance(target, NodeRunnable):
        return target.node_action(error=error)
    if isinstance(target, Runnable):
        return runnable_action(target)
    names = injected_names(target, error=error)
    kind = kind_of(target)
    if kind == "generator":
        return generator_action(target, names)
    if kind == "async generator":
        return async_generator_action(target, names)
    action = _plain_call(target) if not names else _injecting_call(target, names)
    if kind == "coroutine":
        return Action(None, action)
    return Action(action, _inline(action) if getattr(target, "runs_inline", False) else None)


def runs_inline(function: F) -> F:
    """Mark a sync function that returns at once, so that an async run calls it on the loop instead of in a thread."""
    function.runs_inline = True  # type: ignore[attr-defined]
    return function


def _inline(function: Callable[[object, Invocation], object]) -> Callable[[object, Invocation], Awaitable[object]]:
    async def call(value: object, invocation: Invocation) -> object:
        return function(value, invocation)

    return call


def as_call(function: Callable[..., object]) -> Action:
    """Return the action of a function with any signature; its arguments are `(args, kwargs)` and an `Invocation`.

    Parameters that are injected into nodes are injected here as well if the caller omits them.
    """
    target: object = function
    if isinstance(target, Runnable):
        return _runnable_call(target)
    names = injected_names(function, skip=0)
    signature = inspect.signature(function) if names else None

    def call(given: Arguments, invocation: Invocation) -> Any:
        args, kwargs = given
        if signature is None:
            return function(*args, **kwargs)
        bound = signature.bind_partial(*args, **kwargs).arguments
        return function(*args, **kwargs, **injected(tuple(name for name in names if name not in bound), invocation))

    return Action(None, call) if kind_of(function) == "coroutine" else Action(call, None)


def _runnable_call(runnable: AnyRunnable) -> Action:
    sync, asyn = as_action(runnable)

    def call(given: Arguments, invocation: Invocation) -> object:
        assert sync is not None
        return sync(*given[0], invocation)

    def acall(given: Arguments, invocation: Invocation) -> Awaitable[object]:
        assert asyn is not None
        return asyn(*given[0], invocation)

    return Action(None if sync is None else call, acall)


def _plain_call(function: Callable[..., Any]) -> Callable[[object, Invocation], Any]:
    def call(value: object, invocation: Invocation) -> object:
        return function(value)

    return call


def _injecting_call(function: Callable[..., Any], names: Tuple[str, ...]) -> Callable[[object, Invocation], Any]:
    def call(value: object, invocation: Invocation) -> object:
        return function(value, **injected(names, invocation))

    return call


def runnable_action(runnable: AnyRunnable) -> Action:
    """Return the action of a Runnable: its `invoke` and `ainvoke`, or its function alone where nobody listens."""
    sync, asyn = lambda_functions(runnable)
    takes_config = [function is not None and accepts_config(function) for function in (sync, asyn)]

    def invoke(value: object, invocation: Invocation) -> object:
        config = invocation.config
        if sync is None or invocation.is_heard:
            return runnable.invoke(value, config)
        result = sync(value, config=config) if takes_config[0] else sync(value)
        return result.invoke(value, config) if isinstance(result, Runnable) else result

    async def ainvoke(value: object, invocation: Invocation) -> object:
        config = invocation.config
        if asyn is None or invocation.is_heard:
            return await runnable.ainvoke(value, config)
        result = await (asyn(value, config=config) if takes_config[1] else asyn(value))
        return await result.ainvoke(value, config) if isinstance(result, Runnable) else result

    return Action(None if is_async_only(runnable) else invoke, ainvoke)


def kind_of(target: object) -> str:
    """Return the kind of a callable: plain, coroutine, generator or async generator."""
    while isinstance(target, functools.partial):
        target = target.func
    for function in (target, getattr(target, "__call__", None)):  # noqa: B004  (its kind is asked, not its presence)
        if inspect.iscoroutinefunction(function):
            return "coroutine"
        if inspect.isgeneratorfunction(function):
            return "generator"
        if inspect.isasyncgenfunction(function):
            return "async generator"
    return "plain"
