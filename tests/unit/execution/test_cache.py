"""Nodes whose results are kept: where, under which key, for how long, and what a stream shows of them."""

from __future__ import annotations

import importlib
import warnings
from typing import Any, Dict, Iterator, List, Tuple

import pytest
from langchain_core.messages import AIMessage

from streamgraph._langchain.scope import current_scope
from streamgraph.cache.memory import InMemoryCache
from streamgraph.errors import UnknownOptionError
from streamgraph.graph import START, MessagesState
from streamgraph.types import CachePolicy, Command, Overwrite, Send, TimeoutPolicy
from support.policies import DRIVERS, FAST, Failing, builder_of, collect, graph_with, outcome
from support.waiting import run

BY_X = CachePolicy(key_func=lambda state: repr(state["x"]))


class Counted:
    """A node that counts its calls and writes their number."""

    def __init__(self) -> None:
        self.calls = 0

    def node(self, state: Any, writer: Any) -> Dict[str, Any]:
        """Count."""
        self.calls += 1
        writer("called")
        return {"x": [self.calls]}


class OneWay:
    """A cache with the interface of langgraph-checkpoint's, whose sync or whose async half is not to be used.

    Attributes:
        log: The calls.
    """

    def __init__(self, asynchronous: bool) -> None:
        self.log: List[Tuple[str, Any]] = []
        self._asynchronous = asynchronous
        self._kept: Dict[Any, Any] = {}

    def _call(self, name: str, given: Any, asynchronous: bool) -> None:
        assert asynchronous is self._asynchronous
        self.log.append((name, given))

    def get(self, keys: Any, asynchronous: bool = False) -> Dict[Any, Any]:
        """Find."""
        self._call("get", keys, asynchronous)
        return {key: self._kept[key] for key in keys if key in self._kept}

    def set(self, pairs: Any, asynchronous: bool = False) -> None:
        """Keep."""
        self._call("set", dict(pairs), asynchronous)
        self._kept.update({key: value for key, (value, ttl) in pairs.items()})

    def clear(self, namespaces: Any = None, asynchronous: bool = False) -> None:
        """Forget."""
        self._call("clear", namespaces, asynchronous)
        self._kept = {key: value for key, value in self._kept.items() if key[0] not in namespaces}

    async def aget(self, keys: Any) -> Dict[Any, Any]:
        """Find."""
        return self.get(keys, True)

    async def aset(self, pairs: Any) -> None:
        """Keep."""
        self.set(pairs, True)

    async def aclear(self, namespaces: Any = None) -> None:
        """Forget."""
        self.clear(namespaces, True)


def of_langgraph() -> Any:
    """LangGraph's own cache."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("langgraph.cache.memory").InMemoryCache()


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("make", [InMemoryCache, of_langgraph])
def test_hit(make: Any, driver: str) -> None:
    """The second time the update is there at once, marked as kept; nothing else of the node is shown."""
    node = Counted()
    graph = graph_with(node.node, cache=make(), cache_policy=BY_X)
    modes = ["values", "updates", "custom", "tasks"]
    first = collect(graph, driver, stream_mode=modes)
    second = collect(graph, driver, stream_mode=modes)

    assert node.calls == 1
    assert [mode for mode, _ in first] == ["values", "tasks", "custom", "updates", "tasks", "values"]
    assert [mode for mode, _ in second] == ["values", "tasks", "updates", "values"]
    assert second[2] == ("updates", {"work": {"x": [1]}, "__metadata__": {"cached": True}})
    assert second[3] == first[5] == ("values", {"x": ["in", 1]})


@pytest.mark.parametrize("driver", DRIVERS)
def test_miss(driver: str) -> None:
    """Another input is worked on."""
    node = Counted()
    graph = graph_with(node.node, cache=InMemoryCache(), cache_policy=BY_X)
    assert [collect(graph, driver, {"x": given})[0]["work"] for given in (["a"], ["b"], ["a"])] == [
        {"x": [1]},
        {"x": [2]},
        {"x": [1]},
    ]


@pytest.mark.parametrize("driver", DRIVERS)
def test_interface(driver: str) -> None:
    """A cache gets namespaces of strings, strings as keys, and the time to live; in async runs it is awaited."""
    node, cache = Counted(), OneWay(driver == "astream")
    graph = graph_with(node.node, cache=cache, cache_policy=CachePolicy(key_func=BY_X.key_func, ttl=7))
    collect(graph, driver)
    collect(graph, driver)
    graph.clear_cache() if driver == "stream" else run(graph.aclear_cache())
    collect(graph, driver)

    names = [name for name, _ in cache.log]
    assert names == ["get", "set", "get", "clear", "get", "set"]
    ((key,), kept, _, namespaces, _, _) = [given for _, given in cache.log]
    assert isinstance(key[0], tuple)
    assert all(isinstance(part, str) for part in (*key[0], key[1]))
    assert "work" in key[0]
    assert key[0] in namespaces
    ((kept_key, (_, ttl)),) = kept.items()
    assert kept_key == key
    assert ttl == 7
    assert node.calls == 2


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("own", [True, False])
def test_copies(own: bool, driver: str) -> None:
    """What a node, a consumer or a later node does to values that are its own changes nothing of what is kept."""
    cache = InMemoryCache() if own else OneWay(driver == "astream")  # the latter keeps the very objects
    mine = {"top": 1}

    def change(state: Any) -> None:
        state["p"]["top"] = "by a later node"

    builder = builder_of(lambda state: {"p": mine}, cache_policy=BY_X).add_node(change).add_edge("work", "change")
    graph = builder.compile(cache=cache)
    for _ in range(3):
        for chunk in collect(graph, driver, stream_mode="updates"):
            if "work" in chunk:
                assert chunk["work"] == {"p": {"top": 1}}
                chunk["work"]["p"]["top"] = "by the consumer"
        mine["top"] = "by the node"


@pytest.mark.parametrize("driver", DRIVERS)
def test_failures_are_not_kept(driver: str) -> None:
    """A node that has failed runs again; one that succeeded after a retry does not."""
    node = Failing(*[ConnectionError()] * 4)
    graph = graph_with(node.node, cache=InMemoryCache(), cache_policy=BY_X, retry_policy=FAST)
    assert type(outcome(graph, driver)[1]) is ConnectionError
    assert collect(graph, driver) == [{"work": {"x": ["done"]}}]
    assert collect(graph, driver) == [{"work": {"x": ["done"]}, "__metadata__": {"cached": True}}]
    assert len(node.calls) == 5


@pytest.mark.parametrize("driver", DRIVERS)
def test_handled_failures_are_not_kept(driver: str) -> None:
    """Nor is what an error handler did in place of the node."""
    node = Failing(ConnectionError())
    handler = {"error_handler": lambda state: {"x": ["handled"]}}
    graph = graph_with(node.node, cache=InMemoryCache(), cache_policy=BY_X, **handler)
    assert collect(graph, driver) == [{"__error_handler__work": {"x": ["handled"]}}]
    assert collect(graph, driver) == [{"work": {"x": ["done"]}}]


@pytest.mark.parametrize("driver", DRIVERS)
def test_no_cache(driver: str) -> None:
    """Without a cache the policy has no effect, not even its key function is called."""
    node = Counted()
    graph = graph_with(node.node, cache_policy=CachePolicy(key_func=lambda state: 1 / 0))  # type: ignore[arg-type]
    assert graph.cache is None
    collect(graph, driver)
    collect(graph, driver)
    assert node.calls == 2


@pytest.mark.parametrize("driver", DRIVERS)
def test_no_policy(driver: str) -> None:
    """Without a policy the cache has no effect."""
    cache = OneWay(driver == "astream")
    collect(graph_with(Counted().node, cache=cache), driver)
    assert cache.log == []


def test_time_to_live(monkeypatch: pytest.MonkeyPatch) -> None:
    """A result is kept so many seconds."""
    now = [100.0]
    monkeypatch.setattr("streamgraph.cache.memory.time.monotonic", lambda: now[0])
    node, cache = Counted(), InMemoryCache()
    for after, calls in ((0, 1), (9, 1), (2, 2)):
        now[0] += after
        cache_policy = CachePolicy(key_func=BY_X.key_func, ttl=10)
        builder_of(node.node, cache_policy=cache_policy).compile(cache=cache).invoke({"x": []})
        assert node.calls == calls


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("given", [1, None, ["a"]])
def test_key_of_another_type(given: Any, driver: str) -> None:
    """A key must be a string or bytes; the error names the node, which is not called."""
    node = Counted()
    graph = graph_with(node.node, cache=InMemoryCache(), cache_policy=CachePolicy(key_func=lambda state: given))
    chunks, error = outcome(graph, driver)
    assert isinstance(error, TypeError)
    for word in ("key_func", "'work'", "string or bytes", repr(given)):
        assert word in str(error)
    assert node.calls == 0
    assert chunks == []


@pytest.mark.parametrize("driver", DRIVERS)
def test_key_function_that_fails(driver: str) -> None:
    """Its error is raised as it is."""
    graph = graph_with(
        Counted().node,
        cache=InMemoryCache(),
        cache_policy=CachePolicy(key_func=lambda state: 1 / 0),  # type: ignore[arg-type]
    )
    assert type(outcome(graph, driver)[1]) is ZeroDivisionError


def test_bytes_and_strings() -> None:
    """A key can be given as bytes."""
    node = Counted()
    graph = graph_with(node.node, cache=InMemoryCache(), cache_policy=CachePolicy(key_func=lambda state: b"\xff\x00"))
    graph.invoke({"x": [1]})
    assert graph.invoke({"x": [2]}) == {"x": [2, 1]}


def test_shared_cache() -> None:
    """The same function under the same name shares results between graphs; under another name it does not."""
    node, cache = Counted(), InMemoryCache()
    for name, calls in (("work", 1), ("work", 1), ("other", 2)):
        builder_of(node.node, name=name, cache_policy=BY_X).compile(cache=cache).invoke({"x": []})
        assert node.calls == calls


@pytest.mark.parametrize("driver", DRIVERS)
def test_equal_sends(driver: str) -> None:
    """Tasks of one step with the same key are all served in the next run."""
    node = Counted()
    builder = builder_of(node.node, cache_policy=BY_X)
    sends = [Send("work", {"x": ["same"]})] * 2
    builder.add_node("start", lambda state: Command(goto=sends)).add_edge(START, "start")
    graph = builder.compile(cache=InMemoryCache())
    collect(graph, driver)
    before = node.calls
    chunks = collect(graph, driver)
    assert node.calls == before
    assert [chunk.get("__metadata__") for chunk in chunks if "work" in chunk] == [{"cached": True}] * 3


@pytest.mark.parametrize("driver", DRIVERS)
def test_limit_of_a_send(driver: str) -> None:
    """A `Send` that is kept keeps its own time limit."""

    def limit(state: Any) -> Dict[str, Any]:
        return {"p": current_scope().task.timeout}

    send = Command(goto=Send("limited", {}, timeout=30))
    builder = builder_of(lambda state: send, cache_policy=BY_X).add_node("limited", limit)
    graph = builder.compile(cache=InMemoryCache())
    for _ in range(2):
        assert collect(graph, driver)[1] == {"limited": {"p": TimeoutPolicy(run_timeout=30)}}


def all_of(value: Any) -> Iterator[Any]:
    """The value and everything in it."""
    yield value
    if isinstance(value, (dict, list, tuple)):
        for item in value.items() if isinstance(value, dict) else value:
            yield from all_of(item)


def test_plain_data() -> None:
    """What is kept is made of plain containers and the node's own values: a cache may write it to disk."""
    cache = OneWay(False)
    command = Command(update={"x": Overwrite([1])}, goto=["work2", Send("work2", {"x": [2]})])
    builder = builder_of(lambda state: command, cache_policy=BY_X).add_node("work2", lambda state: None)
    graph = builder.compile(cache=cache)
    assert graph.invoke({"x": ["in"]}) == graph.invoke({"x": ["in"]}) == {"x": [1]}
    (kept,) = cache._kept.values()
    assert {type(value).__name__ for value in all_of(kept)} <= {"dict", "list", "tuple", "str", "int", "NoneType"}


@pytest.mark.parametrize("driver", DRIVERS)
def test_clearing(driver: str) -> None:
    """All results can be forgotten, or those of some nodes."""
    one, two = Counted(), Counted()
    builder = builder_of(one.node, name="one", cache_policy=BY_X)
    builder.add_node("two", two.node, cache_policy=BY_X).add_edge(START, "two")
    graph = builder.compile(cache=InMemoryCache())

    def clear(*names: Any) -> None:
        graph.clear_cache(*names) if driver == "stream" else run(graph.aclear_cache(*names))

    collect(graph, driver)
    clear(["two"])
    collect(graph, driver)
    assert (one.calls, two.calls) == (1, 2)
    clear([])
    collect(graph, driver)
    assert (one.calls, two.calls) == (1, 2)
    clear()
    collect(graph, driver)
    assert (one.calls, two.calls) == (2, 3)


def test_clearing_an_unknown_node() -> None:
    """The error names the closest right name, and nothing is forgotten."""
    node = Counted()
    graph = graph_with(node.node, cache=InMemoryCache(), cache_policy=BY_X)
    graph.invoke({"x": []})
    with pytest.raises(UnknownOptionError, match="'wokr'.*Did you mean 'work'"):
        graph.clear_cache(["work", "wokr"])
    with pytest.raises(UnknownOptionError, match="'wokr'.*Did you mean 'work'"):
        run(graph.aclear_cache(["wokr"]))
    graph.invoke({"x": []})
    assert node.calls == 1


def test_clearing_without_a_cache() -> None:
    """There is nothing to forget."""
    graph = graph_with(Counted().node)
    with pytest.raises(ValueError, match="[Nn]o cache"):
        graph.clear_cache()
    with pytest.raises(ValueError, match="[Nn]o cache"):
        run(graph.aclear_cache())


@pytest.mark.parametrize("driver", DRIVERS)
def test_messages(driver: str) -> None:
    """The messages of a kept result are shown like those of a node that ran, once, with the same id as in the state."""
    policy = CachePolicy(key_func=lambda state: "one")
    builder = builder_of(lambda state: {"messages": AIMessage("kept")}, schema=MessagesState, cache_policy=policy)
    builder.add_node("again", lambda state: {"messages": state["messages"][-1]}).add_edge("work", "again")
    graph = builder.compile(cache=InMemoryCache())
    for _ in range(2):
        chunks = collect(graph, driver, {"messages": []}, stream_mode=["messages", "values"])
        shown = [data for mode, data in chunks if mode == "messages"]
        assert [(message.content, metadata["langgraph_node"]) for message, metadata in shown] == [("kept", "work")]
        assert [message.id for message in chunks[-1][1]["messages"]] == [shown[0][0].id]


@pytest.mark.parametrize("driver", DRIVERS)
def test_nested_graph_without_a_cache(driver: str) -> None:
    """A cache belongs to the graph that was compiled with it, not to those inside."""
    node = Counted()
    inner = graph_with(node.node, cache_policy=BY_X)
    graph = graph_with(inner, name="sub", cache=InMemoryCache())
    collect(graph, driver)
    collect(graph, driver)
    assert node.calls == 2
