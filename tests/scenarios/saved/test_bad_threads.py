"""Threads that are not there, cannot be read, or are wanted by two processes: an error, and the thread as it was."""

from __future__ import annotations

import asyncio
import operator
import sqlite3
import threading
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import Any, Callable, Dict, List
from uuid import UUID

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from typing_extensions import Annotated, TypedDict

from streamgraph.errors import (
    InvalidUpdateError,
    ThreadBusyError,
    ThreadMovedError,
    UnknownCheckpointError,
    UnknownOptionError,
    UnreadableCheckpointError,
)
from streamgraph.graph import START, StateGraph
from streamgraph.types import Send
from support.clocks import LimitClock
from support.waiting import eventually


class State(TypedDict, total=False):
    seen: Annotated[List[Any], operator.add]


def thread(name: Any = "1", **more: Any) -> Dict[str, Any]:
    return {"configurable": {"thread_id": name, **more}}


def line(*names: str) -> StateGraph[State]:
    builder = StateGraph(State)
    for source, name in zip((START, *names), names):
        builder.add_node(name, lambda state, name=name: {"seen": [name]}).add_edge(source, name)
    return builder


@pytest.mark.parametrize("name", [b"x", True, ["a"], ("a",), {"a": 1}, {1}, object(), "a\0b", "a\ud800"])
def test_no_name_of_a_thread(name: Any) -> None:
    graph = line("a").compile(checkpointer=InMemorySaver())
    for act in (lambda: graph.invoke({"seen": []}, thread(name)), lambda: graph.get_state(thread(name))):
        with pytest.raises(UnknownOptionError, match="A thread_id is a text"):
            act()


@pytest.mark.parametrize("name", [5, 1.5, UUID(int=7), "Gespräch 1 🙂", "two\nlines"])
def test_names_of_threads(name: Any) -> None:
    graph = line("a").compile(checkpointer=InMemorySaver())
    graph.invoke({"seen": []}, thread(name))
    assert graph.get_state(thread(str(name))).values == {"seen": ["a"]}


@pytest.mark.parametrize("id_", ["1f1ea64a-5e81-6f3c-bfff-c9a2632e5298", "nonsense"])
def test_an_unknown_checkpoint(id_: str) -> None:
    """LangGraph begins anew, on a branch of nothing."""
    graph = line("a").compile(checkpointer=InMemorySaver())
    graph.invoke({"seen": []}, thread())
    before = list(graph.get_state_history(thread()))
    config = thread(checkpoint_id=id_)
    acts: List[Callable[[], Any]] = [
        lambda: graph.invoke({"seen": []}, config),
        lambda: graph.invoke(None, config),
        lambda: asyncio.run(graph.ainvoke({"seen": []}, config)),
        lambda: graph.update_state(config, {"seen": []}, as_node="a"),
    ]
    for act in acts:
        with pytest.raises(UnknownCheckpointError, match=f"Thread '1' has no checkpoint '{id_}'"):
            act()
    assert graph.get_state(config).created_at is None
    assert list(graph.get_state_history(thread())) == before


def test_an_empty_checkpoint_id_is_none() -> None:
    graph = line("a").compile(checkpointer=InMemorySaver())
    graph.invoke({"seen": []}, thread(checkpoint_id=""))
    assert graph.invoke({"seen": []}, thread(checkpoint_id="")) == {"seen": ["a", "a"]}


@pytest.mark.parametrize(
    ("values", "as_node", "message"),
    [
        ({"seen": []}, "aa", "Node aa does not exist. Did you mean 'a'"),
        ({"seen": []}, "__end__", "Node __end__ does not exist"),
        (5, "a", "Expected dict, got 5"),
    ],
)
def test_wrong_updates(values: Any, as_node: str, message: str) -> None:
    graph = line("a", "b").compile(checkpointer=InMemorySaver())
    graph.invoke({"seen": []}, thread())
    before = list(graph.get_state_history(thread()))
    with pytest.raises(InvalidUpdateError, match=message):
        graph.update_state(thread(), values, as_node=as_node)
    with pytest.raises(TypeError):
        graph.update_state(thread(), {"seen": [object()]}, as_node="a")
    assert list(graph.get_state_history(thread())) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": -1}, "limit is a number of states"),
        ({"limit": "3"}, "limit is a number of states"),
        ({"filter": 5}, "filter is a mapping"),
        ({"before": {"configurable": {"thread_id": "1"}}}, "before is the config of a state"),
    ],
)
def test_wrong_listings(options: Any, message: str) -> None:
    graph = line("a").compile(checkpointer=InMemorySaver())
    for method in (graph.get_state_history, graph.aget_state_history):
        with pytest.raises((TypeError, UnknownOptionError), match=message):
            method(thread(), **options)


def damaged(saver: Any, damage: Callable[[Any, Any], None]) -> Any:
    """Return a graph on a thread whose last checkpoint is not as it was stored."""
    graph = line("a", "b").compile(checkpointer=saver, interrupt_before=["b"])
    graph.invoke({"seen": []}, thread())
    stored = saver.get_tuple(thread())
    checkpoint, metadata = deepcopy(stored.checkpoint), dict(stored.metadata)
    damage(checkpoint, metadata)
    saver.put(stored.parent_config, checkpoint, metadata, checkpoint["channel_versions"])
    return graph


def lose_a_send(checkpoint: Any, metadata: Any) -> None:
    checkpoint["channel_values"]["__pregel_tasks"] = [None]
    checkpoint["channel_versions"]["__pregel_tasks"] = checkpoint["channel_versions"]["seen"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda checkpoint, metadata: checkpoint.update(v=5), "newer version: it has format 5, and this version reads"),
        (lambda checkpoint, metadata: checkpoint.pop("v"), "is damaged, .* KeyError: 'v'"),
        (lambda checkpoint, metadata: metadata.pop("step"), "is damaged, .* KeyError: 'step'"),
        (lambda checkpoint, metadata: checkpoint.pop("versions_seen"), "is damaged, .* KeyError: 'versions_seen'"),
        (lambda checkpoint, metadata: checkpoint.update(versions_seen=[]), "is damaged, .*_seen is no mapping"),
        (lose_a_send, "has returned None in place of a Send"),
    ],
)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_checkpoint_that_cannot_be_read(damage: Any, message: str, asynchronous: bool) -> None:
    saver = InMemorySaver()
    graph = damaged(saver, damage)
    before = len(list(saver.list(thread())))

    async def alisted() -> Any:
        return [state async for state in graph.aget_state_history(thread())]

    acts: List[Callable[[], Any]] = [
        lambda: graph.invoke(None, thread()),
        lambda: graph.invoke({"seen": []}, thread()),
        lambda: graph.get_state(thread()),
        lambda: list(graph.get_state_history(thread())),
        lambda: graph.update_state(thread(), {"seen": []}, as_node="a"),
    ]
    if asynchronous:
        acts = [
            lambda: asyncio.run(graph.ainvoke(None, thread())),
            lambda: asyncio.run(graph.aget_state(thread())),
            lambda: asyncio.run(alisted()),
            lambda: asyncio.run(graph.aupdate_state(thread(), {"seen": []}, as_node="a")),
        ]
    for act in acts:
        with pytest.raises(UnreadableCheckpointError, match=message) as raised:
            act()
        assert "thread '1'" in str(raised.value)
    assert len(list(saver.list(thread()))) == before
    # An older one is as good as ever.
    last = saver.get_tuple(thread()).config
    older = next(iter(graph.get_state_history(thread(), before=last)))
    assert graph.invoke(None, older.config) == {"seen": ["a"]}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_damaged_blob(tmp_path: Path, asynchronous: bool) -> None:
    path = str(tmp_path / "threads.sqlite")
    with SqliteSaver.from_conn_string(path) as saver:
        graph = line("a", "b").compile(checkpointer=saver)
        graph.invoke({"seen": []}, thread())
    with closing(sqlite3.connect(path)) as connection, connection:
        last = connection.execute("SELECT max(checkpoint_id) FROM checkpoints").fetchone()
        connection.execute("UPDATE checkpoints SET checkpoint = x'C1FFC1' WHERE checkpoint_id = ?", last)
    with SqliteSaver.from_conn_string(path) as saver:
        graph = line("a", "b").compile(checkpointer=saver)
        for act in (
            lambda: graph.invoke({"seen": []}, thread()),
            lambda: asyncio.run(graph.ainvoke(None, thread())),
            lambda: graph.get_state(thread()),
            lambda: list(graph.get_state_history(thread())),
        ):
            with pytest.raises(UnreadableCheckpointError, match=r"The last checkpoint of thread '1'|thread '1'"):
                act()
        assert saver.conn.execute("SELECT count(*) FROM checkpoints").fetchone() == (4,)


def run_elsewhere(graph: Any) -> None:
    """Run a graph on the thread in a context of its own, in which it is no part of another run."""
    done: List[Any] = []
    run = threading.Thread(target=lambda: done.append(graph.invoke({"seen": ["theirs"]}, thread(), durability="sync")))
    run.start()
    run.join()
    assert done[0]["seen"][-1] == "other"


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_another_process_continues_the_thread(
    tmp_path: Path, durability: Any, asynchronous: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two savers on one file know nothing of each other, as in two processes. The run that comes later says so."""
    clock = LimitClock()
    monkeypatch.setattr("streamgraph._checkpoint.head_check.monotonic", clock)
    monkeypatch.setattr("streamgraph._checkpoint.thread.monotonic", clock)
    path = str(tmp_path / "threads.sqlite")
    with SqliteSaver.from_conn_string(path) as saver, SqliteSaver.from_conn_string(path) as elsewhere:
        other = line("other").compile(checkpointer=elsewhere)

        def slow(state: State) -> State:
            if "theirs" not in state["seen"]:
                if durability == "async":  # else the other one may be quicker than what stores beside the run
                    eventually(lambda: "first" in elsewhere.get_tuple(thread()).checkpoint["channel_values"]["seen"])
                run_elsewhere(other)
                clock.advance(1)  # the thread is looked at again after steps that take longer than reading it
            return {"seen": ["slow"]}

        builder = line("first").add_node(slow).add_edge("first", "slow")
        builder.add_node("last", lambda state: {"seen": ["last"]}).add_edge("slow", "last")
        graph = builder.compile(checkpointer=saver)
        line("before").compile(checkpointer=saver).invoke({"seen": ["in"]}, thread())
        with pytest.raises(ThreadMovedError, match="Thread '1' was continued by another process") as raised:
            if asynchronous:
                asyncio.run(graph.ainvoke({"seen": ["ours"]}, thread(), durability=durability))
            else:
                graph.invoke({"seen": ["ours"]}, thread(), durability=durability)
        assert isinstance(raised.value, ThreadBusyError)
        # The thread is where the other one has left it, and what this run had stored is still there.
        state = graph.get_state(thread())
        assert state.values["seen"][-2:] == ["theirs", "other"]
        assert raised.value.head is not None
        own = graph.get_state(thread(checkpoint_id=raised.value.checkpoint_id))
        assert ["in", "before", "ours", "first"][: 2 if durability == "exit" else 4] == own.values["seen"]
        assert graph.invoke({"seen": ["again"]}, thread(), durability=durability)["seen"][-1] == "last"


def test_a_thread_that_is_deleted_meanwhile_stays_deleted(tmp_path: Path) -> None:
    """Late writes do not bring a deleted thread back (langgraph #7206)."""
    with SqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:

        def delete(state: State) -> State:
            saver.delete_thread("1")
            return {"seen": ["deleted"]}

        graph = line("a").add_node(delete).add_edge("a", "delete").compile(checkpointer=saver)
        with pytest.raises(ThreadMovedError, match="Thread '1' was deleted by another process"):
            graph.invoke({"seen": []}, thread(), durability="sync")
        assert graph.get_state(thread()).created_at is None


def test_a_long_step_is_noticed_late_in_a_run(tmp_path: Path) -> None:
    """The thread is looked at again after a step that took its time, not only after the first."""
    path = str(tmp_path / "threads.sqlite")
    with SqliteSaver.from_conn_string(path) as saver, SqliteSaver.from_conn_string(path) as elsewhere:
        other = line("other").compile(checkpointer=elsewhere)

        def late(state: State) -> State:
            run_elsewhere(other)
            return {"seen": ["late"]}

        graph = line("a", "b", "c").add_node(late).add_edge("c", "late").compile(checkpointer=saver)
        with pytest.raises(ThreadMovedError):
            graph.invoke({"seen": []}, thread(), durability="sync")


def test_a_replay_makes_a_branch_of_its_own(tmp_path: Path) -> None:
    """A run from an older state does not take the head of the thread for somebody else's."""
    with SqliteSaver.from_conn_string(str(tmp_path / "threads.sqlite")) as saver:
        graph = line("a", "b").compile(checkpointer=saver)
        graph.invoke({"seen": []}, thread())
        for state in list(graph.get_state_history(thread())):
            for durability in ("sync", "async", "exit"):
                assert graph.invoke(None, state.config, durability=durability)["seen"] == ["a", "b"]
                graph.invoke({"seen": ["more"]}, state.config, durability=durability)


def test_a_send_that_is_stored_is_read() -> None:
    """The check for lost ones takes none that is there for lost."""
    builder = line("a").add_conditional_edges("a", lambda state: [Send("b", {}), Send("b", {})], ["b"])
    graph = builder.add_node("b", lambda state: {"seen": ["b"]}).compile(
        checkpointer=InMemorySaver(), interrupt_before=["b"]
    )
    graph.invoke({"seen": []}, thread())
    assert graph.invoke(None, thread()) == {"seen": ["a", "b", "b"]}
