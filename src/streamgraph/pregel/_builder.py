"""Builds a node of a `Pregel`: the channels that start it, what it runs, and the channels it writes to."""

from __future__ import annotations

from datetime import timedelta
from typing import Dict, List, Optional, Sequence, Union

from langchain_core.runnables import RunnableSequence
from typing_extensions import Self

from streamgraph._langchain.nodes import is_node_like
from streamgraph._policies import (
    CachePolicy,
    RetryPolicy,
    TimeoutPolicy,
    checked_cache_policy,
    retry_policies,
    timeout_policy,
)
from streamgraph._types import Send
from streamgraph.errors import GraphBuildError
from streamgraph.pregel._read import PregelNode, as_runnable
from streamgraph.pregel._write import ChannelWriteEntry, ChannelWriteTupleEntry, Entry

__all__ = ["NodeBuilder"]


class NodeBuilder:
    """Builder of a node for a graph of nodes and channels.

    All methods but `build` return the builder, so that calls can be chained::

        double = NodeBuilder().subscribe_only("a").do(lambda x: x + x).write_to("b")

    The node runs in every step after one in which a channel was updated that it is subscribed to.
    """

    def __init__(self) -> None:
        self._channels: Union[str, List[str]] = []
        self._triggers: List[str] = []
        self._steps: List[object] = []
        self._writes: List[Entry] = []
        self._tags: List[str] = []
        self._metadata: Dict[str, object] = {}
        self._retry: List[RetryPolicy] = []
        self._cache: Optional[CachePolicy] = None
        self._timeout: Optional[TimeoutPolicy] = None

    def subscribe_only(self, channel: str) -> Self:
        """Start the node when this channel is updated; its value is the node's input.

        Args:
            channel: The name of the channel.

        Raises:
            GraphBuildError: The node reads other channels already.
        """
        _check_names("subscribe_only", (channel,))
        if self._channels:
            raise GraphBuildError(
                f"Cannot subscribe to {channel!r} only when other channels are already read: {self._channels!r}",
                hint="Use subscribe_to() for several channels; the node then gets a dict of their values.",
            )
        self._channels = channel
        self._triggers.append(channel)
        return self

    def subscribe_to(self, *channels: str, read: bool = True) -> Self:
        """Start the node when any of these channels is updated; its input is a dict of the values of all that it reads.

        Args:
            *channels: The names of the channels.
            read: Also read them. Otherwise they only start the node.

        Raises:
            GraphBuildError: The node is subscribed to a single channel, or there is no name.
        """
        _check_names("subscribe_to", channels)
        self._read("subscribe_to", channels if read else ())
        self._triggers.extend(channels)
        return self

    def read_from(self, *channels: str) -> Self:
        """Read these channels too, without being started by them.

        Args:
            *channels: The names of the channels.

        Raises:
            GraphBuildError: The node is subscribed to a single channel, or there is no name.
        """
        _check_names("read_from", channels)
        self._read("read_from", channels)
        return self

    def do(self, node: object) -> Self:
        """Run this; of several, each gets the result of the one before.

        Args:
            node: A function (sync or async), a Runnable, a chain, a graph, or a dict of these.

        Raises:
            TypeError: The node is not callable.
        """
        if not is_node_like(node):
            raise TypeError(f"do() takes a function, a Runnable or a dict of these, got {node!r:.80}.")
        self._steps.append(node)
        return self

    def write_to(self, *channels: Union[str, Entry], **values: object) -> Self:
        """Write to channels when the node has run.

        Args:
            *channels: The names of channels that get the result, or `ChannelWriteEntry`s.
            **values: Channels with a function of the result, or with a constant value.

        Raises:
            TypeError: A channel is neither a name nor an entry.
        """
        for channel in channels:
            if not isinstance(channel, (str, ChannelWriteEntry, ChannelWriteTupleEntry, Send)):
                raise TypeError(f"write_to() takes names of channels and ChannelWriteEntry, got {channel!r:.80}.")
        self._writes.extend(ChannelWriteEntry(item) if isinstance(item, str) else item for item in channels)
        for name, value in values.items():
            self._writes.append(
                ChannelWriteEntry(name, mapper=value) if callable(value) else ChannelWriteEntry(name, value)
            )
        return self

    def meta(self, *tags: str, **metadata: object) -> Self:
        """Add tags and metadata for everything that runs in the node.

        Args:
            *tags: The tags.
            **metadata: The metadata.
        """
        _check_names("meta", tags, required=False)
        self._tags.extend(tags)
        self._metadata.update(metadata)
        return self

    def add_retry_policies(self, *policies: RetryPolicy) -> Self:
        """Retry the node after a failure; of several policies the first one that matches the error applies.

        Args:
            *policies: The policies.

        Raises:
            TypeError: One is no `RetryPolicy`.
        """
        self._retry.extend(retry_policies(policies))
        return self

    def add_cache_policy(self, policy: CachePolicy) -> Self:
        """Store the node's results in the cache of the graph, and reuse them for the same input.

        Args:
            policy: The policy.

        Raises:
            TypeError: It is no `CachePolicy`.
        """
        self._cache = checked_cache_policy(policy)
        return self

    def set_timeout(self, timeout: Union[float, timedelta, TimeoutPolicy, None]) -> Self:
        """Limit the time of one attempt of the node.

        Args:
            timeout: Seconds, a `timedelta` or a `TimeoutPolicy`; `None` for no limit.

        Raises:
            GraphBuildError: A time is not positive.
        """
        self._timeout = timeout_policy(timeout)
        return self

    def build(self) -> PregelNode:
        """Return the node. One that is subscribed to no channel is started by `Send`s alone."""
        steps = self._steps
        return PregelNode(
            channels=self._channels,
            triggers=self._triggers,
            tags=self._tags,
            metadata=self._metadata,
            writers=self._writes,
            bound=RunnableSequence(*map(as_runnable, steps)) if len(steps) > 1 else steps[0] if steps else None,
            retry_policy=self._retry,
            cache_policy=self._cache,
            timeout=self._timeout,
        )

    def _read(self, method: str, channels: Sequence[str]) -> None:
        if isinstance(self._channels, str):
            raise GraphBuildError(
                f"Cannot use {method}() when subscribed to a single channel, here {self._channels!r}",
                hint="Use subscribe_to() instead of subscribe_only(); the node then gets a dict of values.",
            )
        self._channels.extend(channels)


def _check_names(method: str, names: Sequence[object], *, required: bool = True) -> None:
    if required and not names:
        raise GraphBuildError(f"{method}() names no channel", hint=f'As in {method}("messages").')
    for name in names:
        if not isinstance(name, str):
            hint = f" Write {method}(*names) for several." if isinstance(name, (list, tuple)) else ""
            raise TypeError(f"{method}() takes names, got {name!r:.80}.{hint}")
