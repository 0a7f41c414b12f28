"""A Runnable made of a sync and an async function, which get a task's arguments by name."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any, Awaitable, Callable, Dict, Mapping, Optional, Sequence, TypeVar

from langchain_core.runnables import Runnable, RunnableConfig, ensure_config, patch_config
from langchain_core.runnables.config import (
    get_async_callback_manager_for_config,
    get_callback_manager_for_config,
    run_in_executor,
    set_config_context,
)

from streamgraph._core.action import Action
from streamgraph._langchain.generator_nodes import async_generator_action, generator_action
from streamgraph._langchain.injection import Invocation, injected, injected_names
from streamgraph._langchain.nodes import NodeRunnable, as_action, as_call, kind_of, runnable_action
from streamgraph._langchain.runtime import Runtime
from streamgraph._langchain.scope import current_scope, no_writer
from streamgraph._langchain.signatures import parameters_of
from streamgraph._langchain.stepping import AwaitedIn
from streamgraph.errors import GraphBubbleUp, ParentCommand

__all__ = ["RunnableCallable"]

T = TypeVar("T")

Function = Callable[..., Any]
Named = Mapping[str, object]

_PEER_RUNTIME = "__pregel_runtime"


class RunnableCallable(NodeRunnable):
    """A Runnable made of a function for `invoke` and one for `ainvoke`, with the same arguments.

    As a node or branch it does what its function would do there: its tokens are streamed, and the parameters `config`,
    `writer`, `runtime`, `store` and `previous` are filled in by name. Unlike the function it can be part of a chain,
    and it gets the whole state, whatever its function annotates. Outside of a graph the same parameters get the
    config, a writer that does nothing, an empty `Runtime`, or the default value that they have::

        node = RunnableCallable(call_model, acall_model, trace=False)
        builder.add_node("model", node)

    Args:
        func: Called by `invoke`, and by `ainvoke` in a thread if there is no `afunc`. A coroutine function is taken as
            `afunc`.
        afunc: Called by `ainvoke`. Without `func`, `invoke` raises an error outside of a graph; a node of a graph also
            runs in sync runs then.
        name: The name in traces and as a node; by default the function's.
        tags: Tags for everything that runs in it.
        trace: Show each call as a run of its own to callback handlers.
        recurse: If the function returns a Runnable, invoke that with the same input, and return its result.
        explode_args: The input is a pair of positional and keyword arguments for the function.
        **kwargs: Further arguments for the function.

    Attributes:
        func: The function that `invoke` calls; `None` if there is none.
        afunc: The function that `ainvoke` calls; `None` if there is none.
        kwargs: The further arguments.

    Raises:
        ValueError: There is no function.
        TypeError: A function is not callable.
    """

    def __init__(
        self,
        func: Optional[Function],
        afunc: Optional[Callable[..., Awaitable[Any]]] = None,
        *,
        name: Optional[str] = None,
        tags: Optional[Sequence[str]] = None,
        trace: bool = True,
        recurse: bool = True,
        explode_args: bool = False,
        **kwargs: object,
    ) -> None:
        if func is None and afunc is None:
            raise ValueError("At least one of func or afunc must be provided: RunnableCallable(function).")
        for given in (func, afunc):
            if given is not None and not callable(given):
                raise TypeError(f"RunnableCallable needs functions, got {given!r}; a Runnable needs no wrapper.")
        if afunc is None and kind_of(func) in ("coroutine", "async generator"):
            func, afunc = None, func
        self.name = name or _name(func) or _name(afunc)
        self.func = func
        self.afunc = afunc
        self.tags = tags
        self.kwargs = kwargs
        self.trace = trace
        self.recurse = recurse
        self.explode_args = explode_args

    def __repr__(self) -> str:
        tags = f", tags={self.tags!r}" if self.tags else ""
        functions = f"func={_shown(self, self.func)}, afunc={_shown(self, self.afunc)}"
        return f"{type(self).__name__}({self.get_name()!r}, {functions}{tags})"

    def invoke(self, input: Any, config: Optional[RunnableConfig] = None, **kwargs: object) -> Any:  # noqa: A002
        """Call the function.

        Args:
            input: Its argument; with `explode_args`, a pair of its positional and keyword arguments.
            config: The config of the call.
            **kwargs: Further arguments for the function; they replace those that are filled in by name.

        Raises:
            TypeError: There is only an async function.
        """
        function = self.func
        if function is None:
            raise TypeError(
                f'No synchronous function provided to "{self.get_name()}". '
                "Give one, as in RunnableCallable(func, afunc), or await ainvoke()."
            )
        config = self._config(config)
        if self.trace:
            result = self._traced(function, input, config, kwargs)
        else:
            with set_config_context(config) as context:
                result = context.run(self._call(function, input, config, kwargs))
        return result.invoke(input, config) if self.recurse and isinstance(result, Runnable) else result

    async def ainvoke(self, input: Any, config: Optional[RunnableConfig] = None, **kwargs: Any) -> Any:  # noqa: A002
        """Call the async function, or else the sync one in a thread; see `invoke`."""
        function = self.afunc
        config = self._config(config)
        if function is None:
            return await run_in_executor(config, partial(self.invoke, **kwargs), input, config)
        if self.trace:
            result = await self._atraced(function, input, config, kwargs)
        else:
            with set_config_context(config) as context:
                result = await AwaitedIn(context, _awaiting(self._call(function, input, config, kwargs)))
        return await result.ainvoke(input, config) if self.recurse and isinstance(result, Runnable) else result

    def node_action(self, *, error: bool = False) -> Action:
        """Return its action as a node: that of its functions, where no handler has to be told of the call.

        Args:
            error: True for an error handler, whose parameter `error` is filled in as well.
        """
        kind = type(self)
        if kind.invoke is not RunnableCallable.invoke or kind.ainvoke is not RunnableCallable.ainvoke:
            return runnable_action(self)  # a subclass does more than to call the functions
        sync, asyn = (self._direct(function, error=error) for function in (self.func, self.afunc))
        direct, adirect = sync.sync, asyn.asyn or asyn.sync or sync.asyn

        def invoke(value: object, invocation: Invocation) -> object:
            if self.trace and invocation.is_heard:
                return self.invoke(value, invocation.config)
            assert direct is not None
            result = direct(value, invocation)
            is_runnable = self.recurse and isinstance(result, Runnable)
            return result.invoke(value, invocation.config) if is_runnable else result

        async def ainvoke(value: object, invocation: Invocation) -> object:
            if self.trace and invocation.is_heard:
                return await self.ainvoke(value, invocation.config)
            assert adirect is not None
            result = await adirect(value, invocation)
            is_runnable = self.recurse and isinstance(result, Runnable)
            return await result.ainvoke(value, invocation.config) if is_runnable else result

        return Action(None if direct is None else invoke, None if adirect is None else ainvoke)

    def _direct(self, function: Optional[Function], *, error: bool) -> Action:
        """Return the action of one of the functions."""
        if function is None:
            return Action(None, None)
        bound = partial(function, **self.kwargs) if self.kwargs else function
        return as_call(bound) if self.explode_args else as_action(bound, error=error)

    def _config(self, config: Optional[RunnableConfig]) -> RunnableConfig:
        config = ensure_config(config)
        if self.tags:
            known = config.get("tags") or []
            config["tags"] = [*known, *(tag for tag in self.tags if tag not in known)]
        return config

    def _traced(self, function: Function, given: object, config: RunnableConfig, kwargs: Named) -> object:
        manager = get_callback_manager_for_config(config)
        run = manager.on_chain_start({}, given, name=self._run_name(config), run_id=config.pop("run_id", None))
        try:
            child = patch_config(config, callbacks=run.get_child())
            with set_config_context(child) as context:
                result = context.run(self._call(function, given, child, kwargs))
        except GraphBubbleUp as signal:
            run.on_chain_end(_carried(signal))
            raise
        except BaseException as error:
            run.on_chain_error(error)
            raise
        run.on_chain_end(result)
        return result

    async def _atraced(self, function: Function, given: object, config: RunnableConfig, kwargs: Named) -> object:
        manager = get_async_callback_manager_for_config(config)
        run = await manager.on_chain_start({}, given, name=self._run_name(config), run_id=config.pop("run_id", None))
        try:
            child = patch_config(config, callbacks=run.get_child())
            with set_config_context(child) as context:
                result = await AwaitedIn(context, _awaiting(self._call(function, given, child, kwargs)))
        except GraphBubbleUp as signal:
            await run.on_chain_end(_carried(signal))
            raise
        except Exception as error:
            await run.on_chain_error(error)
            raise
        except BaseException as error:
            run.get_sync().on_chain_error(error)  # after a cancellation there may be no time to wait
            raise
        await run.on_chain_end(result)
        return result

    def _run_name(self, config: RunnableConfig) -> str:
        return config.get("run_name") or self.get_name()

    def _call(self, function: Function, given: Any, config: RunnableConfig, kwargs: Named) -> Callable[[], Any]:
        """Return the call of one of the functions, with all of its arguments."""
        args, named = given if self.explode_args else ((given,), {})
        named = {**self.kwargs, **named, **kwargs}
        call = partial(function, *args, **_with_injected(function, len(args), named, config))
        scope, kind = current_scope(config), kind_of(function)
        if scope is None or "generator" not in kind:
            return call
        # What it yields is streamed, as in a node that is the function itself.
        if kind == "generator":
            action = generator_action(lambda _: call(), ()).sync
        else:
            action = async_generator_action(lambda _: call(), ()).asyn
        assert action is not None
        return partial(action, given, Invocation(config, scope))


def _with_injected(function: Function, positional: int, named: Named, config: RunnableConfig) -> Dict[str, object]:
    """Return the keyword arguments for a function, with those that are filled in by name.

    Args:
        function: The function.
        positional: The number of its arguments that are passed by position.
        named: The arguments that are given by name.
        config: The config of the call.
    """
    names = [name for name in injected_names(function, skip=positional, error=True) if name not in named]
    if not names:
        return dict(named)
    scope = current_scope(config)
    optional = {item.name for item in parameters_of(function) or () if item.default is not inspect.Parameter.empty}
    if scope is not None:
        if scope.task.error is None and "error" in optional:
            names = [name for name in names if name != "error"]  # not ours: no failure is handled here
        return {**injected(tuple(names), Invocation(config, scope)), **named}
    peer = (config.get("configurable") or {}).get(_PEER_RUNTIME)
    runtime = Runtime() if peer is None else peer
    values = {
        "config": config,
        "writer": getattr(runtime, "stream_writer", no_writer),
        "runtime": runtime,
        "store": getattr(runtime, "store", None),
        "previous": getattr(runtime, "previous", None),
        "error": None,
    }
    always = ("config", "writer") if peer is None else ("config", "writer", "runtime", "store", "previous")
    return {**{name: values[name] for name in names if name in always or name not in optional}, **named}


def _carried(signal: GraphBubbleUp) -> object:
    """Return what traces show as the result of a call that ended with a control signal; it has not failed."""
    return signal.command if isinstance(signal, ParentCommand) else None


async def _awaiting(call: Callable[[], Awaitable[T]]) -> T:
    return await call()


def _name(function: Optional[Function]) -> Optional[str]:
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) and name != "<lambda>" else None


def _shown(owner: object, function: object) -> str:
    """Return the repr of a function; that of a method of its own would have that of the owner in it."""
    own = getattr(function, "__self__", None) is owner
    return f"<method {getattr(function, '__name__', '')}>" if own else repr(function)
