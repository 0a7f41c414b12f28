"""Threads are deleted, copied and pruned: what is left goes on as if nothing had happened."""

from __future__ import annotations

import asyncio
import operator
import threading
from pathlib import Path
from typing import Any, Dict, List

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from typing_extensions import Annotated, TypedDict

from streamgraph.errors import NotSupportedError, ThreadBusyError, UnknownCheckpointError, UnknownOptionError
from streamgraph.graph import START, StateGraph
from streamgraph.types import Command, Send, interrupt
from support.minimal_savers import MINIMAL
from support.savers import ASYNC, SYNC, aopen_saver, open_saver

Log = List[str]


class State(TypedDict, total=False):
    seen: Annotated[List[Any], operator.add]


def thread(name: str = "1", **more: Any) -> Dict[str, Any]:
    return {"configurable": {"thread_id": name, **more}, "max_concurrency": 1}


def build(saver: Any, log: Log, **options: Any) -> Any:
    """A question in a nested graph, beside a node that has finished, then tasks that are sent."""

    def note(name: str) -> Any:
        def node(state: Any) -> Any:
            log.append(name)
            return {"seen": [name]}

        return node

    inner = StateGraph(State).add_node("x", note("x")).add_edge(START, "x").add_edge("x", "ask")
    inner.add_node("ask", lambda state: {"seen": [interrupt(HumanMessage("?", id="1"))]})
    asking = inner.compile()
    graph = StateGraph(State)
    for name in ("a", "beside", "sent", "last"):
        graph.add_node(name, note(name))
    graph.add_node("inner", lambda state: {"seen": asking.invoke({"seen": []})["seen"]})
    graph.add_edge(START, "a").add_edge("a", "beside").add_edge("a", "inner")
    graph.add_conditional_edges("inner", lambda state: [Send("sent", {}), Send("sent", {})], ["sent"])
    graph.add_edge(["inner", "beside"], "last")
    return graph.compile(checkpointer=saver, **options)


ASKED = ["in", "a", "beside"]


def whole(answer: str) -> List[str]:
    return [*ASKED, "x", answer, "last", "sent", "sent"]


def check_copy(graph: Any, log: Log, copy: Any) -> None:
    """Assert that both threads go on from the question, each with an answer of its own, and from their histories."""
    question = graph.get_state(thread()).interrupts
    assert copy == {"configurable": {"thread_id": "2"}}
    assert graph.get_state(copy).interrupts == question
    for name, answer in (("2", "yes"), ("1", "no")):
        log.clear()
        assert graph.invoke(Command(resume=answer), thread(name))["seen"] == whole(answer)
        assert sorted(log) == ["last", "sent", "sent"]
    histories = [
        [(state.values, state.next, state.metadata["step"]) for state in graph.get_state_history(thread(name))]
        for name in "12"
    ]
    assert len(histories[0]) == len(histories[1])
    assert histories[0][2:] == histories[1][2:]


@pytest.mark.parametrize("kind", SYNC)
@pytest.mark.parametrize("storage", ["full", "delta"])
def test_copy(kind: str, storage: Any, tmp_path: Path) -> None:
    with open_saver(kind, tmp_path) as saver:
        log: Log = []
        graph = build(saver, log, storage=storage)
        assert graph.invoke({"seen": ["in"]}, thread())["seen"] == ASKED
        check_copy(graph, log, graph.copy_thread(thread(), "2"))


@pytest.mark.parametrize("kind", MINIMAL)
def test_copies_of_savers_of_third_parties(kind: Any) -> None:
    log: Log = []
    graph = build(kind(), log)
    graph.invoke({"seen": ["in"]}, thread())
    check_copy(graph, log, graph.copy_thread(thread(), "2"))


@pytest.mark.parametrize("kind", ASYNC)
def test_async_methods(kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with aopen_saver(kind, tmp_path) as saver:
            graph = build(saver, [])
            await graph.ainvoke({"seen": ["in"]}, thread())
            copy = await graph.acopy_thread(thread(), "2")
            assert (await graph.ainvoke(Command(resume="yes"), copy))["seen"] == whole("yes")
            await graph.adelete_thread(thread())
            assert (await graph.aget_state(thread())).created_at is None
            assert (await graph.aget_state(copy)).values["seen"] == whole("yes")
            if kind == "memory":
                with pytest.raises(NotSupportedError, match="InMemorySaver has no method prune"):
                    await graph.aprune_thread(copy)

    asyncio.run(main())


def test_copy_up_to_a_state(tmp_path: Path) -> None:
    """What has come after the state is not there, nor what other branches have done."""
    with open_saver("sqlite", tmp_path) as saver:
        graph = build(saver, [])
        graph.invoke({"seen": ["in"]}, thread())
        graph.invoke(Command(resume="first"), thread())
        asked = next(state for state in graph.get_state_history(thread()) if state.next == ("beside", "inner"))
        graph.invoke(None, asked.config)
        copy = graph.copy_thread(asked.config, "2")
        assert len(list(graph.get_state_history(copy))) == 3
        # What its tasks have come to is part of it.
        assert graph.get_state(copy).values["seen"] == [*ASKED, "x", "first"]
        assert graph.invoke(None, copy)["seen"] == whole("first")
        copied = graph.copy_thread(graph.get_state(thread()).config, "3")
        assert graph.get_state(copied).interrupts == graph.get_state(thread()).interrupts
        assert graph.invoke(Command(resume="second"), copied)["seen"] == whole("second")


def test_prune(tmp_path: Path) -> None:
    """An open question in a nested graph outlives it (PostgreSQL's saver has it since version 3.2)."""
    with open_saver("postgres", tmp_path) as saver:
        log: Log = []
        graph = build(saver, log)
        graph.invoke({"seen": ["in"]}, thread())
        before = graph.get_state(thread(), subgraphs=True)
        if not hasattr(saver, "prune"):
            with pytest.raises(NotSupportedError, match="PostgresSaver has no method prune"):
                graph.prune_thread(thread())
            return
        graph.prune_thread(thread())
        assert len(list(graph.get_state_history(thread()))) == 1
        after = graph.get_state(thread(), subgraphs=True)
        assert (after.values, after.next, after.interrupts) == (before.values, before.next, before.interrupts)
        log.clear()
        assert graph.invoke(Command(resume="yes"), thread())["seen"] == whole("yes")
        assert sorted(log) == ["last", "sent", "sent"]


@pytest.mark.parametrize("kind", SYNC)
def test_delete(kind: str, tmp_path: Path) -> None:
    with open_saver(kind, tmp_path) as saver:
        graph = build(saver, [])
        for name in "12":
            graph.invoke({"seen": ["in"]}, thread(name))
        graph.delete_thread(thread())
        assert graph.get_state(thread()).created_at is None
        assert list(graph.get_state_history(thread())) == []
        assert list(saver.list(thread())) == []
        assert graph.get_state(thread("2")).values["seen"] == ASKED
        graph.delete_thread(thread())  # a thread that is not there is as good as deleted


def test_a_thread_that_has_a_run() -> None:
    started, go_on = threading.Event(), threading.Event()

    def wait(state: State) -> State:
        started.set()
        go_on.wait(20)
        return {"seen": ["waited"]}

    graph: Any = StateGraph(State).add_node(wait).add_edge(START, "wait").compile(checkpointer=InMemorySaver())
    run = threading.Thread(target=lambda: graph.invoke({"seen": []}, thread()))
    run.start()
    started.wait(20)
    for act in (
        lambda: graph.delete_thread(thread()),
        lambda: graph.copy_thread(thread(), "2"),
        lambda: graph.copy_thread(thread("2"), "1"),
        lambda: graph.prune_thread(thread()),
    ):
        with pytest.raises((ThreadBusyError, NotSupportedError)):
            act()
    go_on.set()
    run.join()
    assert graph.get_state(thread()).values == {"seen": ["waited"]}
    graph.delete_thread(thread())


def test_what_cannot_be_done() -> None:
    saver = InMemorySaver()
    graph = build(saver, [])
    graph.invoke({"seen": ["in"]}, thread())
    graph.invoke({"seen": ["in"]}, thread("taken"))
    before = len(list(saver.list(None)))
    inner = thread(checkpoint_ns="inner:1")
    for message, act in (
        ("Thread 'taken' has states already", lambda: graph.copy_thread(thread(), "taken")),
        ("Thread '1' cannot be copied to itself", lambda: graph.copy_thread(thread(), "1")),
        ("Thread 'gone' is empty", lambda: graph.copy_thread(thread("gone"), "2")),
        ("must name a thread, but thread_id is ''", lambda: graph.copy_thread(thread(), "")),
        ("must name a thread", lambda: graph.delete_thread({})),
        ("a part of it, by its checkpoint_id", lambda: graph.delete_thread(graph.get_state(thread()).config)),
        ("a part of it, by its checkpoint_id", lambda: graph.prune_thread(graph.get_state(thread()).config)),
        ("a part of it, by its checkpoint_ns", lambda: graph.copy_thread(inner, "2")),
    ):
        with pytest.raises(UnknownOptionError, match=message):
            act()
    with pytest.raises(UnknownCheckpointError, match="Thread '1' has no checkpoint '1f1'"):
        graph.copy_thread(thread(checkpoint_id="1f1"), "2")
    assert len(list(saver.list(None))) == before
