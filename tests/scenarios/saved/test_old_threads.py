"""Threads that LangGraph has stored in older formats go on as if nothing had happened: one of each format, 1 to 4."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.sqlite import SqliteSaver

from scenarios.saved.old_programs import (
    PROGRAMS,
    TABLES,
    Lib,
    Log,
    asked,
    chat,
    failed,
    half_joined,
    sent,
)
from streamgraph._checkpoint import wire
from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.types import Command, Interrupt, Send, interrupt

LIB = Lib(StateGraph, MessagesState, START, Send, Command, interrupt)
FOLDER = Path(__file__).with_name("old_threads")

GOES_ON: Dict[Any, Any] = {
    failed: (("bad",), None, ["bad", "joined"], ["in", "a", "bad", "good", "joined"]),
    half_joined: (("paused",), None, ["paused", "joined"], ["in", "a", "quick", "slow", "paused", "joined"]),
    sent: (("paused", "paused"), None, ["paused 1", "paused 2", "last"], ["in", "a", 1, 2, "last"]),
    asked: (("inner",), Command(resume="yes"), ["ask", "last"], ["in", "a", "in", "a", "x", "yes", "last"]),
    chat: ((), {"messages": [HumanMessage("again", id="h2")]}, ["reply"], ["hi", "1 so far", "again", "3 so far"]),
}
"""For each program: what is due, the input with which it goes on, the nodes that run, and what the state is then."""


@pytest.fixture(params=[1, 2, 3, 4])
def saver(request: Any) -> Iterator[SqliteSaver]:
    """A saver on the rows that an older one has stored."""
    with SqliteSaver.from_conn_string(":memory:") as saver:
        saver.setup()
        stored = json.loads((FOLDER / f"format_{request.param}.json").read_text())
        for table in TABLES:
            columns, *rows = stored[table]
            insert = f"INSERT INTO {table} ({','.join(columns)}) VALUES ({','.join('?' * len(columns))})"  # noqa: S608
            for row in rows:
                values = [base64.b64decode(value["base64"]) if isinstance(value, dict) else value for value in row]
                saver.conn.execute(insert, values)
        assert {saver.serde.loads_typed(row)["v"] for row in _blobs(saver)} == {request.param}
        yield saver


def _blobs(saver: SqliteSaver) -> List[Any]:
    return saver.conn.execute("SELECT type, checkpoint FROM checkpoints").fetchall()


def texts(state: Any) -> List[Any]:
    return state["seen"] if "seen" in state else [message.content for message in state["messages"]]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_it_goes_on(saver: Any, program: Any, asynchronous: bool) -> None:
    due, given, nodes, result = GOES_ON[program]
    log = Log([], [])
    graph = program(LIB, log).compile(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": program.__name__}, "max_concurrency": 1}
    state = graph.get_state(config, subgraphs=True)
    assert state.next == due
    assert [question.value for question in state.interrupts] == (["?"] if program is asked else [])
    final = asyncio.run(graph.ainvoke(given, config)) if asynchronous else graph.invoke(given, config)
    assert texts(final) == texts(graph.get_state(config).values) == result
    assert log.ran == nodes
    # Older and newer states are read together, and each is the start of a branch.
    history = list(graph.get_state_history(config))
    assert texts(history[0].values) == result
    assert history[-1].next == ("__start__",)
    again = graph.invoke(None, history[-1].config)
    assert texts(again) == {asked: ["in", "a"], chat: ["hi", "1 so far"]}.get(program, result)


@pytest.mark.parametrize("program", [failed, half_joined, sent])
def test_every_state_goes_on(saver: Any, program: Any) -> None:
    result = GOES_ON[program][3]
    graph = program(LIB, Log([], [])).compile(checkpointer=saver)
    states = list(graph.get_state_history({"configurable": {"thread_id": program.__name__}}))
    assert len(states) > 2
    for state in states:
        assert texts(graph.invoke(None, state.config)) == result


def test_an_old_question_without_langgraph(saver: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found by its id, which LangGraph before 0.6 did not store, and read by a class of our own."""
    stored = saver.get_tuple({"configurable": {"thread_id": "asked"}}).pending_writes
    question = next(value for _, name, value in stored if name == "__interrupt__")
    with_langgraph = (question[0] if isinstance(question, list) else question).id
    monkeypatch.setattr(wire, "is_installed", lambda: False)
    graph = asked(LIB, Log([], [])).compile(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "asked"}}
    (open_question,) = graph.get_state(config).interrupts
    assert (type(open_question), open_question.id) == (Interrupt, with_langgraph)
    assert texts(graph.invoke(Command(resume={open_question.id: "yes"}), config)) == GOES_ON[asked][3]


def test_a_changed_state_goes_on(saver: Any) -> None:
    """An update beside a finished task of an old step keeps what that has finished."""
    graph = failed(LIB, Log([], [])).compile(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "failed"}}
    graph.update_state(config, {"seen": ["changed"]}, as_node="bad")
    assert sorted(graph.invoke(None, config)["seen"]) == sorted(["in", "a", "changed", "good", "joined"])


def test_rows_are_complete() -> None:
    """Each file has all programs, so that none is left out by mistake when they are made again."""
    for number in (1, 2, 3, 4):
        stored = json.loads((FOLDER / f"format_{number}.json").read_text())
        assert {row[0] for row in stored["checkpoints"][1:]} == {program.__name__ for program in PROGRAMS}
