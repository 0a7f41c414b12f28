"""What a task's config offers for reading the state and writing to it while the task runs.

Libraries take two functions out of `config["configurable"]`, at LangGraph's keys: one reads keys of the state, on
request with what the task itself has written so far; the other writes to them.
"""

from __future__ import annotations

from threading import Lock
from typing import Dict, Iterable, List, Mapping, Sequence, Tuple, Union
from warnings import warn

from streamgraph._core.plan import RESULT_KEYS
from streamgraph._core.results import check_route
from streamgraph._langchain.scope import Scope
from streamgraph._langchain.side_calls import side_call
from streamgraph._streams.copying import own
from streamgraph.errors import InvalidUpdateError, UnknownOptionError

READ_KEY = "__pregel_read"
SEND_KEY = "__pregel_send"

TASKS = "__pregel_tasks"
"""The key under which a `Send` is written."""

_writing = Lock()


def read_state(
    scope: Scope, keys: Mapping[str, object], select: Union[str, Sequence[str]], fresh: bool = False
) -> object:
    """Return values of the state, each owned by the receiver.

    Args:
        scope: The task.
        keys: The keys of its state.
        select: One key, or several.
        fresh: With what the task has written so far, combined by the reducers.

    Returns:
        The value of the key, `None` if it has none; for several keys a dict of those that have a value.

    Raises:
        UnknownOptionError: The state has no such key.
    """
    scope = _owner(scope)
    wanted = (select,) if isinstance(select, str) else tuple(select)
    managed = _managed(scope)
    for key in wanted:
        if key not in keys and key not in managed:
            raise UnknownOptionError(f"The state has no key {key!r} to read", name=key, known=[*keys, *managed])
    values: Dict[str, object] = scope.run.state([key for key in wanted if key in keys])
    if fresh:
        written = _written(scope, wanted)
        if written:
            values.update((key, own(value)) for key, value in scope.run.fold(scope.task, written).items())
    values.update((key, managed[key]) for key in wanted if key in managed)
    return values.get(select) if isinstance(select, str) else values


def send_writes(scope: Scope, writes: Iterable[Tuple[str, object]]) -> None:
    """Write to the state; the step applies it before what the task returns.

    It may be called from any thread. What is sent after the end of the task is lost, with a warning.

    Args:
        scope: The task.
        writes: Pairs of a key and a value, in order. A `Send` is written to the key `__pregel_tasks`.

    Raises:
        InvalidUpdateError: The state has no such key.
        UnknownRouteError: A `Send` goes to an unknown node.
        StreamClosed: The work is no longer wanted.
    """
    scope = _owner(scope)
    pairs = tuple((key, value) for key, value in writes)
    plan = scope.run.plan
    for key, value in pairs:
        if key == TASKS:
            check_route(plan, scope.task.name, value)
        elif key not in plan.channels or key in RESULT_KEYS.values():
            raise InvalidUpdateError(
                f"There is no key {key!r} to write to", node=scope.task.name, name=key, known=plan.channels
            )
    if scope.stop.is_set:
        scope.check_alive()
    elif scope.over:
        keys = ", ".join(repr(key) for key, _ in pairs)
        what = f"A write to {keys} was sent after its task {scope.task.name!r} had ended; it is lost."
        warn(what, RuntimeWarning, stacklevel=2)
    else:
        side = side_call(scope)
        with _writing:
            scope.writes = (*scope.writes, *pairs)
            if side is not None:
                side.sent += pairs


def _owner(scope: Scope) -> Scope:
    """Return the task whose state it is: that of the node or workflow, for a task that was called inside it."""
    while scope.is_called and scope.parent is not None:
        scope = scope.parent
    return scope


def _written(scope: Scope, keys: Sequence[str]) -> List[Tuple[str, object]]:
    outcome = scope.task.outcome
    pairs = (*(outcome.writes if outcome is not None else ()), *scope.writes)
    return [pair for pair in pairs if pair[0] in keys]


def _managed(scope: Scope) -> Dict[str, object]:
    """Return the values that are computed for the step."""
    if not scope.run.plan.computed:
        return {}
    readers = (scope.task.node.reader, *(node.reader for node in scope.run.plan.nodes.values()))
    compute = {key: function for reader in readers for key, function in (reader.managed or {}).items()}
    return {key: function(scope.task.step, scope.run.config.limit) for key, function in compute.items()}
