"""Policies that cannot be meant: refused where they are given, with the reason, and nothing half done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from streamgraph.errors import GraphBuildError, UnknownKeywordError, UnknownNodeError
from streamgraph.types import CachePolicy, Send, TimeoutPolicy
from support.leaks import light_collections as light_collections
from support.leaks import no_thread_left as no_thread_left
from support.policies import FAST, builder_of


def work(state: Any) -> None:
    """A node."""


def untouched(builder: Any) -> Any:
    """What a builder holds, for comparison."""
    return dict(builder.nodes), dict(builder._channels), builder._defaults


TIMES = [0, -1, 0.0, timedelta(0), timedelta(seconds=-1), float("nan")]


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("field", ["run_timeout", "idle_timeout"])
def test_time_of_a_policy(field: str, time: Any) -> None:
    """A time must be greater than 0."""
    with pytest.raises(GraphBuildError, match=f"{field} must be greater than 0, got ") as caught:
        TimeoutPolicy(**{field: time})
    assert isinstance(caught.value, ValueError)
    assert repr(time) in str(caught.value)


@pytest.mark.parametrize("time", TIMES)
def test_time_of_a_node(time: Any) -> None:
    """It is refused when the node is added, which then is not there."""
    builder = builder_of(work)
    before = untouched(builder)
    for call in (
        lambda: builder.add_node("other", work, timeout=time),
        lambda: builder.set_node_defaults(retry_policy=FAST, timeout=time),
        lambda: Send("work", {}, timeout=time),
    ):
        with pytest.raises(ValueError, match="run_timeout must be greater than 0"):
            call()
        assert untouched(builder) == before
    builder.compile()


@pytest.mark.parametrize("time", ["1", [1], object(), {"run_timeout": 1}])
def test_time_of_another_type(time: Any) -> None:
    """What is no time at all is refused with what would be one."""
    builder = builder_of(work)
    before = untouched(builder)
    for call in (
        lambda: TimeoutPolicy(run_timeout=time),
        lambda: TimeoutPolicy(idle_timeout=time),
        lambda: builder.add_node("other", work, timeout=time),
        lambda: Send("work", {}, timeout=time),
    ):
        with pytest.raises((TypeError, ValueError), match="run_timeout|idle_timeout|timeout"):
            call()
        assert untouched(builder) == before


def test_refresh_on() -> None:
    """The closest right name is suggested."""
    with pytest.raises(GraphBuildError, match="'hartbeat'.*Did you mean 'heartbeat'"):
        TimeoutPolicy(idle_timeout=1, refresh_on="hartbeat")  # type: ignore[arg-type]
    with pytest.raises(GraphBuildError, match="'never'.*'auto', 'heartbeat'"):
        TimeoutPolicy(idle_timeout=1, refresh_on="never")  # type: ignore[arg-type]


@pytest.mark.parametrize("handler", [3, "work", [work], {}])
def test_handler(handler: Any) -> None:
    """An error handler must be something that can be called."""
    builder = builder_of(work)
    before = untouched(builder)
    with pytest.raises(TypeError, match="not callable"):
        builder.add_node("other", work, error_handler=handler)
    with pytest.raises(TypeError, match="not callable"):
        builder.set_node_defaults(retry_policy=FAST, error_handler=handler)
    assert untouched(builder) == before


def test_handler_without_a_parameter() -> None:
    """A handler is called with the input, as a node is; one that takes none is refused as such a node would be."""
    builder = builder_of(work)
    before = untouched(builder)
    with pytest.raises(TypeError, match="takes no argument"):
        builder.add_node("other", work, error_handler=lambda: None)
    with pytest.raises(TypeError, match="takes no argument"):
        builder.set_node_defaults(error_handler=lambda: None)
    assert untouched(builder) == before


@pytest.mark.parametrize("policy", [3, "often", [3], {"max_attempts": 3}, [FAST, None], ConnectionError])
def test_retry_policy(policy: Any) -> None:
    """A retry policy is one of that class, or several; anything else would fail in the middle of a run."""
    builder = builder_of(work)
    before = untouched(builder)
    with pytest.raises((TypeError, ValueError), match="retry_policy|RetryPolicy"):
        builder.add_node("other", work, retry_policy=policy)
    with pytest.raises((TypeError, ValueError), match="retry_policy|RetryPolicy"):
        builder.set_node_defaults(retry_policy=policy)
    assert untouched(builder) == before


@pytest.mark.parametrize("policy", [3, "always", True, {"ttl": 3}, CachePolicy])
def test_cache_policy(policy: Any) -> None:
    """A cache policy is one of that class."""
    builder = builder_of(work)
    before = untouched(builder)
    with pytest.raises((TypeError, ValueError), match="cache_policy|CachePolicy"):
        builder.add_node("other", work, cache_policy=policy)
    with pytest.raises((TypeError, ValueError), match="cache_policy|CachePolicy"):
        builder.set_node_defaults(cache_policy=policy)
    assert untouched(builder) == before


@pytest.mark.parametrize(
    ("keyword", "closest"),
    [
        ("retry_polici", "retry_policy"),
        ("cache_polcy", "cache_policy"),
        ("time_out", "timeout"),
        ("error_handlr", "error_handler"),
    ],
)
def test_keywords(keyword: str, closest: str) -> None:
    """A keyword that does not exist is refused, with the closest right one."""
    builder = builder_of(work)
    before = untouched(builder)
    for method in (lambda **given: builder.add_node("other", work, **given), builder.set_node_defaults):
        with pytest.raises(UnknownKeywordError, match=f"Did you mean '{closest}'") as caught:
            method(**{keyword: None})
        assert isinstance(caught.value, TypeError)
    assert untouched(builder) == before


def test_compile_keywords() -> None:
    """So is one of `compile`."""
    with pytest.raises(UnknownKeywordError, match="Did you mean 'cache'"):
        builder_of(work).compile(cach=None)


@pytest.mark.parametrize("destinations", [("wrok",), ["wrok"], {"wrok": "label"}, "wrok"])
def test_destinations(destinations: Any) -> None:
    """A destination that is not there is found when the graph is compiled, with the closest right name."""
    builder = builder_of(work).add_node("other", work, destinations=destinations)
    with pytest.raises(UnknownNodeError, match="'wrok' of node 'other'.*Did you mean 'work'"):
        builder.compile()
    builder.add_node("wrok", work)
    builder.compile()


def test_destinations_as_text() -> None:
    """A single name is one destination, not one for each letter."""
    graph = builder_of(work).add_node("other", work, destinations="work").compile()
    edges = {(edge.source, edge.target, edge.conditional) for edge in graph.get_graph().edges}
    assert ("other", "work", True) in edges


@pytest.mark.parametrize("cache", [3, {}, "memory"])
def test_cache(cache: Any) -> None:
    """A cache must have the methods of one."""
    with pytest.raises((TypeError, ValueError), match="cache"):
        builder_of(work, cache_policy=CachePolicy()).compile(cache=cache)


def test_options_of_a_policy() -> None:
    """A field that does not exist is refused by the class."""
    for make in (lambda: FAST._replace(attempts=3), lambda: CachePolicy(time=3), lambda: TimeoutPolicy(timeout=3)):
        with pytest.raises((TypeError, ValueError)):
            make()
