"""The cache of node results: an adapter to any cache with the interface of langgraph-checkpoint's `BaseCache`."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Dict, Iterable, List, Optional, Tuple

from streamgraph._core.action import Action
from streamgraph._core.plan import Node
from streamgraph._core.results import Route, TaskResult
from streamgraph._core.task import Task
from streamgraph._policies import CachePolicy, TimeoutPolicy, timeout_policy
from streamgraph._protocols import Call, Work
from streamgraph._streams.copying import own, own_input, plain_input
from streamgraph._types import Overwrite, Send

Namespace = Tuple[str, ...]


class Cache:
    """Stores the results of nodes in a cache that the user provides.

    Args:
        backend: The user's cache, with `get(keys)`, `set({key: (value, ttl)})`, `clear(namespaces)` and their async
            twins `aget`, `aset` and `aclear`; a key is a namespace, which is a tuple of strings, and a string.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def look_up(self, task: Task, policy: CachePolicy) -> Work[Optional[TaskResult]]:
        """Return the stored result for the input of a task, or `None` if there is none."""
        key = _key(task, policy)
        found = yield Call(Action(self._backend.get, self._backend.aget), ([key],))
        return _decoded(found[key]) if key in found else None

    def keep(self, task: Task, policy: CachePolicy, outcome: TaskResult) -> Work[None]:
        """Store the result of a task."""
        pairs = {_key(task, policy): (_encoded(outcome), policy.ttl)}
        yield Call(Action(self._backend.set, self._backend.aset), (pairs,))

    def clear(self, nodes: Iterable[Node]) -> None:
        """Delete the results of these nodes."""
        self._backend.clear([namespace_of(node) for node in nodes])

    async def aclear(self, nodes: Iterable[Node]) -> None:
        """Async form of `clear`."""
        await self._backend.aclear([namespace_of(node) for node in nodes])


def check_cache(backend: Any) -> None:
    """Raise TypeError if `backend` is not `None` and lacks a method of a cache."""
    if backend is not None and not all(hasattr(backend, name) for name in ("get", "set", "aget", "aset", "aclear")):
        raise TypeError(
            f"cache is {backend!r:.80}; give an InMemoryCache, or another with get, set, clear and their async twins."
        )


def namespace_of(node: Node) -> Namespace:
    """Return the namespace of a node's results, made of its function (`cache_name`) and its name."""
    return ("streamgraph", node.cache_name, node.name)


def _key(task: Task, policy: CachePolicy) -> Tuple[Namespace, str]:
    if task.node.kind == "task":
        args, kwargs = task.input
        made = policy.key_func(*args, **kwargs)
    else:
        made = policy.key_func(task.input)
    if not isinstance(made, (str, bytes)):
        raise TypeError(f"The key_func of node {task.name!r} must return a string or bytes, it returned {made!r:.80}.")
    digest = blake2b(made.encode() if isinstance(made, str) else made, digest_size=16).hexdigest()
    return namespace_of(task.node), digest


# Stored as plain data, since a cache may write it to disk or send it over a network.


def _encoded(outcome: TaskResult) -> Dict[str, Any]:
    writes: List[Any] = [
        [key, own(value.value), "overwrites"] if isinstance(value, Overwrite) else [key, own(value), ""]
        for key, value in outcome.kept or outcome.writes
    ]
    return {
        "writes": writes,
        "routes": [_sent(route) if isinstance(route, Send) else route for route in outcome.routes],
    }


def _sent(send: Send) -> Dict[str, Any]:
    limit = timeout_policy(send.timeout)
    return {
        "node": send.node,
        "arg": plain_input(send.arg),
        "timeout": None if limit is None else [limit.run_timeout, limit.idle_timeout, limit.refresh_on],
    }


def _decoded(kept: Dict[str, Any]) -> TaskResult:
    routes: List[Route] = [
        Send(
            route["node"],
            own_input(route["arg"]),
            None if route["timeout"] is None else TimeoutPolicy(*route["timeout"]),
        )
        if isinstance(route, dict)
        else route
        for route in kept["routes"]
    ]
    writes = [(key, Overwrite(own(value)) if overwrites else own(value)) for key, value, overwrites in kept["writes"]]
    return TaskResult(tuple(writes), tuple(routes))
