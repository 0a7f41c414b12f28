"""Runs on SQLite files whose processes die after so many calls that store something; run by `test_killed.py`.

    python killed.py <folder> <durability>

Each run is a process of its own, forked from this one, which prints what came of them as JSON: for each number of calls
the nodes that had run and the tasks whose results were stored when the process died, the nodes that ran in all, and the
final state.
"""

from __future__ import annotations

import json
import operator
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any, Dict, List

from langgraph.checkpoint.sqlite import SqliteSaver
from typing_extensions import Annotated, TypedDict

from streamgraph.graph import START, StateGraph
from streamgraph.types import Send


class State(TypedDict, total=False):
    seen: Annotated[List[str], operator.add]


def build(log: str) -> StateGraph[State]:
    """A graph with a join, a nested graph and tasks that are sent."""

    def note(name: str) -> Any:
        def node(state: Any) -> Dict[str, Any]:
            with open(log, "a") as file:
                file.write(f"{name}\n")
            return {"seen": [name]}

        return node

    inner = StateGraph(State).add_node("x", note("x")).add_node("y", note("y")).add_edge(START, "x").add_edge("x", "y")
    builder = StateGraph(State)
    for name in ("a", "b", "c", "joined", "sent"):
        builder.add_node(name, note(name))
    builder.add_node("inner", inner.compile())
    builder.add_edge(START, "a").add_edge("a", "b").add_edge("a", "c").add_edge(["b", "c"], "joined")
    builder.add_edge("joined", "inner")
    builder.add_conditional_edges("inner", lambda state: [Send("sent", {}), Send("sent", {})], ["sent"])
    return builder


class DyingSaver(SqliteSaver):
    """A saver whose process ends after so many calls that store something."""

    left = -1

    def put(self, *args: Any, **kwargs: Any) -> Any:
        done = super().put(*args, **kwargs)
        self._count()
        return done

    def put_writes(self, *args: Any, **kwargs: Any) -> Any:
        super().put_writes(*args, **kwargs)
        self._count()

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            os._exit(9)


def play(folder: Path, durability: Any, calls: int) -> None:
    """Begin the run, or go on with it, and write its final state into a file."""
    with DyingSaver.from_conn_string(str(folder / "threads.sqlite")) as saver:
        saver.left = calls
        graph = build(str(folder / "log")).compile(checkpointer=saver)
        config: Any = {"configurable": {"thread_id": "1"}, "max_concurrency": 1}
        begun = graph.get_state(config).created_at is not None
        final = graph.invoke(None if begun else {"seen": ["in"]}, config, durability=durability)
        (folder / "final").write_text(json.dumps(final["seen"]))


def forked(folder: Path, durability: Any, calls: int) -> int:
    """Play in a process of its own, and return its exit status."""
    child = os.fork()
    if not child:
        status = 1
        try:
            play(folder, durability, calls)
            status = 0
        finally:
            os._exit(status)
    return os.WEXITSTATUS(os.waitpid(child, 0)[1])


def ran(folder: Path) -> List[str]:
    """Return the nodes that have run so far."""
    log = folder / "log"
    return log.read_text().split() if log.exists() else []


def stored(folder: Path) -> int:
    """Return how many tasks have results in the file."""
    with sqlite3.connect(str(folder / "threads.sqlite")) as connection:
        rows = connection.execute("SELECT checkpoint_ns, task_id, channel FROM writes").fetchall()
    return len({(ns, task) for ns, task, channel in rows if channel not in ("__error__", "__no_writes__")})


def main(place: str, durability: str) -> None:
    """Let a run die after 1, 2, 3, … calls, until one is not long enough, and go on with each."""
    outcomes: List[Dict[str, Any]] = []
    status = 9
    while status == 9:
        folder = Path(place) / str(len(outcomes) + 1)
        folder.mkdir()
        status = forked(folder, durability, len(outcomes) + 1)
        before, known = ran(folder), stored(folder)
        went_on = forked(folder, durability, -1) if status == 9 else status
        final = json.loads((folder / "final").read_text()) if (folder / "final").exists() else None
        outcomes.append({"status": went_on, "before": before, "stored": known, "ran": ran(folder), "final": final})
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main(*sys.argv[1:])
