"""Threads that old versions of LangGraph have stored; `test_old_threads.py` goes on with them.

    python old_programs.py <file>

Run with an old LangGraph, this stores them with its SqliteSaver and writes the rows of the database into a JSON file,
the names of the columns first. The files in `old_threads` were made with

| format | langgraph | langgraph-checkpoint | langgraph-checkpoint-sqlite |
|---|---|---|---|
| 1 | 0.2.60 | 2.0.9 | 2.0.1 |
| 2 | 0.2.76 | 2.0.25 | 2.0.7 |
| 3 | 0.4.10 | 2.1.0 | 2.0.10 |
| 4 | 0.5.4 | 2.1.1 | 2.0.11 |
"""

# The annotations of a state are looked up when a graph is built, so this module has no `annotations` of the future.
import base64
import json
import operator
import sqlite3
import sys
from typing import Any, Callable, Dict, List, NamedTuple

from langchain_core.messages import AIMessage, HumanMessage
from typing_extensions import Annotated, TypedDict

TABLES = ("checkpoints", "writes")


class State(TypedDict, total=False):
    seen: Annotated[List[Any], operator.add]


class Lib(NamedTuple):
    """The names of a library: this one or LangGraph."""

    StateGraph: Any
    MessagesState: Any
    START: Any
    Send: Any
    Command: Any
    interrupt: Any


class Log(NamedTuple):
    """What the nodes have done, and whether one of them fails."""

    ran: List[str]
    broken: List[bool]


def noting(log: Log, name: str) -> Callable[[Any], Dict[str, Any]]:
    def node(state: Any) -> Dict[str, Any]:
        if name == "bad" and log.broken:
            raise ValueError("bad is broken")
        log.ran.append(name)
        return {"seen": [name]}

    return node


def failed(lib: Lib, log: Log) -> Any:
    """A node has failed beside one that has finished, before a join."""
    graph = lib.StateGraph(State)
    for name in ("a", "good", "bad", "joined"):
        graph.add_node(name, noting(log, name))
    graph.add_edge(lib.START, "a")
    graph.add_conditional_edges("a", lambda state: ["bad", "good"], ["bad", "good"])
    graph.add_edge(["bad", "good"], "joined")
    return graph


def half_joined(lib: Lib, log: Log) -> Any:
    """One of two sources of a join has run, and a breakpoint is before the other."""
    graph = lib.StateGraph(State)
    for name in ("a", "quick", "slow", "paused", "joined"):
        graph.add_node(name, noting(log, name))
    graph.add_edge(lib.START, "a")
    graph.add_edge("a", "quick")
    graph.add_edge("a", "slow")
    graph.add_edge("slow", "paused")
    graph.add_edge(["quick", "paused"], "joined")
    return graph


def sent(lib: Lib, log: Log) -> Any:
    """Tasks are sent, and a breakpoint is before them."""
    graph = lib.StateGraph(State)
    for name in ("a", "last"):
        graph.add_node(name, noting(log, name))

    def paused(state: Any) -> Dict[str, Any]:
        log.ran.append(f"paused {state['number']}")
        return {"seen": [state["number"]]}

    graph.add_node("paused", paused)
    graph.add_edge(lib.START, "a")
    graph.add_conditional_edges("a", lambda state: [lib.Send("paused", {"number": n}) for n in (1, 2)], ["paused"])
    graph.add_edge("paused", "last")
    return graph


def asked(lib: Lib, log: Log) -> Any:
    """A node of a nested graph has asked."""

    def ask(state: Any) -> Dict[str, Any]:
        answer = lib.interrupt("?")
        log.ran.append("ask")
        return {"seen": [answer]}

    inner = lib.StateGraph(State)
    inner.add_node("x", noting(log, "x"))
    inner.add_node("ask", ask)
    inner.add_edge(lib.START, "x")
    inner.add_edge("x", "ask")
    graph = lib.StateGraph(State)
    graph.add_node("a", noting(log, "a"))
    graph.add_node("inner", inner.compile())
    graph.add_node("last", noting(log, "last"))
    graph.add_edge(lib.START, "a")
    graph.add_edge("a", "inner")
    graph.add_edge("inner", "last")
    return graph


def chat(lib: Lib, log: Log) -> Any:
    """A conversation has had its first turn."""

    def reply(state: Any) -> Dict[str, Any]:
        log.ran.append("reply")
        return {"messages": [AIMessage(f"{len(state['messages'])} so far", id=f"r{len(state['messages'])}")]}

    graph = lib.StateGraph(lib.MessagesState)
    graph.add_node("reply", reply)
    graph.add_edge(lib.START, "reply")
    return graph


PROGRAMS = (failed, half_joined, sent, asked, chat)


def first_input(program: Any) -> Dict[str, Any]:
    return {"messages": [HumanMessage("hi", id="h0")]} if program is chat else {"seen": ["in"]}


def begin(lib: Lib, program: Any, saver: Any) -> None:
    """Run a program until it fails, pauses, asks or ends."""
    graph = program(lib, Log([], [True]))
    paused = ["paused"] if program in (half_joined, sent) else None
    config = {"configurable": {"thread_id": program.__name__}}
    try:
        graph.compile(checkpointer=saver, interrupt_before=paused).invoke(first_input(program), config)
    except ValueError as error:
        print(error)


def main(path: str) -> None:
    """Store the threads in a file."""
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.constants import START, Send
    from langgraph.graph import MessagesState, StateGraph
    from langgraph.types import Command, interrupt

    lib = Lib(StateGraph, MessagesState, START, Send, Command, interrupt)
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    for program in PROGRAMS:
        begin(lib, program, SqliteSaver(connection))
    tables = {}
    for table in TABLES:
        found = connection.execute(f"SELECT * FROM {table}")  # noqa: S608  (one of two names)
        columns = [column[0] for column in found.description]
        tables[table] = [columns, *([_text(value) for value in row] for row in found)]
    with open(path, "w") as file:
        file.write("{\n")
        file.write(",\n".join(f'"{table}": [\n{_lines(rows)}\n]' for table, rows in tables.items()))
        file.write("\n}\n")


def _lines(rows: List[Any]) -> str:
    return ",\n".join(json.dumps(row) for row in rows)


def _text(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


if __name__ == "__main__":
    main(sys.argv[1])
