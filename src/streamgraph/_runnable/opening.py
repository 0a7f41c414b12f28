"""Opening a run: everything that is decided when `stream` or `invoke` is called."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import lru_cache
from os import urandom
from time import time_ns
from typing import Any, Callable, NamedTuple, Optional, Tuple, Type

from streamgraph._core.ids import child_seed
from streamgraph._core.parts import PartBuilder
from streamgraph._core.plan import Plan
from streamgraph._core.state import Writes
from streamgraph._core.workflow import AnyRun
from streamgraph._execution.cache import Cache
from streamgraph._execution.session import GraphSession
from streamgraph._langchain.configs import RunConfig
from streamgraph._langchain.scope import Scope
from streamgraph._messages.copying import copy_payload
from streamgraph._runnable.inputs import coerce_context
from streamgraph._runnable.options import StreamOptions
from streamgraph._runnable.printing import printing
from streamgraph._streams.formats import chunk_format
from streamgraph._streams.part import Part
from streamgraph._streams.router import Router


class Definition(NamedTuple):
    """What is to be run.

    Attributes:
        name: The name of its runs.
        plan: The graph or workflow.
        run: Makes the state machine of a run.
        typed: Makes a state an instance of its schema.
        context_schema: The class of the run's context.
        store: Its store.
        cache: Its cache.
    """

    name: str
    plan: Plan
    run: Callable[..., AnyRun]
    typed: Callable[[Any], Any]
    context_schema: Optional[Type[Any]]
    store: Any
    cache: Any


def open_session(
    definition: Definition,
    options: StreamOptions,
    config: RunConfig,
    *,
    given: Any,
    writes: Writes,
    context: Any,
    scope: Optional[Scope],
    detached: bool = False,
    asynchronous: bool,
) -> GraphSession:
    """Return a run that is ready to start.

    Args:
        definition: What is to be run.
        options: What its consumer asked for.
        config: What it is configured with.
        given: The input as the user gave it.
        writes: The input as writes.
        context: The user's object for this run.
        scope: The task it is called in, if it is nested.
        detached: It goes on when that task is told to stop.
        asynchronous: Whether an async driver runs it.
    """
    config.name = config.name or definition.name
    ns: Tuple[str, ...] = ()
    seed = b""
    if scope is None:
        seed = urandom(16)
    else:
        call = scope.next_call()
        ns = (*scope.inner_ns, str(call)) if call else scope.inner_ns
        seed = child_seed(scope.task.id, call)

    def coerce(part: Part) -> Any:
        return definition.typed(part.data) if part.ns == ns else part.data

    shape = chunk_format(version=options.version, several=options.several, namespace=options.namespace, coerce=coerce)
    if options.printed:
        shape = printing(shape, shown=options.shown, printed=options.printed)
    router = Router(
        ns,
        options.modes,
        options.nested,
        up=scope.parent_stream(detached=detached) if scope else None,
        shape=shape,
        filter_=options.filter,
        copy_payload=copy_payload,
        emits_error_part=options.version == "v2",
    )
    parts = PartBuilder(
        ns,
        router.wanted,
        keys=options.keys,
        metadata=config.metadata,
        tags=config.tags,
        clock=_now,
        subscribers=router.subscribers,
    )
    control = options.control or (scope.run.control if scope is not None else None)
    inherits = scope is not None and not context
    return GraphSession(
        definition.run(
            parts, seed, ns, config.limit, concurrency=config.concurrency, output=options.keys, control=control
        ),
        router,
        config,
        parts=parts,
        given=given,
        writes=writes,
        scope=scope,
        detached=detached,
        control=control,
        context=scope.run.context
        if scope is not None and inherits
        else coerce_context(definition.context_schema, context),
        store=scope.run.store if scope is not None and definition.store is None else definition.store,
        cache=None if definition.cache is None else Cache(definition.cache),
        asynchronous=asynchronous,
    )


def _now() -> str:
    second, nanoseconds = divmod(time_ns(), 10**9)
    return f"{_to_the_second(second)}.{nanoseconds // 1000:06d}+00:00"


@lru_cache(maxsize=2)
def _to_the_second(second: int) -> str:
    return datetime.fromtimestamp(second, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
