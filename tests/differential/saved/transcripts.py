"""What a program on a saved thread sees of it, as plain data in which two libraries can be compared."""

from __future__ import annotations

import re
from importlib.metadata import version
from itertools import groupby
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from langgraph.checkpoint.memory import InMemorySaver

from differential.saved.graphs import Library

OLD = version("langgraph").startswith("0.")
"""LangGraph 0.6 is installed, the last on Python 3.9."""

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00")


def plain(value: Any) -> Any:
    """Return a value with ids and times replaced, questions as dicts, and tuples as lists."""
    if type(value).__name__ == "Interrupt":
        return {"value": plain(value.value), "id": "ID"}
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items() if key != "response_schema"}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return _TIME.sub("TIME", _ID.sub("ID", value))
    return value if isinstance(value, (int, float, bool, type(None))) else repr(value)


class Thread:
    """A thread with a graph on it, and what was seen of it.

    Args:
        lib: The library.
        compiled: The graph.
    """

    def __init__(self, lib: Library, compiled: Any) -> None:
        self.types = lib.types
        self.graph = compiled
        self.config: Dict[str, Any] = {"configurable": {"thread_id": "1"}}
        self.seen: List[Any] = []

    def run(self, given: Any, *, modes: Any = ("updates", "values"), **options: Any) -> None:
        """Stream, and note the chunks."""

        def stream() -> List[Any]:
            chunks = plain(list(self.graph.stream(given, self.config, stream_mode=list(modes), **options)))
            # Nodes of one step end in any order.
            together = groupby(chunks, key=lambda chunk: chunk[0] in ("updates", "tasks"))
            return [chunk for sort, group in together for chunk in (sorted(group, key=repr) if sort else group)]

        self._note(stream)

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the graph with the thread's config, and note what it returns."""
        return self._note(lambda: getattr(self.graph, method)(self.config, *args, **kwargs))

    def _note(self, act: Callable[[], Any]) -> Any:
        try:
            done = act()
        except Exception as error:
            # The subject of the message; ours go on with what to do.
            self.seen.append(("raised", type(error).__name__, plain(str(error))[:24]))
            return None
        self.seen.append(plain(done))
        return done

    def state(self, **options: Any) -> Any:
        """Note the state, and return its snapshot."""
        snapshot = self.graph.get_state(self.config, **options)
        self.seen.append(shown(snapshot))
        return snapshot

    def history(self) -> List[Any]:
        """Note the history, and return its snapshots."""
        snapshots = list(self.graph.get_state_history(self.config))
        self.seen.append([shown(snapshot) for snapshot in snapshots])
        return snapshots


def shown(snapshot: Any) -> Any:
    """Return a snapshot as plain data."""
    tasks = [
        (task.name, plain(task.path), plain(task.error), plain(task.interrupts), _inner(task.state), plain(task.result))
        for task in snapshot.tasks
    ]
    parent = snapshot.parent_config and sorted(snapshot.parent_config["configurable"])
    return {
        "values": plain(snapshot.values),
        "next": list(snapshot.next),
        "metadata": plain(snapshot.metadata and dict(snapshot.metadata)),
        "config": sorted(snapshot.config["configurable"]),
        "parent": parent,
        "tasks": tasks,
        "interrupts": plain(getattr(snapshot, "interrupts", ())),
    }


def _inner(state: Any) -> Any:
    return shown(state) if hasattr(state, "next") else plain(state)


class Program(NamedTuple):
    """A program on a thread, for both libraries.

    With LangGraph 0.6, the last on Python 3.9, a program with a `since` cannot be compared: that version lacks it.

    Attributes:
        name: Its name.
        build: Makes the graph's builder.
        play: Runs it.
        compile: Options of `compile`.
        since: What LangGraph does only from 1.0 on.
    """

    name: str
    build: Callable[[Library], Any]
    play: Callable[[Thread], None]
    compile: Dict[str, Any]
    since: str = ""


def comparable(programs: List[Program]) -> List[Program]:
    """Return the programs that the installed LangGraph can run."""
    return [program for program in programs if not (OLD and program.since)]


def transcript(lib: Library, program: Program) -> List[Any]:
    """Return what a program sees."""
    built = program.build(lib)
    compiled = (
        built(InMemorySaver()) if callable(built) else built.compile(checkpointer=InMemorySaver(), **program.compile)
    )
    thread = Thread(lib, compiled)
    program.play(thread)
    return thread.seen


def both(make: Callable[[], Any], program: Program) -> Tuple[List[Any], List[Any]]:
    """Return what LangGraph and this library see, each with nodes of its own."""
    return transcript(make().theirs(), program), transcript(make().ours(), program)
