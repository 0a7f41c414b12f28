"""Functions whose calls are tasks of a run, and the types of the `task` decorator."""

from __future__ import annotations

import functools
import inspect
from datetime import timedelta
from typing import Any, Awaitable, Callable, Dict, Generic, Optional, Sequence, Union, overload

from langchain_core.runnables import Runnable
from typing_extensions import Concatenate, ParamSpec, Protocol, Self, TypedDict, TypeVar

from streamgraph._core.plan import Node
from streamgraph._drivers.futures import TaskFuture
from streamgraph._execution.cache import Cache
from streamgraph._langchain.nodes import Arguments, as_call, identity_of, name_of
from streamgraph._langchain.scope import current_scope
from streamgraph._policies import CachePolicy, Policies, RetryPolicy, TimeoutPolicy

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")

Retry = Union[RetryPolicy, Sequence[RetryPolicy], None]
Timeout = Union[float, timedelta, TimeoutPolicy, None]


class TaskKeywords(TypedDict, total=False):
    """The options of `task`."""

    name: Optional[str]
    """Name in streams and traces; by default the function's own."""
    retry_policy: Retry
    """When to retry a call after a failure."""
    cache_policy: Optional[CachePolicy]
    """Store results in the `cache` of the entrypoint or graph."""
    timeout: Timeout
    """Limit of one attempt: seconds, a `timedelta` or a `TimeoutPolicy`."""


class TaskFunction(Generic[P, R]):
    """A function whose calls inside a run are tasks of the run; created by `task`.

    Args:
        func: The function.
        name: The name in streams and traces; by default the function's own.
        policies: The retry, cache and timeout policies.

    Attributes:
        task_node: The node that the tasks belong to.
    """

    def __init__(self, func: Callable[P, Any], *, name: Optional[str] = None, policies: Policies = Policies()) -> None:  # noqa: B008
        self.func = func
        functools.update_wrapper(self, func, updated=())
        self.name = name or name_of(getattr(func, "func", None) or func) or type(func).__name__
        self.task_node = Node(
            self.name,
            action=as_call(func),
            triggers=(),
            policies=policies,
            cache_name=identity_of(func),
            shown=self._arguments,
            kind="task",
        )

    def __repr__(self) -> str:
        return f"task({self.name!r})"

    def _arguments(self, given: Arguments) -> Dict[str, object]:
        """Return the arguments of a call by name, for traces."""
        args, kwargs = given
        try:
            return dict(inspect.signature(self.func).bind_partial(*args, **kwargs).arguments)
        except (TypeError, ValueError):
            return {"args": args, "kwargs": kwargs}  # no signature, or invalid arguments, which the call will refuse

    @overload
    def __get__(self, instance: None, owner: Optional[type] = None) -> Self: ...

    @overload
    def __get__(
        self: TaskFunction[Concatenate[S, Q], R], instance: S, owner: Optional[type] = None
    ) -> Callable[Q, TaskFuture[R]]: ...

    def __get__(self, instance: Any, owner: Optional[type] = None) -> object:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskFuture[R]:
        """Start the function as a task of the current run.

        Returns:
            A future of the function's result. In sync code, `result()` waits for it; in async code it is an asyncio
            future, which can be awaited, gathered or cancelled.

        Raises:
            RuntimeError: The call is made outside of a run, or after its end.
        """
        scope = current_scope()
        if scope is None:
            raise RuntimeError(
                f"The task {self.name!r} was called outside of a run; "
                "call it in an @entrypoint, a node or a tool, or call its .func for the plain function."
            )
        future: TaskFuture[R] = scope.run.call(scope, self.task_node, (args, kwargs))
        return future

    def clear_cache(self, cache: object) -> None:
        """Delete the function's results from a cache.

        Args:
            cache: The cache that was given to the entrypoint or graph.
        """
        Cache(cache).clear([self.task_node])

    async def aclear_cache(self, cache: object) -> None:
        """Delete the function's results from an async cache."""
        await Cache(cache).aclear([self.task_node])


class TaskDecorator(Protocol):
    """Type of `task(...)` without a function."""

    @overload
    def __call__(self, func: Runnable[S, R], /) -> TaskFunction[[S], R]: ...

    @overload
    def __call__(self, func: Callable[P, Awaitable[R]], /) -> TaskFunction[P, R]: ...

    @overload
    def __call__(self, func: Callable[P, R], /) -> TaskFunction[P, R]: ...
