"""Config, traces, retries, caches and time limits of entrypoints and tasks."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, List

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.tracers import BaseTracer

from streamgraph.cache.memory import InMemoryCache
from streamgraph.config import get_stream_writer
from streamgraph.errors import NodeTimeoutError
from streamgraph.func import entrypoint, task
from streamgraph.runtime import Runtime
from streamgraph.types import CachePolicy, RetryPolicy, TimeoutPolicy
from support.clocks import LimitClock
from support.endless import Forever
from support.waiting import PATIENCE, eventually, run, soon
from support.workflows import DRIVERS, KINDS, collect, finish


class Traces(BaseTracer):
    """Keeps the traces of a run, flat."""

    def __init__(self) -> None:
        super().__init__()
        self.root: Any = None

    def _persist_run(self, run: Any) -> None:
        self.root = run

    def tree(self, run: Any = None) -> Any:
        """Names with the names below them."""
        run = run or self.root
        return {run.name: [self.tree(child) for child in run.child_runs]}


@task
def quiet(text: str) -> str:
    """A task without a model."""
    return text


# Config and traces


@pytest.mark.parametrize("driver", DRIVERS)
def test_with_config(driver: str) -> None:
    """Tags and metadata that are bound and given are on the tokens of tasks; bound config changes no original."""
    model = GenericFakeChatModel(messages=iter([AIMessage("a"), AIMessage("a")]))

    @task
    async def ask(question: str) -> str:
        return str((await model.ainvoke(question)).content)

    @entrypoint()
    async def flow(question: str) -> str:
        return await ask(question)

    bound = flow.with_config(tags=["bound"], metadata={"by": "bound", "bound": 1})
    options = {"config": {"tags": ["given"], "metadata": {"by": "given"}}, "stream_mode": "messages"}

    ((_, metadata),) = [chunk for chunk in collect(bound, "?", driver, **options) if chunk[0].content]
    assert (sorted(metadata["tags"]), metadata["by"], metadata["bound"]) == (["bound", "given"], "given", 1)
    ((_, metadata),) = [chunk for chunk in collect(flow, "?", driver, **options) if chunk[0].content]
    assert (metadata["tags"], "bound" in metadata) == (["given"], False)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_traces(kind: str, driver: str) -> None:
    """A run is traced under its `run_name`, with the entrypoint below and its tasks below that."""
    traces = Traces()

    async def acall(text: str) -> str:
        return await quiet(text)

    def call(text: str) -> str:
        return quiet(text).result()

    outer = task(name="outer")(call if kind == "sync" else acall)

    @entrypoint()
    async def flow(text: str) -> str:
        return await outer(text)

    assert finish(flow, "in", driver, config={"callbacks": [traces], "run_name": "mine"}) == "in"
    assert traces.tree() == {"mine": [{"flow": [{"outer": [{"quiet": []}]}]}]}
    assert traces.root.outputs == {"output": "in"}
    finish(flow, "in", driver, config={"callbacks": [traces]})
    assert list(traces.tree()) == ["LangGraph"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_traces_of_a_failure(driver: str) -> None:
    """The failure of a task is in its trace, also if the entrypoint catches it."""
    traces = Traces()

    @task
    def fail() -> None:
        raise ValueError("no")

    @entrypoint()
    def flow(text: str) -> str:
        with pytest.raises(ValueError, match="no"):
            fail().result()
        return "fine"

    assert finish(flow, "in", driver, config={"callbacks": [traces]}) == "fine"
    (outer,) = traces.root.child_runs
    (inner,) = outer.child_runs
    assert ("ValueError" in inner.error, outer.error, traces.root.error) == (True, None, None)


def test_events() -> None:
    """`astream_events` shows the run, the entrypoint, its task and the task's model, begun and ended in order."""
    model = GenericFakeChatModel(messages=iter([AIMessage("a b")]))

    @task
    async def ask(question: str) -> str:
        return str((await model.ainvoke(question)).content)

    @entrypoint()
    async def flow(question: str) -> str:
        return await ask(question)

    async def main() -> List[Any]:
        return [event async for event in flow.astream_events("?", version="v2")]

    events = run(main())
    assert [(event["event"], event["name"]) for event in events if not event["event"].endswith("_stream")] == [
        ("on_chain_start", "LangGraph"),
        ("on_chain_start", "flow"),
        ("on_chain_start", "ask"),
        ("on_chat_model_start", "GenericFakeChatModel"),
        ("on_chat_model_end", "GenericFakeChatModel"),
        ("on_chain_end", "ask"),
        ("on_chain_end", "flow"),
        ("on_chain_end", "LangGraph"),
    ]
    tokens = [event for event in events if event["event"] == "on_chat_model_stream"]
    assert "".join(event["data"]["chunk"].content for event in tokens) == "a b"
    assert {event["metadata"]["langgraph_node"] for event in tokens} == {"ask"}
    chunks = [
        event["data"]["chunk"]
        for event in events
        if (event["event"], event["name"]) == ("on_chain_stream", "LangGraph")
    ]
    assert chunks == [{"ask": "a b"}, {"flow": "a b"}]
    assert events[-1]["data"]["output"] == "a b"


# Retries


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_retry(kind: str, driver: str, caplog: pytest.LogCaptureFixture) -> None:
    """A task is tried again as its policy says; the runtime counts, and it shows one start and one result."""
    caplog.set_level(logging.CRITICAL, "streamgraph.retry")

    def attempt(text: str, runtime: Runtime[Any]) -> int:
        assert runtime.execution_info is not None
        number = runtime.execution_info.node_attempt
        if number < 3:
            raise ConnectionError(number)
        return number

    async def aattempt(text: str, runtime: Runtime[Any]) -> int:
        return attempt(text, runtime)

    policy = RetryPolicy(initial_interval=0.0, jitter=False)
    call = task(name="attempt", retry_policy=[policy])(attempt if kind == "sync" else aattempt)

    @entrypoint()
    def flow(text: str) -> int:
        return call(text).result()

    chunks = collect(flow, "in", driver, stream_mode="tasks")

    assert [(chunk["name"], chunk.get("result")) for chunk in chunks] == [
        ("flow", None),
        ("attempt", None),
        ("attempt", {"__return__": 3}),
        ("flow", {"__end__": 3}),
    ]


# Time limits


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("limit", [0.05, timedelta(milliseconds=50), TimeoutPolicy(run_timeout=0.05)])
def test_timeout_of_an_async_task(limit: Any, driver: str, clock: LimitClock) -> None:
    """An async task that takes too long is cancelled and has cleaned up; its error is typed and can be caught."""
    forever = Forever()
    call = task(name="call", timeout=limit)(forever.node)

    @entrypoint()
    async def flow(text: str) -> List[Any]:
        called = call({})
        await soon(forever.started.is_set)
        clock.advance(0.05)
        with pytest.raises(NodeTimeoutError) as caught:
            await called
        assert isinstance(caught.value, TimeoutError)
        return [caught.value.node, caught.value.kind, caught.value.timeout, forever.is_over()]

    assert finish(flow, "in", driver) == ["call", "run", 0.05, True]


@pytest.mark.parametrize("driver", DRIVERS)
def test_timeout_of_a_sync_task(driver: str, clock: LimitClock) -> None:
    """A sync task can have a time limit, too: nobody waits longer, and what is left of it writes nothing more."""
    gate, late = threading.Event(), []

    @task(timeout=0.05)
    def work() -> None:
        write = get_stream_writer()
        clock.advance(0.05)
        assert gate.wait(PATIENCE)
        try:
            write("too late")
        finally:
            late.append("ended")

    @entrypoint()
    def flow(text: str) -> str:
        with pytest.raises(NodeTimeoutError, match="'work' exceeded its run timeout"):
            work().result()
        gate.set()
        eventually(lambda: late)
        return "went on"

    assert collect(flow, "in", driver, stream_mode=["custom", "updates"]) == [("updates", {"flow": "went on"})]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_timeout_of_an_entrypoint(kind: str, driver: str, clock: LimitClock) -> None:
    """An entrypoint that takes too long fails, and the tasks that it waits for are cancelled."""
    forever = Forever()
    call = task(name="call")(forever.node)

    def body(text: str) -> Any:
        called = call({})
        eventually(forever.started.is_set)
        clock.advance(0.05)
        return called.result()

    async def abody(text: str) -> Any:
        called = call({})
        await soon(forever.started.is_set)
        clock.advance(0.05)
        return await called

    flow = entrypoint(timeout=0.05)(body if kind == "sync" else abody)
    with pytest.raises(NodeTimeoutError) as caught:
        finish(flow, "in", driver)

    assert (caught.value.node, caught.value.run_timeout) == ("body" if kind == "sync" else "abody", 0.05)
    eventually(forever.is_over)


@pytest.mark.parametrize("driver", DRIVERS)
def test_idle_timeout(driver: str, clock: LimitClock) -> None:
    """The idle limit of a task counts from its last sign of life; those of tasks that it waits for count as well."""

    @task
    async def lively(signs: int) -> int:
        for _ in range(signs):
            clock.advance(0.02)
            await asyncio.sleep(0.02)  # who waits for the limit looks at the clock meanwhile
            get_stream_writer()("alive")
        return signs

    @task(timeout=TimeoutPolicy(idle_timeout=0.05))
    async def outer(signs: int) -> int:
        return await lively(signs)

    @entrypoint()
    async def flow(signs: int) -> int:
        return await outer(signs)

    assert finish(flow, 6, driver) == 6


# Caches


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("kind", KINDS)
def test_cache(kind: str, driver: str) -> None:
    """A known result is not worked out again: in the same run, in later ones, until it is forgotten."""
    cache, calls = InMemoryCache(), []

    def work(number: int) -> int:
        calls.append(number)
        return number

    async def awork(number: int) -> int:
        return work(number)

    call = task(name="work", cache_policy=CachePolicy())(work if kind == "sync" else awork)

    @entrypoint(cache=cache)
    def flow(number: int) -> List[int]:
        return [call(number).result(), call(number).result(), call(number=number).result()]

    assert finish(flow, 1, driver) == [1, 1, 1]
    assert calls == [1, 1]  # an argument by name is another key, as in LangGraph
    assert finish(flow, 1, driver) == finish(flow, 1, driver) == [1, 1, 1]
    assert len(calls) == 2
    call.clear_cache(cache)
    finish(flow, 1, driver)
    assert len(calls) == 4
    run(call.aclear_cache(cache))
    finish(flow, 1, driver)
    assert len(calls) == 6


@pytest.mark.parametrize("driver", DRIVERS)
def test_cache_forgets_in_time(driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result with a time to live is worked out again when that is over."""
    calls: List[str] = []
    call = task(name="work", cache_policy=CachePolicy(ttl=60))(lambda text: calls.append(text) or text)
    flow = entrypoint(cache=InMemoryCache())(lambda text: call(text).result())

    finish(flow, "in", driver)
    finish(flow, "in", driver)
    assert calls == ["in"]
    later = SimpleNamespace(monotonic=lambda now=time.monotonic(): now + 61)
    monkeypatch.setattr("streamgraph.cache.memory.time", later)
    finish(flow, "in", driver)
    assert calls == ["in", "in"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_cache_keeps_apart(driver: str) -> None:
    """Tasks of the same name but other functions, and failures, are not mixed up; results are copies."""
    cache, calls = InMemoryCache(), []
    policy = CachePolicy(key_func=lambda text: text)

    def one(text: str) -> List[str]:
        return ["one", text]

    def two(text: str) -> List[str]:
        calls.append(text)
        if len(calls) == 1:
            raise ValueError("not yet")
        return ["two", text]

    first, second = (task(name="same", cache_policy=policy)(function) for function in (one, two))

    @entrypoint(cache=cache)
    def flow(text: str) -> List[Any]:
        first(text).result().append("spoilt")
        return [first(text).result(), second(text).result()]

    with pytest.raises(ValueError, match="not yet"):
        finish(flow, "in", driver)
    assert finish(flow, "in", driver) == [["one", "in"], ["two", "in"]]


@pytest.mark.parametrize("driver", DRIVERS)
def test_cached_entrypoint(driver: str) -> None:
    """An entrypoint whose value is known calls no task; `clear_cache` makes it forget."""
    calls: List[str] = []
    work = task(name="work")(lambda text: calls.append(text) or text)
    flow = entrypoint(cache=InMemoryCache(), cache_policy=CachePolicy())(lambda text: work(text).result())

    assert finish(flow, "in", driver) == finish(flow, "in", driver) == "in"
    assert calls == ["in"]
    flow.clear_cache()
    finish(flow, "in", driver)
    assert calls == ["in", "in"]
