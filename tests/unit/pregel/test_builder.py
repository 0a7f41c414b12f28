"""`NodeBuilder`: what it builds, and what it refuses."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from streamgraph.errors import FixedAttributeError, GraphBuildError
from streamgraph.pregel import ChannelWriteEntry, NodeBuilder
from streamgraph.types import CachePolicy, RetryPolicy, Send, TimeoutPolicy


def double(value: Any) -> Any:
    """Twice as much."""
    return value + value


def test_everything() -> None:
    """All that was said is in the node."""
    retry, cache = RetryPolicy(max_attempts=2), CachePolicy(ttl=3)
    node = (
        NodeBuilder()
        .subscribe_to("a", "b")
        .subscribe_to("c", read=False)
        .read_from("d")
        .do(double)
        .write_to("e", ChannelWriteEntry("f", skip_none=True), Send("other", 1), g=double, h=5)
        .meta("tag", owner="me")
        .add_retry_policies(retry)
        .add_cache_policy(cache)
        .set_timeout(2)
        .build()
    )
    assert node.channels == ["a", "b", "d"]
    assert node.triggers == ["a", "b", "c"]
    assert node.target is double
    assert node.writers == (
        ChannelWriteEntry("e"),
        ChannelWriteEntry("f", skip_none=True),
        Send("other", 1),
        ChannelWriteEntry("g", mapper=double),
        ChannelWriteEntry("h", 5),
    )
    assert (node.tags, node.metadata) == (["tag"], {"owner": "me"})
    assert (node.retry_policy, node.cache_policy) == ((retry,), cache)
    assert node.timeout == TimeoutPolicy(run_timeout=2)


def test_one_channel() -> None:
    """The value of one channel is the input itself; others may start the node as well."""
    node = NodeBuilder().subscribe_to("b", read=False).subscribe_only("a").build()
    assert (node.channels, node.triggers) == ("a", ["b", "a"])
    assert node.bound.invoke(3) == 3


def test_built_nodes_are_independent() -> None:
    """A builder can be used further without a change to what it has built."""
    builder = NodeBuilder().subscribe_to("a")
    first = builder.build()
    second = builder.read_from("b").write_to("c").meta("tag").build()
    assert (first.channels, first.writers, first.tags) == (["a"], (), [])
    assert (second.channels, second.tags) == (["a", "b"], ["tag"])


def test_several_functions() -> None:
    """They are one Runnable."""
    node = NodeBuilder().subscribe_only("a").do(double).do(str).build()
    assert node.invoke(2) == "4"


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda builder: builder.subscribe_to("a").subscribe_only("b"), "Cannot subscribe to 'b' only"),
        (lambda builder: builder.subscribe_only("a").subscribe_only("b"), "Cannot subscribe to 'b' only"),
        (lambda builder: builder.subscribe_only("a").subscribe_to("b"), "subscribed to a single channel, here 'a'"),
        (lambda builder: builder.subscribe_only("a").read_from("b"), "subscribed to a single channel, here 'a'"),
        (lambda builder: builder.subscribe_to(), r"subscribe_to\(\) names no channel"),
        (lambda builder: builder.read_from(), r"read_from\(\) names no channel"),
        (lambda builder: builder.set_timeout(0), "must be greater than 0"),
    ],
)
def test_contradictions(use: Callable[[NodeBuilder], object], message: str) -> None:
    """What cannot go together is a `ValueError` at once, as in LangGraph."""
    with pytest.raises(GraphBuildError, match=message) as raised:
        use(NodeBuilder())
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda builder: builder.subscribe_only(1), "takes names, got 1"),
        (lambda builder: builder.subscribe_to(["a", "b"]), r"Write subscribe_to\(\*names\)"),
        (lambda builder: builder.read_from(None), "takes names, got None"),
        (lambda builder: builder.do("double"), r"do\(\) takes a function"),
        (lambda builder: builder.write_to(1), r"write_to\(\) takes names"),
        (lambda builder: builder.meta(1), r"meta\(\) takes names"),
        (lambda builder: builder.add_retry_policies(1), "retry_policy"),
        (lambda builder: builder.add_cache_policy(1), "cache_policy"),
        (lambda builder: builder.set_timeout("1"), "run_timeout"),
    ],
)
def test_wrong_types(use: Callable[[Any], object], message: str) -> None:
    """A wrong argument is refused where it is given."""
    with pytest.raises(TypeError, match=message):
        use(NodeBuilder())


def test_a_node_does_not_change() -> None:
    """A graph that has the node would not see the change."""
    node = NodeBuilder().subscribe_only("a").build()
    with pytest.raises(FixedAttributeError, match="triggers of a node cannot be set"):
        node.triggers = ["b"]
