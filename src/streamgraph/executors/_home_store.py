"""The store of a run, for tasks of it that run elsewhere."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Optional

from streamgraph._checkpoint.distribution import store_class
from streamgraph.errors import UnsendableValueError
from streamgraph.executors._home import Home

BATCH = "store.batch"
"""The one call that all methods of a store consist of."""


def facts_of_store(store: Any, node: str) -> Optional[bool]:
    """Return what a worker has to know of a store: whether it lets items expire; `None` if there is no store.

    Args:
        store: The store.
        node: The node whose task it is for.

    Raises:
        UnsendableValueError: It has not the methods of a store, all of which consist of `batch`.
    """
    if store is None:
        return None
    if not callable(getattr(store, "abatch", None)):
        raise UnsendableValueError(
            f"The store of the graph is {store!r:.80}, which a worker cannot use",
            node=node,
            hint="A worker can use stores of LangGraph's class BaseStore; or leave it out: leave_out=('store',).",
        )
    return bool(getattr(store, "supports_ttl", False))


def store_at_home(home: Home, supports_ttl: bool) -> object:
    """Return a store whose operations are made by the one that the run has.

    Args:
        home: The way to the run.
        supports_ttl: The store lets items expire.
    """
    base: Any = store_class()

    def batch(self: object, ops: Iterable[object]) -> object:
        return home.call(BATCH, list(ops))

    async def abatch(self: object, ops: Iterable[object]) -> object:
        return await home.acall(BATCH, list(ops))

    methods: Dict[str, Callable[..., object]] = {"batch": batch, "abatch": abatch}
    made: object = type("StoreAtHome", (base,), {**methods, "supports_ttl": supports_ttl, "__slots__": ()})()
    return made
