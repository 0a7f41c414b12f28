"""Values that are not stored: those of keys whose channel is an `UntrackedValue`."""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, List, Tuple, cast

from streamgraph._core.plan import Plan
from streamgraph._types import Send


def untracked_keys(plan: Plan) -> FrozenSet[str]:
    """Return the keys of the state whose values are not stored.

    Args:
        plan: The graph.
    """
    return frozenset(
        key
        for key in plan.templates
        if any(kind.__name__ == "UntrackedValue" for kind in type(plan.channels[key].shown).__mro__)
    )


def tracked_writes(writes: Iterable[Tuple[str, object]], untracked: FrozenSet[str]) -> List[Tuple[str, object]]:
    """Return the writes that are stored.

    Args:
        writes: The writes of a task.
        untracked: The keys whose values are not stored.
    """
    return [(name, tracked(value, untracked)) for name, value in writes if name not in untracked]


def tracked(value: object, untracked: FrozenSet[str]) -> object:
    """Return a `Send`, a list of them or an input without the values that are not stored; other values as they are.

    Args:
        value: The value.
        untracked: The keys whose values are not stored.
    """
    if not untracked:
        return value
    if isinstance(value, Send):
        return Send(value.node, without(value.arg, untracked), timeout=value.timeout)
    if isinstance(value, list) and any(isinstance(item, Send) for item in value):
        return [tracked(item, untracked) for item in value]
    return value


def without(given: object, untracked: FrozenSet[str]) -> object:
    """Return the input of a graph or node without the values that are not stored.

    Args:
        given: The input.
        untracked: The keys whose values are not stored.
    """
    if type(given) is not dict:
        return given
    held = cast("Dict[object, object]", given)
    return {key: value for key, value in held.items() if key not in untracked} if untracked else held
