"""A live run that is saved: the question is stored while it waits, and can be answered when its process has gone."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Dict, List

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver

from scenarios.live.answering import CONFIG, finish, questions_of, until
from scenarios.live.asking_graphs import GIVEN, PLACES, PLAIN, calls, tools
from streamgraph._execution.live import LiveRun
from streamgraph.types import Command
from support.waiting import PATIENCE

LIVE: Any = {"interrupts": "live", "version": "v2"}


def nothing() -> None:
    """Is called at the top of code that asks."""


@pytest.mark.parametrize("durability", ["sync", "async"])
@pytest.mark.parametrize("name", sorted(PLACES))
def test_it_is_stored_while_it_waits(name: str, durability: Any) -> None:
    """`get_state` shows what the stream has shown; another run answers it after this one was left."""
    place = PLACES[name]
    compiled = place.build(nothing, InMemorySaver())
    stream = compiled.stream(place.given, CONFIG, durability=durability, **LIVE)
    asked: Dict[str, str] = {}
    while not asked:
        asked.update({question.id: question.value for question in questions_of(next(stream))})
    stream.close()
    stored = {question.id: question.value for question in compiled.get_state(CONFIG).interrupts}
    assert stored.items() >= asked.items()
    output: Any = None
    while compiled.get_state(CONFIG).interrupts:
        answers = {question.id: f"<{question.value}>" for question in compiled.get_state(CONFIG).interrupts}
        output = compiled.invoke(Command(resume=answers), CONFIG)
    assert place.read(output) == place.wanted


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", ["nodes", "async nodes", "plain nodes"])
def test_answers_are_stored_as_well(name: str, asynchronous: bool) -> None:
    """A node that was answered once and then left is not asked that again."""
    place = PLACES[name]
    compiled = place.build(nothing, InMemorySaver())

    shown: Dict[str, str] = {}

    def see(part: Any) -> None:
        shown.update({question.value: question.id for question in questions_of(part)})

    def leave() -> None:
        stream = compiled.stream(place.given, CONFIG, **LIVE)
        while len(shown) < 2:
            see(next(stream))
        stream.answer(shown["a1"], "<a1>")
        while "a2" not in shown:
            see(next(stream))
        stream.close()

    async def aleave() -> None:
        stream = compiled.astream(place.given, CONFIG, **LIVE)
        while len(shown) < 2:
            see(await stream.__anext__())
        await stream.aanswer(shown["a1"], "<a1>")
        while "a2" not in shown:
            see(await stream.__anext__())
        await stream.aclose()

    if asynchronous:
        asyncio.run(aleave())
    else:
        leave()
    assert sorted(question.value for question in compiled.get_state(CONFIG).interrupts) == ["a2", "b"]
    answers = {question.id: f"<{question.value}>" for question in compiled.get_state(CONFIG).interrupts}
    output = asyncio.run(compiled.ainvoke(Command(resume=answers), CONFIG))
    assert place.read(output) == place.wanted


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", ["nodes", "async nodes"])
def test_an_answer_is_stored_though_the_stream_is_left_at_once(name: str, asynchronous: bool, durability: Any) -> None:
    """Nobody has pulled the stream after `answer()` has returned."""
    place = PLACES[name]
    compiled = place.build(nothing, InMemorySaver())
    options = {**LIVE, "durability": durability}

    def answered(stream: Any) -> None:
        ids = {question.value: question.id for question in stream.questions}
        stream.answer(ids["a1"], "<a1>")
        stream.answer(ids["b"], "<b>")

    async def aleave() -> None:
        stream = compiled.astream(place.given, CONFIG, **options)
        while len(stream.questions) < 2:
            await stream.__anext__()
        answered(stream)
        await stream.aclose()

    if asynchronous:
        asyncio.run(aleave())
    else:
        stream = compiled.stream(place.given, CONFIG, **options)
        until(stream, lambda: len(stream.questions) == 2)
        answered(stream)
        stream.close()
    output = compiled.invoke(None, CONFIG) if name == "nodes" else asyncio.run(compiled.ainvoke(None, CONFIG))
    (question,) = output["__interrupt__"]
    assert question.value == "a2"
    output = asyncio.run(compiled.ainvoke(Command(resume={question.id: "<a2>"}), CONFIG))
    assert place.read(output) == place.wanted


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_an_answer_to_a_question_that_is_not_shown_yet(
    asynchronous: bool, durability: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stored when `answer()` has returned; the thread that asks shows its question after the stream was left."""
    left, show = threading.Event(), LiveRun._show

    def late(self: LiveRun, scope: Any, question: Any) -> None:
        if question.value == "b":
            assert left.wait(PATIENCE)
        show(self, scope, question)

    monkeypatch.setattr(LiveRun, "_show", late)
    place = PLACES["nodes"]
    compiled = place.build(nothing, InMemorySaver())
    options = {**LIVE, "durability": durability}

    async def aleave() -> None:
        stream = compiled.astream(place.given, CONFIG, **options)
        while len(stream.questions) < 2:
            await stream.__anext__()
        stream.answer({question.value: question.id for question in stream.questions}["b"], "<b>")
        threading.Timer(0.1, left.set).start()
        await stream.aclose()

    if asynchronous:
        asyncio.run(aleave())
    else:
        stream = compiled.stream(place.given, CONFIG, **options)
        until(stream, lambda: len(stream.questions) == 2)
        stream.answer({question.value: question.id for question in stream.questions}["b"], "<b>")
        threading.Timer(0.1, left.set).start()
        stream.close()
    output = asyncio.run(compiled.ainvoke(None, CONFIG))
    assert [question.value for question in output["__interrupt__"]] == ["a1"]


@pytest.mark.parametrize("name", sorted(set(PLACES) - set(PLAIN)))
def test_it_goes_on_live_as_well(name: str) -> None:
    """A run that was left is opened again with nothing, asks again, and is answered where it stands."""
    place = PLACES[name]
    compiled = place.build(nothing, InMemorySaver())
    left = compiled.stream(place.given, CONFIG, **LIVE)
    until(left, lambda: left.questions)
    left.close()
    stream = compiled.stream(None, CONFIG, **LIVE)
    finish(stream)
    assert place.read(stream.output) == place.wanted


PROGRAM = """
import os, signal, sys
from langgraph.checkpoint.sqlite import SqliteSaver
from scenarios.live.answering import CONFIG, until
from scenarios.live.asking_graphs import PLACES
with SqliteSaver.from_conn_string(sys.argv[1]) as saver:
    graph = PLACES["nodes"].build(lambda: print("top", flush=True), saver)
    stream = graph.stream(PLACES["nodes"].given, CONFIG, interrupts="live", version="v2", durability="sync")
    until(stream, lambda: len(stream.questions) == 2)
    ids = {question.value: question.id for question in stream.questions}
    stream.answer(ids["b"], "<b>")
    until(stream, lambda: [task.name for task in graph.get_state(CONFIG).tasks if task.result] == ["b", "c"])
    print(ids["a1"], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_process_is_killed_while_it_waits(tmp_path: Path) -> None:
    """The next process answers the same question, under the same id; what was answered does not run again."""
    file = str(tmp_path / "runs.sqlite")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", PROGRAM, file], capture_output=True, text=True, timeout=150, env=env)
    assert done.returncode == -signal.SIGKILL, done.stderr
    *_, asked = done.stdout.split()
    tops = []
    with SqliteSaver.from_conn_string(file) as saver:
        compiled = PLACES["nodes"].build(lambda: tops.append(1), saver)
        (question,) = compiled.get_state(CONFIG).interrupts
        assert (question.id, question.value) == (asked, "a1")
        stream = compiled.stream(Command(resume={asked: "<a1>"}), CONFIG, **LIVE)
        finish(stream)
        assert PLACES["nodes"].read(stream.output) == PLACES["nodes"].wanted
    assert tops == [1]


@pytest.mark.parametrize("kind", ["sync", "awaits", "plain"])
def test_a_tool_that_has_finished_beside_one_that_waits_runs_once(kind: str) -> None:
    """What it has done, to pay for example, is not done again after the run was left."""
    tops: List[int] = []
    compiled = tools(kind, "ab")(lambda: tops.append(1), InMemorySaver())
    stream = compiled.stream(calls("ab"), CONFIG, heartbeat=0.001, **LIVE)
    until(stream, lambda: len(stream.questions) == 2)
    ids = {question.value: question.id for question in stream.questions}
    stream.answer(ids["a"], "<a>")

    def is_stored() -> bool:
        (pending,) = [item.pending_writes for item in compiled.checkpointer.list(CONFIG, limit=1)]
        return any(channel == "__return__" for _, channel, _ in pending)

    until(stream, is_stored)
    stream.close()
    before = len(tops)
    (question,) = compiled.get_state(CONFIG).interrupts
    assert question.id == ids["b"]
    output = compiled.invoke(Command(resume={ids["b"]: "<b>"}), CONFIG)
    assert [message.content for message in output["messages"][1:]] == ["<a>", "<b>"]
    assert len(tops) == before + 1


def test_the_input_is_not_changed() -> None:
    """The graphs of these tests share their input."""
    assert GIVEN == {"seen": ["in"]}
