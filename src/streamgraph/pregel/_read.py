"""One node of a graph as callers see it: what it reads, what starts it, and what it runs."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Any, AsyncIterator, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Union

from langchain_core.runnables import Runnable, RunnableConfig, RunnableParallel
from langchain_core.runnables.config import merge_configs

from streamgraph._langchain.callables import RunnableCallable
from streamgraph._langchain.nodes import AnyRunnable, is_node_like
from streamgraph._policies import (
    CachePolicy,
    RetryPolicy,
    TimeoutPolicy,
    checked_cache_policy,
    retry_policies,
    timeout_policy,
)
from streamgraph._runnable.subgraphs import graph_in
from streamgraph._types import Send
from streamgraph.errors import FixedAttributeError
from streamgraph.pregel._write import ChannelWriteEntry, ChannelWriteTupleEntry, Entry

__all__ = ["PregelNode"]


class PregelNode:
    """A node, as in `graph.nodes`; those of a `Pregel` are built by `NodeBuilder`.

    It does not change, because graphs that are made of it would not. A node can be run alone, for tests of it::

        graph.nodes["write"].invoke({"topic": "cats"})

    Args:
        channels: The channel whose value is the node's input, or a list of channels whose values it gets as a dict.
        triggers: The channels that start the node when they are updated; without any, only `Send`s start it.
        mapper: Makes the node's input from what was read.
        writers: What is written when the node has run: entries.
        tags: Tags for everything that runs in the node.
        metadata: Metadata for everything that runs in the node.
        bound: The function or Runnable; `None` to pass the input on.
        retry_policy: When to retry the node after a failure.
        cache_policy: Stores its results in the cache of the graph.
        timeout: The limit of one attempt: seconds, a `timedelta` or a `TimeoutPolicy`.

    Attributes:
        target: The function or Runnable as it was given.

    Raises:
        TypeError: An argument has the wrong type.
        GraphBuildError: A time is not positive.
    """

    def __init__(
        self,
        *,
        channels: Union[str, Sequence[str]],
        triggers: Sequence[str],
        mapper: Optional[Callable[..., object]] = None,
        writers: Sequence[Entry] = (),
        tags: Optional[Sequence[str]] = None,
        metadata: Optional[Mapping[str, object]] = None,
        bound: object = None,
        retry_policy: Union[RetryPolicy, Sequence[RetryPolicy], None] = None,
        cache_policy: Optional[CachePolicy] = None,
        timeout: Union[float, timedelta, TimeoutPolicy, None] = None,
    ) -> None:
        if bound is not None and not is_node_like(bound):
            raise TypeError(f"A node is not callable: {bound!r:.80}. Give a function, a Runnable or a dict of these.")
        for entry in writers:
            if not isinstance(entry, (ChannelWriteEntry, ChannelWriteTupleEntry, Send)):
                raise TypeError(f"A node cannot write {entry!r:.80}. Give a ChannelWriteEntry or a Send.")
        self.channels: Union[str, List[str]] = channels if isinstance(channels, str) else list(channels)
        self.triggers: List[str] = list(triggers)
        self.mapper = mapper
        self.writers: Sequence[Entry] = tuple(writers)
        self.tags: List[str] = list(tags or ())
        self.metadata: Dict[str, object] = dict(metadata or {})
        self.target = bound
        self.retry_policy = retry_policies(retry_policy)
        self.cache_policy = checked_cache_policy(cache_policy)
        self.timeout = timeout_policy(timeout)
        self._made = True

    def __setattr__(self, name: str, value: object) -> None:
        if vars(self).get("_made"):
            raise FixedAttributeError(
                f"{name} of a node cannot be set, since graphs that have the node would not see it",
                hint="Build another node, and another graph with it.",
            )
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(channels={self.channels!r}, triggers={self.triggers!r}, bound={self.target!r})"

    @cached_property
    def bound(self) -> AnyRunnable:
        """What the node runs: its Runnable, or its function as a Runnable."""
        return as_runnable(self.target)

    @cached_property
    def subgraphs(self) -> Sequence[AnyRunnable]:
        """The graph that the node is or calls, if there is one."""
        inner = graph_in(self.target)
        return () if inner is None else (inner,)

    def invoke(self, input: object, config: Optional[RunnableConfig] = None, **kwargs: object) -> Any:  # noqa: A002
        """Run the node alone, without the graph: nothing is read or written.

        Args:
            input: Its input.
            config: The config.
            **kwargs: Further arguments.

        Returns:
            Its result.
        """
        return self.bound.invoke(input, self._configured(config), **kwargs)

    async def ainvoke(self, input: object, config: Optional[RunnableConfig] = None, **kwargs: object) -> Any:  # noqa: A002
        """Run the node alone, on the event loop; see `invoke`."""
        return await self.bound.ainvoke(input, self._configured(config), **kwargs)

    def stream(
        self,
        input: object,  # noqa: A002
        config: Optional[RunnableConfig] = None,
        **kwargs: object,
    ) -> Iterator[object]:
        """Run the node alone, and yield what it produces; see `invoke`."""
        return self.bound.stream(input, self._configured(config), **kwargs)

    def astream(
        self,
        input: object,  # noqa: A002
        config: Optional[RunnableConfig] = None,
        **kwargs: object,
    ) -> AsyncIterator[object]:
        """Run the node alone, on the event loop, and yield what it produces; see `invoke`."""
        return self.bound.astream(input, self._configured(config), **kwargs)

    def _configured(self, config: Optional[RunnableConfig]) -> RunnableConfig:
        return merge_configs({"metadata": self.metadata, "tags": self.tags}, config)


def as_runnable(target: object) -> AnyRunnable:
    """Return what a node runs as a Runnable; for `None`, one that returns its input."""
    if isinstance(target, Runnable):
        return target
    if isinstance(target, dict):
        return RunnableParallel(target)
    return RunnableCallable(_same if target is None else target)  # type: ignore[arg-type]


def _same(value: object) -> object:
    return value
