"""What is written of a stream while it is read, and how it is replayed."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage

from streamgraph import START, MessagesState, StateGraph, get_stream_writer
from streamgraph.serialization import ClassNotAllowedError, RemoteError, Unserializable
from streamgraph.testing import (
    Cut,
    Delay,
    Duplicate,
    RecordingError,
    Reorder,
    ScriptedModel,
    StreamRuleError,
    _replaying,
    acheck_stream,
    acollect,
    arecord,
    areplay,
    check_stream,
    collect,
    record,
    replay,
)

MODES: Any = ["messages", "updates", "values", "patches", "custom", "tasks"]
GIVEN: Dict[str, Any] = {"messages": [HumanMessage("?", id="q")]}
OPTIONS: Dict[str, Any] = {"stream_mode": MODES, "version": "v2", "subgraphs": True}


class TestError(Exception):
    """A class that a reader has to allow."""

    __test__ = False


def talking(error: Any = None) -> Any:
    """A node with a nested graph that speaks, and one after it, which may fail."""
    model = ScriptedModel(["one two three"])

    def talk(state: Any) -> Any:
        get_stream_writer()({"at": 1.5, "of": {"a set"}})
        return {"messages": [model.invoke("?")]}

    def end(state: Any) -> Any:
        if error is not None:
            raise error
        return {"messages": [("ai", "the end")]}

    inner = StateGraph(MessagesState).add_node("talk", talk).add_edge(START, "talk").compile()
    builder = StateGraph(MessagesState).add_node("inner", inner).add_node("end", end)
    return builder.add_edge(START, "inner").add_edge("inner", "end").compile()


def by_stream(graph: Any, path: Path) -> Any:
    return collect(record(graph.stream(GIVEN, **OPTIONS), path))


def by_astream(graph: Any, path: Path) -> Any:
    return asyncio.run(acollect(arecord(graph.astream(GIVEN, **OPTIONS), path)))


def by_reader(graph: Any, path: Path) -> Any:
    return collect(record(graph.start(GIVEN, record=MODES).stream(**OPTIONS), path))


def by_async_reader(graph: Any, path: Path) -> Any:
    async def read() -> Any:
        run = await graph.astart(GIVEN, record=MODES)
        return await acollect(arecord(run.astream(**OPTIONS), path))

    return asyncio.run(read())


WAYS: List[Callable[..., Any]] = [by_stream, by_astream, by_reader, by_async_reader]


def at_once(path: Path, **options: Any) -> List[Any]:
    """The parts of a recording."""
    return list(replay(path, speed=None, **options))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.mark.parametrize("way", WAYS)
def test_what_is_replayed(way: Any, path: Path) -> None:
    """The same parts, whoever has read them, in the same order; the rules hold for them; and the same output."""
    seen = way(talking(), path)
    assert len(seen.parts) > 20
    again = check_stream(replay(path, speed=None))
    assert again.parts == seen.parts
    assert again.output == seen.output
    later = asyncio.run(acheck_stream(areplay(path, speed=None)))
    assert (later.parts, later.output) == (seen.parts, seen.output)


@pytest.mark.parametrize("way", WAYS)
def test_a_failure(way: Any, path: Path) -> None:
    """The reader of a recording gets the parts until then, and the error, if its class is allowed or Python's own."""
    with pytest.raises(ValueError, match="no end"):
        way(talking(ValueError("no end")), path)
    parts = replay(path, speed=None)
    with pytest.raises(ValueError, match="no end"):
        list(parts)
    assert list(parts) == []
    assert parts.output is None
    with pytest.raises(TestError, match="mine"):
        way(talking(TestError("mine")), path)
    with pytest.raises(RemoteError, match="mine"):
        at_once(path)
    with pytest.raises(TestError, match="mine"):
        at_once(path, allow=[TestError])


def test_parts_before_a_failure(path: Path) -> None:
    """The part that reports the failure is the last one."""
    with pytest.raises(ValueError, match="no end"):
        by_stream(talking(ValueError("no end")), path)
    parts, seen = replay(path, speed=None), []
    with pytest.raises(ValueError, match="no end"):
        for part in parts:
            seen.append(part)  # noqa: PERF402
    assert seen[-1]["type"] == "error"
    assert seen[-1]["data"].node == "end"
    check_stream(seen)


@pytest.mark.parametrize("leave", ["close", "with", "drop"])
def test_a_reader_that_leaves(leave: str, path: Path) -> None:
    """A recording ends where its reader has left; the stream ends as well."""
    stream = talking().stream(GIVEN, **OPTIONS)
    recorded = record(stream, path)
    seen = [next(recorded), next(recorded)]
    if leave == "close":
        recorded.close()
        assert list(recorded) == []
    elif leave == "with":
        with recorded:
            pass
    else:
        del recorded, stream
        gc.collect()
    assert at_once(path) == seen
    check_stream(replay(path, speed=None), complete=False)


def test_an_async_reader_that_leaves(path: Path) -> None:
    """So it does with an async reader: one that closes, and one that is cancelled while it waits."""

    async def closing() -> List[Any]:
        async with arecord(talking().astream(GIVEN, **OPTIONS), path) as recorded:
            return [await recorded.__anext__()]

    seen = asyncio.run(closing())
    assert at_once(path) == seen

    async def waiting(reading: asyncio.Event) -> None:
        async def never() -> Any:
            yield seen[0]
            await asyncio.Event().wait()

        async for _ in arecord(never(), path):
            reading.set()

    async def cancelling() -> None:
        reading = asyncio.Event()
        task = asyncio.create_task(waiting(reading))
        await reading.wait()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancelling())
    assert at_once(path) == seen


def test_only_typed_parts(path: Path) -> None:
    """A chunk of v1 is refused, with what to do; nothing is written before the first part is asked for."""
    stream = record(talking().stream(GIVEN, stream_mode="updates"), path)
    assert not path.exists()
    with pytest.raises(TypeError, match='version="v2"'):
        next(stream)
    with pytest.raises(OSError, match="nowhere"):
        next(record(talking().stream(GIVEN, **OPTIONS), path / "nowhere"))


def test_what_cannot_be_written(path: Path) -> None:
    """A lock in a part is a placeholder in the file, and nothing raises."""
    parts = [{"type": "custom", "ns": (), "data": {"lock": threading.Lock(), "n": float("nan"), "s": "\ud800"}}]
    assert list(record(parts, path)) == parts
    ((again),) = at_once(path)
    assert isinstance(again["data"]["lock"], Unserializable)
    assert again["data"]["n"] != again["data"]["n"]
    assert again["data"]["s"] == "\ud800"


@dataclass
class Plan:
    """A class of the user's."""

    steps: List[str]


def test_classes(path: Path) -> None:
    """A class that is not allowed is refused when the file is read, not in the middle."""
    parts = [{"type": "custom", "ns": (), "data": Plan(["a"])}]
    list(record(parts, path))
    with pytest.raises(ClassNotAllowedError, match="Plan"):
        replay(path)
    assert at_once(path, allow=[Plan]) == parts


def numbered(count: int) -> List[Any]:
    """Parts that say which they are."""
    return [{"type": "custom", "ns": (), "data": number} for number in range(count)]


def timed(path: Path, *times: float) -> None:
    """Write a recording by hand."""
    lines = [f'{{"at": {at}, "part": {{"type":"custom","ns":[],"data":{index}}}}}' for index, at in enumerate(times)]
    path.write_text("\n".join(['{"recording":1}', *lines, '{"at": 99, "end": "done", "output": 7}', ""]))


def test_a_file_that_is_torn(path: Path) -> None:
    """Wherever a file ends: its whole parts are replayed, and then it is said that the rest is missing."""
    list(record(numbered(3), path))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        lines = whole[:length].count(b"\n")
        if not lines:
            with pytest.raises(RecordingError, match="does not begin"):
                replay(path)
            continue
        seen: List[int] = []
        with pytest.raises(RecordingError, match=f"ends after {lines - 1} parts"):
            for part in replay(path, speed=None):
                seen.append(part["data"])  # noqa: PERF401
        assert seen == list(range(lines - 1))


def test_a_process_that_is_killed(path: Path) -> None:
    """Each part is in the file as soon as it was read."""
    program = (
        "import os, signal, sys\n"
        "from streamgraph.testing import record\n"
        "parts = ({'type': 'custom', 'ns': (), 'data': number} for number in range(9))\n"
        "for part in record(parts, sys.argv[1]):\n"
        "    if part['data'] == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert ended.returncode < 0
    parts = replay(path, speed=None)
    assert [next(parts)["data"] for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(RecordingError, match="ends after 5 parts"):
        next(parts)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "does not begin"),
        ("{}\n", "does not begin"),
        ('{"recording":2}\n', "does not begin"),
        ("a text\n", "no JSON"),
        ("[1]\n", "no line"),
        ('{"recording":1}\n{"at":1}\n', "Line 2"),
        ('{"recording":1}\n{"at":"x","part":{"type":"custom","ns":[],"data":1}}\n', "Line 2"),
        ('{"recording":1}\n{"at":1,"end":"soon"}\n', "no end"),
        ('{"recording":1}\n{"at":1,"end":"failed","error":1}\n', "no error"),
    ],
)
def test_what_is_no_recording(text: str, said: str, path: Path) -> None:
    """It is refused at once, with what is wrong."""
    path.write_text(text)
    with pytest.raises(RecordingError, match=said):
        replay(path)


class Clock:
    """A clock that goes on when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return False

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def arrivals(monkeypatch: pytest.MonkeyPatch, path: Path, slow: float = 0.0, **options: Any) -> List[Any]:
    """At which time which part arrives, the same for both replays."""
    clock = Clock()
    monkeypatch.setattr(_replaying, "monotonic", clock)
    monkeypatch.setattr(_replaying.asyncio, "sleep", clock.sleep)

    def in_thread() -> List[Any]:
        parts, seen = replay(path, **options), []
        parts._closed = clock  # type: ignore[assignment]
        began = clock.now
        for part in parts:
            seen.append((round(clock.now - began, 3), part["data"]))
            clock.now += slow
        return seen

    async def on_loop() -> List[Any]:
        seen, began = [], clock.now
        async for part in areplay(path, **options):
            seen.append((round(clock.now - began, 3), part["data"]))
            clock.now += slow
        return seen

    seen = in_thread()
    assert asyncio.run(on_loop()) == seen
    return seen


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [(0.5, 0), (1, 1), (3, 2)]),
        ({"speed": 10}, [(0.05, 0), (0.1, 1), (0.3, 2)]),
        ({"speed": None}, [(0, 0), (0, 1), (0, 2)]),
        ({"slow": 1}, [(0.5, 0), (1.5, 1), (3, 2)]),
        ({"speed": 10, "faults": [Delay(at=1, seconds=2)]}, [(0.05, 0), (2.1, 1), (2.3, 2)]),
        ({"speed": None, "faults": [Delay(at=[0, 2], seconds=2)]}, [(2, 0), (2, 1), (4, 2)]),
        ({"faults": [Reorder(at=0)]}, [(1, 1), (1, 0), (3, 2)]),
        ({"faults": [Duplicate(at=0, after=1)]}, [(0.5, 0), (1, 1), (1, 0), (3, 2)]),
        ({"faults": [Duplicate(at=lambda part: part["data"] == 2, after=9)]}, [(0.5, 0), (1, 1), (3, 2), (3, 2)]),
        ({"faults": [Cut(at=-1, error=None)]}, [(0.5, 0), (1, 1)]),
        ({"faults": [Cut(at=lambda part: part["data"] > 0, error=None)]}, [(0.5, 0)]),
        ({"faults": [Cut(at=3, error=None)]}, [(0.5, 0), (1, 1), (3, 2)]),
        ({"faults": [Duplicate(at=0), Reorder(at=0, after=2)]}, [(0.5, 0), (1, 1), (1, 0), (3, 2)]),
    ],
)
def test_when_parts_arrive(options: Any, expected: List[Any], monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """At their times, or faster; a reader that was slow finds them waiting; faults change what arrives and when."""
    timed(path, 0.5, 1, 3)
    assert arrivals(monkeypatch, path, **options) == expected


def test_times_are_recorded(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """A part has the time at which it was read."""
    from streamgraph.testing import _recording

    clock = Clock()
    monkeypatch.setattr(_recording, "monotonic", clock)
    for part in record(numbered(3), path):
        clock.now += part["data"] + 1
    assert arrivals(monkeypatch, path) == [(0, 0), (1, 1), (3, 2)]


def test_a_cut(path: Path) -> None:
    """By default, the reader gets the error of a lost connection; the run has no output then."""
    timed(path, 0, 0, 0)
    parts = replay(path, faults=[Cut(at=1)])
    assert next(parts)["data"] == 0
    with pytest.raises(ConnectionError, match="cut"):
        next(parts)
    assert list(parts) == []
    assert parts.output is None
    whole = replay(path)
    assert (len(list(whole)), whole.output) == (3, 7)


def test_closing_ends_the_waiting(path: Path) -> None:
    """Another thread may end a replay whose reader waits for a part."""
    timed(path, 0, 3600)
    parts = replay(path)
    assert next(parts)["data"] == 0
    seen: List[Any] = []
    reader = threading.Thread(target=lambda: seen.extend(parts))
    reader.start()
    parts.close()
    reader.join(10)
    assert not reader.is_alive()
    assert seen == []
    with replay(path) as again:
        next(again)
    assert list(again) == []


def test_closing_an_async_replay(path: Path) -> None:
    """The rest of a replay that was closed does not come."""
    timed(path, 0, 0)

    async def main() -> List[Any]:
        async with areplay(path) as parts:
            first = await parts.__anext__()
        return [first, *[part async for part in parts]]

    assert len(asyncio.run(main())) == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Cut(at=4), "no part 4"),
        (Cut(at=-4), "no part -4"),
        (Delay(at=3, seconds=1), "no part 3"),
        (Delay(at=0, seconds=-1), "negative"),
        (Duplicate(at=[]), "names no part"),
        (Reorder(at=lambda part: False), "None of the 3 parts"),
        (Reorder(at=0, after=-1), "negative"),
    ],
)
def test_faults_that_cannot_happen(fault: Any, said: str, path: Path) -> None:
    """A fault that would do nothing is a mistake in the test, and refused at once."""
    timed(path, 0, 0, 0)
    with pytest.raises(ValueError, match=said):
        replay(path, faults=[fault])


def test_other_mistakes(path: Path) -> None:
    """So is what is no fault, and a speed that is none."""
    timed(path, 0)
    with pytest.raises(TypeError, match="not a fault"):
        replay(path, faults=["cut"])  # type: ignore[list-item]
    for speed in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="speed"):
            replay(path, speed=speed)
    with pytest.raises(FileNotFoundError):
        replay(path / "nowhere" if path.is_dir() else path.with_name("nowhere"))


def test_duplicates_are_objects_of_their_own(path: Path) -> None:
    """Who changes one of the two does not change the other."""
    list(record([{"type": "custom", "ns": (), "data": {"a": [1]}}], path))
    first, second = at_once(path, faults=[Duplicate(at=0)])
    first["data"]["a"].clear()
    assert second["data"] == {"a": [1]}


def test_the_rules_find_faults(path: Path) -> None:
    """`check_stream` finds a token that comes twice, and one that comes too late."""
    by_stream(talking(), path)
    token = lambda part: part["type"] == "messages" and part["data"][0].content == " two"  # noqa: E731
    update: Any = lambda part: part["type"] == "tasks" and "result" in part["data"]  # noqa: E731
    with pytest.raises(StreamRuleError, match="message-end|update-last"):
        check_stream(replay(path, speed=None, faults=[Reorder(at=token, after=2)]))
    with pytest.raises(StreamRuleError, match="task-result"):
        check_stream(replay(path, speed=None, faults=[Duplicate(at=update)]))
    with pytest.raises(StreamRuleError, match="message-ends"):
        check_stream(replay(path, speed=None, faults=[Cut(at=token)]))
    with pytest.raises(ConnectionError):
        check_stream(replay(path, speed=None, faults=[Cut(at=token)]), complete=False)


places = st.integers(-6, 5)
faults = st.one_of(
    st.builds(Duplicate, places, st.integers(0, 7)),
    st.builds(Reorder, places, st.integers(0, 7)),
    st.builds(Delay, places, st.integers(0, 3)),
)


@settings(deadline=None, max_examples=100)
@given(st.lists(faults, max_size=4))
def test_nothing_is_lost_by_other_faults(tmp_path_factory: pytest.TempPathFactory, chosen: List[Any]) -> None:
    """Whatever comes twice, late or in another order: all parts come, and times never go back."""
    path = tmp_path_factory.getbasetemp() / "faults.jsonl"
    timed(path, *range(6))
    parts = replay(path, speed=None, faults=chosen)
    timeline = list(parts._parts)
    arrived = [one.part["data"] for one in timeline]
    assert set(arrived) == set(range(6))
    assert len(arrived) == 6 + sum(isinstance(fault, Duplicate) for fault in chosen)
    times = [one.at + one.late for one in timeline]
    assert times == sorted(times)
