"""Twenty runs at once on one thread, in one process and in several: none of them is lost without an error."""

from __future__ import annotations

import asyncio
import operator
import os
import threading
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from typing_extensions import Annotated, TypedDict

from streamgraph._checkpoint import durability
from streamgraph.errors import ThreadBusyError
from streamgraph.graph import START, StateGraph
from support.savers import aopen_saver, jittered, open_saver
from support.waiting import eventually

DURABILITIES = ("sync", "async", "exit")
CONFIG: Dict[str, Any] = {"configurable": {"thread_id": "1"}}
RUNS = 20


class State(TypedDict, total=False):
    seen: Annotated[List[Any], operator.add]


def build(saver: Any, seconds: float = 0.002) -> Any:
    """Two nodes in a line, each of which takes its time."""

    def node(state: State) -> State:
        time.sleep(seconds)
        return {"seen": ["node"]}

    builder = StateGraph(State).add_node("a", node).add_node("b", node).add_edge(START, "a").add_edge("a", "b")
    return builder.compile(checkpointer=saver)


def check(graph: Any, succeeded: List[int]) -> None:
    """Assert that the thread has what the runs without an error have done, and nothing else."""
    seen = graph.get_state(CONFIG).values["seen"]
    assert sorted(item for item in seen if item != "node") == sorted(succeeded)
    assert seen.count("node") == 2 * len(succeeded)
    assert graph.get_state(CONFIG).next == ()


@pytest.mark.parametrize("kind", ["jitter", "sqlite"])
@pytest.mark.parametrize("durability", DURABILITIES)
@pytest.mark.parametrize("strategy", ["reject", "enqueue"])
def test_in_threads(kind: str, durability: Any, strategy: Any, tmp_path: Path) -> None:
    succeeded: List[int] = []
    failed: List[Exception] = []
    together = threading.Barrier(RUNS)
    with open_saver("memory" if kind == "jitter" else kind, tmp_path) as saver:
        graph = build(jittered(1) if kind == "jitter" else saver)

        def run(number: int) -> None:
            together.wait(20)
            try:
                graph.invoke({"seen": [number]}, CONFIG, durability=durability, multitask_strategy=strategy)
                succeeded.append(number)
            except Exception as error:
                failed.append(error)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(RUNS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(50)
        assert all(type(error) is ThreadBusyError for error in failed)
        assert len(succeeded) + len(failed) == RUNS
        assert len(succeeded) == RUNS if strategy == "enqueue" else succeeded
        check(graph, succeeded)


@pytest.mark.parametrize("kind", ["memory", "async sqlite"])
@pytest.mark.parametrize("strategy", ["reject", "enqueue"])
def test_on_a_loop(kind: str, strategy: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with aopen_saver(kind, tmp_path) as saver:
            graph = build(saver, 0)
            runs = [graph.ainvoke({"seen": [number]}, CONFIG, multitask_strategy=strategy) for number in range(RUNS)]
            results = await asyncio.gather(*runs, return_exceptions=True)
            succeeded = [number for number, result in enumerate(results) if isinstance(result, dict)]
            failed = [result for result in results if not isinstance(result, dict)]
            assert all(type(error) is ThreadBusyError for error in failed)
            assert len(succeeded) == RUNS if strategy == "enqueue" else succeeded
            await asyncio.to_thread(check, graph, succeeded) if kind != "memory" else check(graph, succeeded)

    asyncio.run(main())


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["sync", "async"])
def test_in_processes(durability: Any, tmp_path: Path) -> None:
    """Savers know nothing of other processes, so a run looks whether its thread has moved."""
    path = str(tmp_path / "threads.sqlite")
    with SqliteSaver.from_conn_string(path) as saver:
        build(saver, 0).invoke({"seen": []}, CONFIG)
    ready, go = os.pipe(), os.pipe()
    children: Dict[int, int] = {}
    for number in range(8):
        child = os.fork()
        if not child:
            status = 1
            try:
                with SqliteSaver.from_conn_string(path) as saver:
                    graph = build(saver, 0.05)
                    os.write(ready[1], b".")
                    os.close(go[1])
                    os.read(go[0], 1)  # ends when the parent closes its end
                    graph.invoke({"seen": [number]}, CONFIG, durability=durability)
                status = 0
            except ThreadBusyError:
                status = 3
            finally:
                os._exit(status)
        children[child] = number
    for _ in children:
        os.read(ready[0], 1)
    os.close(go[1])
    ended = {number: os.WEXITSTATUS(os.waitpid(child, 0)[1]) for child, number in children.items()}
    assert set(ended.values()) <= {0, 3}
    with SqliteSaver.from_conn_string(path) as saver:
        seen = build(saver).get_state(CONFIG).values["seen"]
    succeeded = [number for number, status in ended.items() if not status]
    # The input of a run that failed may be there as well, if another one has taken the thread over from it.
    assert succeeded and set(succeeded) <= set(seen)


def test_a_backlog_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under `async` a run waits for a slow saver when as much as it may wait for is waiting (langgraph #7094)."""
    monkeypatch.setattr(durability, "_WAITING", 40)
    ran: List[int] = []
    behind: List[int] = []

    class SlowSaver(InMemorySaver):
        """A saver that stores a record when the run is far ahead of it, in a thread of its own."""

        def put(self, *args: Any, **kwargs: Any) -> Any:
            eventually(lambda: len(ran) - args[2]["step"] > 10 or len(ran) == 200)
            done = super().put(*args, **kwargs)
            behind.append(len(ran) - args[2]["step"])
            return done

    builder = StateGraph(State)
    names = [f"n{number}" for number in range(200)]
    for name in names:
        builder.add_node(name, lambda state: ran.append(1) or {"seen": [1]})  # type: ignore[func-returns-value]
    for source, target in zip((START, *names), names):
        builder.add_edge(source, target)
    graph = builder.compile(checkpointer=SlowSaver())

    async def main() -> None:
        config: Any = {**CONFIG, "recursion_limit": 300}
        async for _ in graph.astream({"seen": []}, config, durability="async"):
            pass

    asyncio.run(main())
    assert len(ran) == 200
    # A record and a note for each step. That a run does not wait before is in test_backlog.py.
    assert 10 < max(behind) <= 22
    assert graph.get_state(CONFIG).values["seen"] == [1] * 200
