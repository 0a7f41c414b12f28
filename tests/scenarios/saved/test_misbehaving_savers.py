"""Savers that are slow, fail, or are given what they cannot store; threads that two runs want at once."""

from __future__ import annotations

import asyncio
import gc
import operator
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import Annotated, TypedDict

from streamgraph.errors import (
    EmptyInputError,
    NoCheckpointerError,
    ThreadBusyError,
    UnknownNodeError,
    UnstorableValueError,
)
from streamgraph.graph import START, StateGraph
from streamgraph.types import Command, Send, interrupt
from support.savers import WatchedSaver, jittered, open_saver

DURABILITIES = ("sync", "async", "exit")


class State(TypedDict, total=False):
    seen: Annotated[List[Any], operator.add]


def thread(name: str = "1") -> Dict[str, Any]:
    return {"configurable": {"thread_id": name}}


def line(*names: str, value: Any = None) -> StateGraph[State]:
    """Nodes in a line, each of which notes its name or returns a value."""
    builder = StateGraph(State)
    for name in names:
        builder.add_node(name, lambda state, name=name: {"seen": [name if value is None else value]})
    for source, target in zip((START, *names), names):
        builder.add_edge(source, target)
    return builder


def joined() -> StateGraph[State]:
    """Two lines of different lengths into one node."""
    builder = line("a", "b")
    builder.add_node("c", lambda state: {"seen": ["c"]}).add_node("d", lambda state: {"seen": ["d"]})
    return builder.add_edge(START, "c").add_edge(["b", "c"], "d")


@pytest.mark.parametrize("durability", DURABILITIES)
@pytest.mark.parametrize("seed", range(4))
def test_a_slow_saver_stores_the_same(durability: Any, seed: int) -> None:
    """Every stored state equals the state at its step, however long each call takes (langgraph #8748)."""
    slow, plain = jittered(seed), InMemorySaver()
    for saver, how in ((slow, durability), (plain, "sync" if durability == "async" else durability)):
        graph = joined().compile(checkpointer=saver)
        assert graph.invoke({"seen": ["in"]}, thread(), durability=how) == {"seen": ["in", "a", "c", "b", "d"]}
    histories = [
        [(state.values, state.next) for state in joined().compile(checkpointer=saver).get_state_history(thread())]
        for saver in (slow, plain)
    ]
    assert histories[0] == histories[1]
    graph = joined().compile(checkpointer=slow)
    for state in list(graph.get_state_history(thread())):
        if state.next:
            assert graph.invoke(None, state.config)["seen"] == ["in", "a", "c", "b", "d"]


@pytest.mark.parametrize("durability", DURABILITIES)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_saver_that_fails_in_each_call(durability: Any, asynchronous: bool) -> None:
    """The run fails with the saver's error, and the thread can be continued."""
    calls = 0
    while True:

        def fail(name: str, number: int, at: int = calls) -> None:
            if number == at:
                raise RuntimeError(f"{name} failed")

        saver = WatchedSaver(before=fail)
        graph = line("a", "b", "c").compile(checkpointer=saver)
        try:
            if asynchronous:
                asyncio.run(graph.ainvoke({"seen": ["in"]}, thread(), durability=durability))
            else:
                graph.invoke({"seen": ["in"]}, thread(), durability=durability)
            break
        except RuntimeError as error:
            assert str(error).endswith("failed")
        saver._before = None
        try:
            assert graph.invoke(None, thread()) == {"seen": ["in", "a", "b", "c"]}
        except EmptyInputError:
            assert graph.invoke({"seen": ["in"]}, thread()) == {"seen": ["in", "a", "b", "c"]}
        calls += 1
    assert calls == (1 if durability == "exit" else 8)


@pytest.mark.parametrize("durability", DURABILITIES)
def test_what_cannot_be_stored_is_named(durability: Any) -> None:
    graph = line("a", "bad", value={"deep": [1, object()]}).compile(checkpointer=InMemorySaver())
    with pytest.raises(UnstorableValueError, match=r"\['deep'\]\[1\] is a builtins.object") as raised:
        graph.invoke({"seen": []}, thread(), durability=durability)
    assert raised.value.key == "seen"
    if durability != "exit":
        assert raised.value.node == "a"
        assert graph.get_state(thread()).next == ("a",)


@dataclass
class Holder:
    inner: Any


UNSTORABLE: Dict[str, Any] = {
    "question": (lambda state: {"seen": [interrupt({"q": object()})]}, r"question\[0\].value\['q'\]", "a"),
    "send": (lambda state: Command(update={"seen": [1]}, goto=Send("b", [object()])), r"Send.arg\[0\]", "a"),
    "object": (lambda state: {"other": 5, "seen": [Holder(object())]}, r"state\['seen'\]\[0\].inner", "a"),
    "answer": (lambda state: {"seen": [interrupt("?") and 1]}, r"answers\[0\]", "a"),
    "input": (None, r"input\['seen'\]\[1\]", None),
}


@pytest.mark.parametrize("what", UNSTORABLE)
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("durability", ["sync", "async"])
def test_what_cannot_be_stored_is_found_where_it_is(what: str, kind: str, durability: Any, tmp_path: Path) -> None:
    """Nothing of the task is stored then, not even what it wrote besides: it runs again."""
    node, path, name = UNSTORABLE[what]

    class Both(State, total=False):
        other: int

    ran: List[str] = []

    def run(state: Any) -> Any:
        ran.append("a")
        return node(state) if len(ran) == 1 or what == "answer" else {"seen": ["mended"]}

    with open_saver(kind, tmp_path) as saver:
        graph: Any = StateGraph(Both).add_node("a", run).add_node("b", lambda state: {"seen": ["b"]})
        graph = graph.add_edge(START, "a").compile(checkpointer=saver)
        given: Any = {"seen": ["in", object()] if what == "input" else ["in"]}
        if what == "answer":
            graph.invoke(given, thread(), durability=durability)
            given = Command(resume=object())
        with pytest.raises(UnstorableValueError, match=f"^{path} is a builtins.object, which cannot be") as raised:
            graph.invoke(given, thread(), durability=durability)
        assert raised.value.node == name
        if what == "input":
            assert graph.get_state(thread()).created_at is None
        elif what == "answer":
            assert [question.value for question in graph.get_state(thread()).interrupts] == ["?"]
            assert graph.invoke(Command(resume="yes"), thread()) == {"seen": ["in", 1]}
        else:
            state = graph.get_state(thread())
            assert (state.values, state.next) == ({"seen": ["in"]}, ("a",))
            assert graph.invoke(None, thread()) == {"seen": ["in", "mended"]}


def test_without_a_saver_nothing_is_checked() -> None:
    graph = line("a", value=object()).compile()
    assert len(graph.invoke({"seen": []})["seen"]) == 1


def test_two_runs_on_one_thread() -> None:
    started, go_on = threading.Event(), threading.Event()

    def wait(state: State) -> State:
        started.set()
        go_on.wait(20)
        return {"seen": ["waited"]}

    graph = StateGraph(State).add_node(wait).add_edge(START, "wait").compile(checkpointer=InMemorySaver())
    results: List[Any] = []
    first = threading.Thread(target=lambda: results.append(graph.invoke({"seen": [1]}, thread())))
    first.start()
    started.wait(20)
    with pytest.raises(ThreadBusyError, match="Thread '1' has a run already"):
        graph.invoke({"seen": [2]}, thread())
    with pytest.raises(ThreadBusyError):
        graph.update_state(thread(), {"seen": [3]})
    assert graph.get_state(thread()).next == ("wait",)
    go_on.set()
    first.join()
    assert results == [{"seen": [1, "waited"]}]
    assert graph.invoke({"seen": [2]}, thread()) == {"seen": [1, "waited", 2, "waited"]}


def test_many_runs_wait_for_each_other() -> None:
    graph = line("a").compile(checkpointer=InMemorySaver())

    async def main() -> None:
        runs = (graph.ainvoke({"seen": [n]}, thread(), multitask_strategy="enqueue") for n in range(20))
        await asyncio.gather(*runs)

    asyncio.run(main())
    seen = graph.get_state(thread()).values["seen"]
    assert sorted(item for item in seen if item != "a") == list(range(20))
    assert seen.count("a") == 20


def test_a_stream_that_was_left_gives_the_thread_back() -> None:
    graph = line("a", "b", "c").compile(checkpointer=InMemorySaver())
    with graph.stream({"seen": ["in"]}, thread()) as stream:
        assert next(stream) == {"a": {"seen": ["a"]}}
    assert graph.get_state(thread()).next == ("b",)
    assert list(graph.stream(None, thread())) == [{"b": {"seen": ["b"]}}, {"c": {"seen": ["c"]}}]


@pytest.mark.parametrize("config", [{}, {"configurable": {"thread_id": ""}}, {"configurable": {"thread_id": None}}])
def test_no_thread(config: Any) -> None:
    graph = line("a").compile(checkpointer=InMemorySaver())
    for act in (lambda: graph.invoke({"seen": []}, config), lambda: graph.get_state(config)):
        with pytest.raises(ValueError, match="thread_id"):
            act()


def test_no_saver() -> None:
    graph = line("a").compile()
    for act in (graph.get_state, graph.get_state_history):
        with pytest.raises(NoCheckpointerError, match="No checkpointer set"):
            act(thread())
    with pytest.raises(TypeError, match="Invalid checkpointer"):
        line("a").compile(checkpointer=object())  # type: ignore[arg-type]


@pytest.mark.parametrize("known", [False, True])
def test_nothing_to_continue(known: bool) -> None:
    graph = line("a").compile(checkpointer=InMemorySaver())
    config = thread()
    if known:
        config["configurable"]["checkpoint_id"] = "1f1ea64a-5e81-6f3c-bfff-c9a2632e5298"
    with pytest.raises(EmptyInputError, match="nothing to continue"):
        graph.invoke(None, config)


@pytest.mark.parametrize("durability", DURABILITIES)
@pytest.mark.parametrize("way", ["dropped", "closed", "cancelled"])
def test_an_async_stream_that_was_left(durability: Any, way: str) -> None:
    """However it ends, its thread is free again, and goes on from what it had done."""
    graph = line("a", "b", "c").compile(checkpointer=InMemorySaver())
    waiting: List[bool] = []

    async def first_chunk() -> None:
        stream = graph.astream({"seen": ["in"]}, thread(), durability=durability)
        assert await stream.__anext__() == {"a": {"seen": ["a"]}}
        if way == "closed":
            await stream.aclose()
        elif way == "cancelled":
            waiting.append(True)
            await asyncio.sleep(30)

    async def main() -> None:
        task = asyncio.ensure_future(first_chunk())
        if way == "cancelled":
            while not waiting:
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait({task})
        del task  # its exception knows its frame, and with it the stream
        gc.collect()
        for _ in range(200):
            try:
                assert (await graph.ainvoke(None, thread())) == {"seen": ["in", "a", "b", "c"]}
                return
            except ThreadBusyError:  # a dropped stream is ended by another thread
                await asyncio.sleep(0.01)
        pytest.fail("the thread is still taken")

    asyncio.run(main())


class OperationalError(Exception):
    """What drivers of databases raise for a lost connection (PEP 249)."""


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_lost_connection(asynchronous: bool) -> None:
    """A database that answers again after a moment has lost nothing (langgraph #5675)."""
    failures: List[int] = []

    def fail_twice(name: str, number: int) -> None:
        if number == 3 and len(failures) < 2:
            failures.append(number)
            raise OperationalError("the connection is closed")

    saver = WatchedSaver(before=fail_twice)
    graph = line("a", "b", "c").compile(checkpointer=saver)
    if asynchronous:
        final = asyncio.run(graph.ainvoke({"seen": ["in"]}, thread(), durability="sync"))
    else:
        final = graph.invoke({"seen": ["in"]}, thread(), durability="sync")
    assert final == graph.get_state(thread()).values == {"seen": ["in", "a", "b", "c"]}
    assert failures == [3, 3]


def test_a_node_that_is_gone() -> None:
    """A thread is not silently over because its next node has another name now."""
    saver = InMemorySaver()
    line("a", "old_name").compile(checkpointer=saver, interrupt_before=["old_name"]).invoke({"seen": []}, thread())
    renamed = line("a", "old_names").compile(checkpointer=saver)
    with pytest.raises(UnknownNodeError, match="node 'old_name', which.*Did you mean 'old_names'"):
        renamed.invoke(None, thread())
    renamed.update_state(thread(), {"seen": ["moved"]}, as_node="a")
    assert renamed.invoke(None, thread()) == {"seen": ["a", "moved", "old_names"]}
    assert renamed.invoke({"seen": ["again"]}, thread())["seen"][-2:] == ["a", "old_names"]
