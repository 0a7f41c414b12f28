"""Runs whose processes are killed after so many calls that store something; run by `test_killed.py`.

    python killed.py <folder> <durability> [<address of a PostgreSQL database>]

Without a database they are saved in an SQLite file. Each run is a process of its own, forked from this one, which
prints what came of them as JSON: for each number of calls the nodes that had run and the tasks whose results were
stored when the process died, the nodes that ran in all, and the final state.
"""

from __future__ import annotations

import json
import operator
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, Dict, List, Set, Tuple

from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from psycopg import Connection
from typing_extensions import Annotated, TypedDict

from streamgraph.graph import START, StateGraph
from streamgraph.types import Command, Send, interrupt


class State(TypedDict, total=False):
    seen: Annotated[List[str], operator.add]


def build(log: str) -> StateGraph[State]:
    """A graph with a join, a question, a nested graph and tasks that are sent."""

    def note(name: str) -> Any:
        def node(state: Any) -> Dict[str, Any]:
            with open(log, "a") as file:
                file.write(f"{name}\n")
            return {"seen": [name]}

        return node

    def ask(state: Any) -> Dict[str, Any]:
        answer = interrupt("?")
        return note(answer)(state)  # type: ignore[no-any-return]

    inner = StateGraph(State).add_node("x", note("x")).add_node("y", note("y")).add_edge(START, "x").add_edge("x", "y")
    builder = StateGraph(State)
    for name in ("a", "b", "c", "joined", "sent"):
        builder.add_node(name, note(name))
    builder.add_node("inner", inner.compile())
    builder.add_edge(START, "a").add_edge("a", "b").add_edge("a", "c").add_edge(["b", "c"], "joined")
    builder.add_node(ask).add_edge("joined", "ask").add_edge("ask", "inner")
    builder.add_conditional_edges("inner", lambda state: [Send("sent", {}), Send("sent", {})], ["sent"])
    return builder


class Dying:
    """A saver whose process is killed after so many calls that store something."""

    left = -1

    def put(self, *args: Any, **kwargs: Any) -> Any:
        done = super().put(*args, **kwargs)  # type: ignore[misc]
        self._count()
        return done

    def put_writes(self, *args: Any, **kwargs: Any) -> Any:
        super().put_writes(*args, **kwargs)  # type: ignore[misc]
        self._count()

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class DyingSqliteSaver(Dying, SqliteSaver):
    """One on a file."""


class DyingPostgresSaver(Dying, PostgresSaver):
    """One on a server."""


class Killed:
    """The runs on one thread.

    Args:
        folder: Where they leave what they have to tell.
        durability: Their durability.
        database: The address of a PostgreSQL database, or nothing.
    """

    def __init__(self, folder: Path, durability: Any, database: str) -> None:
        self.folder = folder
        self.durability = durability
        self.database = database
        folder.mkdir()

    def play(self, calls: int) -> None:
        """Begin the run, or go on with it, and write its final state into a file."""
        file = str(self.folder / "threads.sqlite")
        kind, place = (DyingPostgresSaver, self.database) if self.database else (DyingSqliteSaver, file)
        with kind.from_conn_string(place) as saver:
            saver.left = calls
            graph = build(str(self.folder / "log")).compile(checkpointer=saver)
            config: Any = {"configurable": {"thread_id": self.folder.name}, "max_concurrency": 1}
            state, answer = graph.get_state(config), Command(resume="answered")
            begun = answer if state.interrupts else None
            given = {"seen": ["in"]} if state.created_at is None else begun
            final = graph.invoke(given, config, durability=self.durability)
            if "__interrupt__" in final:
                final = graph.invoke(answer, config, durability=self.durability)
            (self.folder / "final").write_text(json.dumps(final["seen"]))

    def forked(self, calls: int) -> Tuple[bool, int]:
        """Play in a process of its own, and return whether it was killed, and its exit status."""
        child = os.fork()
        if not child:
            status = 1
            try:
                self.play(calls)
                status = 0
            finally:
                os._exit(status)
        ended = os.waitpid(child, 0)[1]
        return os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGKILL, ended

    def ran(self) -> List[str]:
        """Return the nodes that have run so far."""
        log = self.folder / "log"
        return log.read_text().split() if log.exists() else []

    def stored(self) -> int:
        """Return how many tasks have results in the database."""
        rows: List[Any]
        if self.database:
            query = "SELECT checkpoint_ns, task_id, channel FROM checkpoint_writes WHERE thread_id = %s"
            with Connection.connect(self.database) as server:
                rows = server.execute(query, (self.folder.name,)).fetchall()
        else:
            with closing(sqlite3.connect(str(self.folder / "threads.sqlite"))) as file:
                rows = file.execute("SELECT checkpoint_ns, task_id, channel FROM writes").fetchall()
        without = ("__error__", "__no_writes__", "__interrupt__", "__resume__")
        tasks: Set[Tuple[str, str]] = {(ns, task) for ns, task, channel in rows if channel not in without}
        return len(tasks)


def main(place: str, durability: str, database: str = "") -> None:
    """Let a run die after 1, 2, 3, … calls, until one is not long enough, and go on with each."""
    outcomes: List[Dict[str, Any]] = []
    if database:
        with PostgresSaver.from_conn_string(database) as saver:
            saver.setup()
    killed = True
    while killed:
        runs = Killed(Path(place) / str(len(outcomes) + 1), durability, database)
        killed, status = runs.forked(len(outcomes) + 1)
        before, known = runs.ran(), runs.stored()
        if killed:
            status = runs.forked(-1)[1]
        final = json.loads((runs.folder / "final").read_text()) if (runs.folder / "final").exists() else None
        outcomes.append({"status": status, "before": before, "stored": known, "ran": runs.ran(), "final": final})
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main(*sys.argv[1:])
