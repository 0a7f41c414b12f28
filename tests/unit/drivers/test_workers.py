"""The threads of nodes: as many as wait for something at once, and no more than that."""

from __future__ import annotations

import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any, Dict, Iterator, List, Set

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import Annotated, TypedDict

from streamgraph import START, StateGraph
from streamgraph._drivers import workers
from streamgraph._drivers.workers import WorkerPool

PATIENCE = 20.0


@pytest.fixture
def undisturbed() -> Iterator[None]:
    """A thread goes on until it waits for something: the interpreter does not change to another by itself."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(60)
    yield
    sys.setswitchinterval(before)


class Tasks:
    """Tasks that note their ends, and the threads that they were done in."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.threads: Set[int] = set()
        self.over = threading.Event()
        self._lock = threading.Lock()

    def done(self) -> None:
        """A task has ended."""
        with self._lock:
            self.left -= 1
            self.threads.add(threading.get_ident())
        if not self.left:
            self.over.set()


def test_each_waits_for_all_others() -> None:
    """Tasks that can only end together do end."""
    tasks, barrier, pool = Tasks(40), threading.Barrier(40), WorkerPool()

    def meet() -> None:
        barrier.wait(PATIENCE)
        tasks.done()

    for _ in range(40):
        pool.do(meet)
    assert tasks.over.wait(PATIENCE)
    assert len(tasks.threads) == 40


@pytest.mark.usefixtures("undisturbed")
def test_short_ones_share_a_thread() -> None:
    """What waits for nothing does not get a thread each."""
    tasks, pool = Tasks(500), WorkerPool()
    for _ in range(500):
        pool.do(tasks.done)
    assert tasks.over.wait(PATIENCE)
    assert len(tasks.threads) <= 2


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sets(st.integers(0, 11), max_size=3), min_size=12, max_size=12), st.permutations(range(12)))
def test_whatever_waits_for_whatever(waits: List[Set[int]], order: List[int]) -> None:
    """Tasks that wait for others, which may be given before or after them: none is kept from its end."""
    tasks, pool = Tasks(12), WorkerPool()
    ended = [threading.Event() for _ in waits]

    def run(number: int) -> None:
        for other in waits[number]:
            if other < number:  # never in a circle
                ended[other].wait(PATIENCE)
        ended[number].set()
        tasks.done()

    for number in order:
        pool.do(partial(run, number))
    assert tasks.over.wait(PATIENCE / 2)


def test_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system gives no more threads: those there are do it, and without any the task is refused."""
    pool, tasks, begun, go_on = WorkerPool(), Tasks(5), threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        go_on.wait(PATIENCE)
        tasks.done()

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pool.do(hold)
    assert begun.wait(PATIENCE)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="new thread"):
        pool.do(tasks.done)
    # A call that is under way takes in what comes meanwhile.
    assert pool._starting.acquire(blocking=False)
    for _ in range(4):
        pool.do(tasks.done)
    pool._starting.release()
    go_on.set()
    assert tasks.over.wait(PATIENCE)
    assert len(tasks.threads) == 1


def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the moment in which a thread is started: what is done later is not kept from its threads."""
    pool, tasks, start = WorkerPool(), Tasks(3), threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pool.do(lambda: None)
    monkeypatch.undo()
    barrier = threading.Barrier(3)

    def meet() -> None:
        barrier.wait(PATIENCE)
        tasks.done()

    for _ in range(3):
        pool.do(meet)
    assert tasks.over.wait(PATIENCE)


@pytest.mark.slow
def test_interrupted_at_any_moment() -> None:
    """Ctrl-C wherever it hits a run: the next ones do all they are to do, and no thread is left."""
    script = Path(__file__).with_name("interrupts.py")
    command = [sys.executable, str(script), "--runs", "400"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


def test_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """One run uses so many threads at once and no more; what waits for its turn gets it."""
    monkeypatch.setattr(workers, "_THREADS", 3)
    tasks, at_once, most, lock, pool = Tasks(20), [0], [0], threading.Lock(), workers.RunThreads()
    three, all_given = threading.Barrier(3), threading.Event()

    def work(number: int) -> None:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        assert all_given.wait(PATIENCE)
        if number < 3:
            three.wait(PATIENCE)
        with lock:
            at_once[0] -= 1
        tasks.done()

    for number in range(20):
        pool.start(work, number)
    all_given.set()
    assert tasks.over.wait(PATIENCE)
    assert most == [3]


class State(TypedDict):
    """What nodes have seen."""

    seen: Annotated[list, lambda one, other: one + other]  # type: ignore[type-arg]


def wide(node: Any, count: int) -> Any:
    """A graph with so many of a node beside each other."""
    builder = StateGraph(State)
    for number in range(count):
        builder.add_node(f"n{number}", node)
        builder.add_edge(START, f"n{number}")
    return builder.compile()


@pytest.mark.usefixtures("undisturbed")
def test_wide_step_of_short_nodes() -> None:
    """A hundred nodes that wait for nothing take a thread or two."""
    output = wide(lambda state: {"seen": [threading.current_thread().name]}, 100).invoke({"seen": []})
    assert len(output["seen"]) == 100
    assert len(set(output["seen"])) <= 2


def test_wide_step_of_waiting_nodes() -> None:
    """A hundred nodes that can only end together do, each in a thread of its own."""
    barrier = threading.Barrier(100)

    def node(state: State) -> Dict[str, Any]:
        barrier.wait(PATIENCE)
        return {"seen": [threading.current_thread().name]}

    assert len(set(wide(node, 100).invoke({"seen": []})["seen"])) == 100


def test_nested_in_wide_step() -> None:
    """Each of the nodes beside each other runs a graph that runs such nodes, and all of those meet."""
    barrier = threading.Barrier(36)

    def leaf(state: State) -> Dict[str, Any]:
        barrier.wait(PATIENCE)
        return {"seen": [threading.current_thread().name]}

    inner = wide(leaf, 6)
    outer = wide(lambda state: {"seen": inner.invoke({"seen": []})["seen"]}, 6)
    assert len(set(outer.invoke({"seen": []})["seen"])) == 36
