"""Functional workflows: `@entrypoint` makes a function a Runnable, `@task` streams its steps as tasks.

::

    @task
    def write(topic: str) -> str:
        return model.invoke(f"Write about {topic}").content

    @entrypoint()
    def essay(topics: list) -> list:
        futures = [write(topic) for topic in topics]
        return [future.result() for future in futures]

    for chunk in essay.stream(["cats", "ice"], stream_mode=["messages", "updates"]):
        ...
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Awaitable, Callable, Dict, Generic, Iterable, Mapping, Optional, Tuple, Type, Union, overload

from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.graph import Graph
from pydantic import BaseModel
from typing_extensions import (
    Concatenate,
    Literal,
    ParamSpec,
    Self,
    TypeVar,
    Unpack,
    get_args,
    get_origin,
    get_type_hints,
)

from streamgraph._compat.langgraph import peer_class
from streamgraph._core.action import Action
from streamgraph._core.plan import PREVIOUS_KEY, RESULT_KEY, ROOT_KEY, Channel, Node, Plan
from streamgraph._core.results import Saved
from streamgraph._core.state import Writes
from streamgraph._execution.cache import check_cache
from streamgraph._keywords import CONFIG_SCHEMA, RETRY, renamed_keywords
from streamgraph._langchain.injection import Invocation
from streamgraph._langchain.nodes import as_action, identity_of, name_of
from streamgraph._policies import (
    CachePolicy,
    Policies,
    checked_cache_policy,
    retry_policies,
    timeout_policy,
)
from streamgraph._runnable.base import GraphBase
from streamgraph._runnable.schema import Hint, as_mapping, read_schema
from streamgraph._runnable.schema_models import model_of
from streamgraph._runnable.task_function import Retry, TaskDecorator, TaskFunction, TaskKeywords, Timeout
from streamgraph._snapshots import Checkpointer, ensure_valid_checkpointer
from streamgraph.constants import END, START
from streamgraph.errors import EmptyInputError
from streamgraph.pregel._draw import Depth
from streamgraph.pregel.main import Pregel

__all__ = ["TaskFunction", "Workflow", "entrypoint", "task"]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
InputT = TypeVar("InputT", default=Any)
OutputT = TypeVar("OutputT", default=Any)


@overload
def task(func: None = None, **options: Unpack[TaskKeywords]) -> TaskDecorator: ...


@overload
def task(func: Runnable[S, R], **options: Unpack[TaskKeywords]) -> TaskFunction[[S], R]: ...


@overload
def task(func: Callable[P, Awaitable[R]], **options: Unpack[TaskKeywords]) -> TaskFunction[P, R]: ...


@overload
def task(func: Callable[P, R], **options: Unpack[TaskKeywords]) -> TaskFunction[P, R]: ...


@renamed_keywords(retry=RETRY)
def task(
    func: Union[Callable[..., object], Runnable[Any, Any], None] = None,
    *,
    name: Optional[str] = None,
    retry_policy: Retry = None,
    cache_policy: Optional[CachePolicy] = None,
    timeout: Timeout = None,
) -> Any:
    """Make the calls of a function tasks of the run in which it is called.

    A call returns a future immediately, so several calls run concurrently. Tokens, custom data and the result appear in
    the run's stream under the task's name. Tasks can be called in entrypoints, in nodes of graphs, in tools and in
    other tasks, from sync and async code.

    Args:
        func: The function, sync or async. Parameters `config`, `writer`, `runtime` and `store` are filled in unless the
            caller passes them.
        name: The name in streams and traces; by default the function's own.
        retry_policy: When to retry a call after a failure.
        cache_policy: Store results in the `cache` of the entrypoint or graph.
        timeout: The limit of one attempt: seconds, a `timedelta` or a `TimeoutPolicy`.

    Returns:
        The task, or a decorator if no function is given.

    Raises:
        TypeError: `func` is not a function.
    """
    policies = _policies(retry_policy, cache_policy, timeout)

    def decorate(function: Any) -> TaskFunction[..., object]:
        if not callable(function) and not isinstance(function, Runnable):
            raise TypeError(f"A task is made of a function, got {function!r}; a name is given as @task(name=...).")
        return TaskFunction(function, name=name, policies=policies)

    return decorate if func is None else decorate(func)


class Workflow(Pregel[OutputT, Any, InputT, OutputT, Literal[False]], Generic[InputT, OutputT]):
    """A functional workflow that is ready to run; created by `entrypoint`.

    It is a Runnable like a compiled graph, with the same stream modes, config, composition and nesting.
    """

    def __init__(self, function: Callable[..., Any], node: Node, **options: Any) -> None:
        name = "LangGraph"
        plan = Plan(
            name=name,
            start=node,
            nodes={node.name: node},
            joins={},
            channels={RESULT_KEY: Channel(RESULT_KEY), PREVIOUS_KEY: Channel(PREVIOUS_KEY)},
            output_keys=(RESULT_KEY,),
            as_mapping=as_mapping,
        )
        checkpointer = options.pop("checkpointer", None)
        self._set_up(plan, name=name, **options)
        self.checkpointer = checkpointer
        self._targets = {node.name: function}
        self._func = function
        self.__doc__ = function.__doc__

    @property
    def _hints(self) -> Iterable[Any]:
        try:
            return get_type_hints(self._func).values()
        except Exception:  # a name that only type checkers know
            return ()

    @property
    def func(self) -> Callable[..., Any]:
        """The function."""
        return self._func

    @property
    def channels(self) -> Mapping[str, Channel]:
        """The one key of the state: what the function returns."""
        return MappingProxyType(dict(self._plan.channels))

    def validate(self) -> Self:
        """Return the workflow, of which there is nothing to check: it is one function."""
        return self

    def __repr__(self) -> str:
        return f"entrypoint({next(iter(self._plan.nodes))!r})"

    @property
    def InputType(self) -> Any:  # noqa: N802  (langchain-core's name)
        """`Any`: the function's annotations are in `get_input_schema`."""
        return Any

    @property
    def OutputType(self) -> Any:  # noqa: N802  (langchain-core's name)
        """`Any`: the function's annotations are in `get_output_schema`."""
        return Any

    def get_input_schema(self, config: Optional[RunnableConfig] = None) -> Type[BaseModel]:
        """Return a pydantic model of the input: the annotation of the function's first parameter."""
        first = next(iter(inspect.signature(self.func).parameters))
        return _model(_hints(self.func).get(first, Any), self.get_name("Input"))

    def get_output_schema(self, config: Optional[RunnableConfig] = None) -> Type[BaseModel]:
        """Return a pydantic model of the output: the function's return annotation."""
        hint = _hints(self.func).get("return", Any)
        if get_origin(hint) is entrypoint.final:
            hint = get_args(hint)[0]
        return _model(Any if hint is entrypoint.final else hint, self.get_name("Output"))

    def _drawn(self, xray: Depth, parents: Tuple[GraphBase, ...]) -> Graph:
        # A graph of one node; tasks are known only at run time.
        graph = Graph()
        start, end = graph.add_node(None, START), graph.add_node(None, END)
        for name in self._plan.nodes:
            node = graph.add_node(self.func, name)  # type: ignore[arg-type]
            graph.add_edge(start, node)
            graph.add_edge(node, end)
        return graph

    def _writes(self, given: object, *, lenient: bool) -> Writes:
        if given is None:
            raise EmptyInputError(f"Received no input for {START}", hint="An entrypoint is run with one value.")
        return ((ROOT_KEY, given),)

    def _typed(self, output: object) -> object:
        return output


class entrypoint:  # noqa: N801  (LangGraph's name)
    """Make a function a workflow: a Runnable that can be invoked and streamed like a graph.

    The function takes the input as its first parameter. Parameters `config`, `writer`, `runtime`, `store` and
    `previous` are filled in by name. The stream shows each `task` that the function calls and, at the end, its result.

    Args:
        checkpointer: The saver of the runs: any of the `langgraph-checkpoint` family.
        store: An object that the function and its tasks get as `store`.
        cache: Storage for results: an `InMemoryCache`, or any cache with the interface of langgraph-checkpoint's.
        context_schema: The class of the object passed to a run as `context=`.
        cache_policy: Store the function's results in `cache`.
        retry_policy: When to retry the function after a failure.
        timeout: The limit of one attempt: seconds, a `timedelta` or a `TimeoutPolicy`.

    Raises:
        TypeError: The checkpointer is not a saver.
    """

    @dataclass(frozen=True)
    class final(Generic[R, S]):  # noqa: N801  (LangGraph's name)
        """A return value that differs from the value saved as `previous` for the next run of the thread.

        Args:
            value: The value returned to the caller.
            save: The value to save; it is dropped without a checkpointer.
        """

        value: R
        save: S

    @renamed_keywords(config_schema=CONFIG_SCHEMA, retry=RETRY)
    def __init__(
        self,
        checkpointer: Checkpointer = None,
        store: object = None,
        cache: object = None,
        context_schema: Optional[type] = None,
        cache_policy: Optional[CachePolicy] = None,
        retry_policy: Retry = None,
        timeout: Timeout = None,
    ) -> None:
        if inspect.isroutine(checkpointer):
            raise TypeError("entrypoint needs its parentheses: write @entrypoint() above the function.")
        ensure_valid_checkpointer(checkpointer)
        check_cache(cache)
        self._options: Dict[str, Any] = {
            "store": store,
            "cache": cache,
            "context_schema": context_schema,
            "checkpointer": checkpointer,
        }
        self._policies = Policies(
            retry_policies(retry_policy), checked_cache_policy(cache_policy), timeout_policy(timeout)
        )

    @overload
    def __call__(self, func: Callable[Concatenate[InputT, ...], Awaitable[final[R, Any]]]) -> Workflow[InputT, R]: ...

    @overload
    def __call__(self, func: Callable[Concatenate[InputT, ...], Awaitable[R]]) -> Workflow[InputT, R]: ...

    @overload
    def __call__(self, func: Callable[Concatenate[InputT, ...], final[R, Any]]) -> Workflow[InputT, R]: ...

    @overload
    def __call__(self, func: Callable[Concatenate[InputT, ...], R]) -> Workflow[InputT, R]: ...

    def __call__(self, func: Callable[..., object]) -> Workflow:
        """Return the workflow of a function.

        Args:
            func: The function, sync or async, with at least one parameter.

        Raises:
            ValueError: The function has no parameter.
            NotImplementedError: The function is a generator function.
        """
        if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
            # Same rule and error as in LangGraph: yielded values would be neither the workflow's result nor a task's.
            raise NotImplementedError("Generators are not supported in the Functional API. Use a stream writer.")
        if not inspect.signature(func).parameters:
            raise ValueError("Entrypoint function must have at least one parameter, which gets the input.")
        node = Node(
            name_of(func) or type(func).__name__,
            action=_returning(as_action(func)),
            triggers=(START,),
            policies=self._policies,
            cache_name=identity_of(func),
            kind="entrypoint",
        )
        return Workflow(func, node, **self._options)


def _policies(retry: Retry, cache: Optional[CachePolicy], timeout: Timeout) -> Policies:
    return Policies(retry_policies(retry), checked_cache_policy(cache), timeout_policy(timeout))


def _returning(action: Action) -> Action:
    """Return an action that returns what an `entrypoint.final` holds in the engine's own form."""
    sync, asyn = action

    def call(value: object, invocation: Invocation) -> object:
        assert sync is not None
        return _value(sync(value, invocation))

    async def acall(value: object, invocation: Invocation) -> object:
        assert asyn is not None
        return _value(await asyn(value, invocation))

    return Action(None if sync is None else call, None if asyn is None else acall)


def _value(returned: object) -> object:
    peer = getattr(peer_class("langgraph.func", "entrypoint"), "final", None)
    if isinstance(returned, entrypoint.final) or (isinstance(peer, type) and isinstance(returned, peer)):
        final: Any = returned
        return Saved(final.value, final.save)
    return returned


def _hints(function: Callable[..., object]) -> Dict[str, Hint]:
    try:
        return get_type_hints(function, include_extras=True)
    except Exception:
        # Hints that cannot be evaluated here are treated as missing.
        return {}


def _model(hint: Hint, name: str) -> Type[BaseModel]:
    return model_of(read_schema(hint), name)
