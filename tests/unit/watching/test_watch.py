"""`watch` passes every chunk on as it is, and shows what it is told; for every mode, sync and async."""

from __future__ import annotations

import asyncio
import io
import sys
from typing import Any, AsyncIterator, Iterator, List

import pytest

from streamgraph.graph import START, MessagesState, StateGraph
from streamgraph.testing import Gate, ScriptedModel
from streamgraph.types import StreamWriter, interrupt
from streamgraph.watching import AsyncWatched, Watched, watch

MODES = ["values", "patches", "updates", "custom", "messages", "objects", "tools", "tasks", "debug", "checkpoints"]

SAYS = {
    "values": "ai: Cats sleep.",
    "patches": "the graph: patch [{",
    "updates": "say: update {messages: ai: Cats sleep.}",
    "custom": "custom {n: 1}",
    "messages": "say: Cats sleep.\n",
    "tasks": "say: [started]",
    "debug": "say: [started]",
}


def graph(**options: Any) -> Any:
    model = ScriptedModel(["Cats sleep."], cycle=True)

    def say(state: Any, writer: StreamWriter) -> Any:
        writer({"n": 1})
        return {"messages": model.invoke(state["messages"])}

    return StateGraph(MessagesState).add_node("say", say).add_edge(START, "say").compile(**options)


def passed(chunks: List[Any], stream: Any) -> Iterator[Any]:
    for chunk in stream:
        chunks.append(chunk)
        yield chunk


async def apassed(chunks: List[Any], stream: Any) -> AsyncIterator[Any]:
    async for chunk in stream:
        chunks.append(chunk)
        yield chunk


def read(is_async: bool, stream: Any, file: Any, **options: Any) -> List[Any]:
    if not is_async:
        return list(watch(stream, file=file, **options))

    async def main() -> List[Any]:
        return [chunk async for chunk in watch(stream, file=file, **options)]

    return asyncio.run(main())


@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_chunks_are_passed_on_and_shown(mode: str, is_async: bool, version: str, foreign: bool) -> None:
    """The very same objects, in the same order; a generator around the stream is shown alike if its mode is said."""
    made, file, chunks = graph(), io.StringIO(), []  # type: ignore[var-annotated]
    open_ = made.astream if is_async else made.stream
    stream = open_({"messages": "?"}, stream_mode=mode, version=version)
    options: Any = {}
    if foreign:
        options = {"stream_mode": mode}
        stream = (apassed if is_async else passed)(chunks, stream)
    found = read(is_async, stream, file, **options)
    shown = file.getvalue()
    if foreign:
        assert [id(chunk) for chunk in found] == [id(chunk) for chunk in chunks]
    assert SAYS.get(mode, "") in shown
    assert mode == "messages" or shown.endswith(" s\n")
    assert bool(found) == (mode in SAYS)


@pytest.mark.parametrize("is_async", [False, True])
def test_all_modes_together(is_async: bool) -> None:
    made, file = graph(), io.StringIO()
    open_ = made.astream if is_async else made.stream
    read(is_async, open_({"messages": "?"}, stream_mode=MODES, subgraphs=True), file)
    for mode, says in SAYS.items():
        assert says.rstrip("\n") in file.getvalue(), mode


def test_in_one_line_with_the_output_of_the_stream() -> None:
    file = io.StringIO()
    watched = watch(graph().stream({"messages": "?"}), file=file)
    assert isinstance(watched, Watched)
    assert file.getvalue() == ""  # nothing is read before it is
    assert watched.run()["messages"][-1].content == "Cats sleep."
    assert watched.status == "done"  # what the stream has
    assert watched.view.status == "done"
    assert file.getvalue().startswith("say: [done]\nsay: update ")


def test_in_one_line_async() -> None:
    async def main() -> Any:
        watched = watch(graph().astream({"messages": "?"}), file=io.StringIO())
        assert isinstance(watched, AsyncWatched)
        return await watched.run()

    assert asyncio.run(main())["messages"][-1].content == "Cats sleep."


@pytest.mark.parametrize("is_async", [False, True])
def test_errors_are_shown_and_raised(is_async: bool) -> None:
    def fail(state: Any) -> Any:
        raise ValueError("no \x1b[2J")

    made = StateGraph(MessagesState).add_node("fail", fail).add_edge(START, "fail").compile()
    file = io.StringIO()
    open_ = made.astream if is_async else made.stream
    with pytest.raises(ValueError, match="no"):
        read(is_async, open_({"messages": "?"}, stream_mode=["tasks", "values"]), file)
    assert "fail: [failed] ValueError: no ␛[2J\n[error] ValueError: no ␛[2J" in file.getvalue()
    assert "[failed] after" in file.getvalue()


def test_leaving_early_stops_the_run_and_says_so() -> None:
    file = io.StringIO()
    with watch(graph().stream({"messages": "?"}, stream_mode="tasks"), file=file) as watched:
        next(watched)
    assert watched.status == "closed"
    assert file.getvalue().splitlines()[-1].startswith("[cancelled] after")

    file = io.StringIO()
    for _ in watch(graph().stream({"messages": "?"}, stream_mode="tasks"), file=file):
        break
    assert "[cancelled]" in file.getvalue()

    async def main() -> None:
        async with watch(graph().astream({"messages": "?"}, stream_mode="tasks"), file=file) as watched:
            await watched.__anext__()
        assert watched.status == "closed"

    asyncio.run(main())
    assert file.getvalue().count("[cancelled]") == 2


def test_what_is_never_read_shows_nothing() -> None:
    file = io.StringIO()
    watch(graph().stream({"messages": "?"}), file=file)
    watch(graph().stream({"messages": "?"}), file=file).close()
    assert file.getvalue() == ""


def test_a_question_is_shown_and_answered_on_the_way() -> None:
    def ask(state: Any) -> Any:
        return {"messages": [("ai", f"You said {interrupt('May I?')}")]}

    made = StateGraph(MessagesState).add_node("ask", ask).add_edge(START, "ask").compile()
    file = io.StringIO()
    watched: Any = watch(
        made.stream({"messages": "?"}, stream_mode=["updates", "values"], interrupts="live"), file=file
    )
    for mode, data in watched:
        for question in data.get("__interrupt__", ()) if mode == "updates" else ():
            assert "[question] May I?" in file.getvalue()
            watched.answer(question.id, "yes")
    assert "ai: You said yes" in file.getvalue()
    assert watched.view.questions == {}


class Tty(io.StringIO):
    """A terminal, as far as `isatty` tells."""

    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("why", ["no rich", "dumb", "latin-1", "screen"])
def test_where_lines_are_written_though_it_is_a_terminal(monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    """Without Rich, on a terminal that cannot move its cursor, or on one that does not know the signs."""
    pytest.importorskip("rich")
    from streamgraph.watching import _display

    file = Tty()
    monkeypatch.setenv("TERM", "dumb" if why == "dumb" else "xterm")
    if why == "no rich":
        monkeypatch.setattr(_display.importlib.util, "find_spec", lambda name: None)
    if why == "latin-1":
        file.encoding = "latin-1"
    watch(graph().stream({"messages": "?"}, stream_mode=["tasks", "messages"]), file=file).run()
    assert file.getvalue().startswith("say: [started]\nsay: Cats sleep.\n") == (why != "screen")
    assert ("\x1b[?25h" in file.getvalue()) == (why == "screen")  # the cursor is shown again


def test_a_picture_is_drawn_while_the_view_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread draws it; an error there would fail this test as one that nobody has handled."""
    pytest.importorskip("rich")
    from streamgraph.watching import _rich

    monkeypatch.setattr(_rich, "_FRAMES_PER_SECOND", 500)
    monkeypatch.setenv("TERM", "xterm")

    def parts() -> Iterator[Any]:
        for number in range(1_500):
            task = {"id": str(number), "name": f"node {number % 300}", "triggers": ()}
            yield "tasks", {**task, "input": {}}
            where = {"langgraph_checkpoint_ns": f"node {number % 300}:{number}"}
            yield "messages", ({"type": "AIMessageChunk", "content": "word\n", "id": f"m{number % 400}"}, where)
            yield "tasks", {**task, "result": {}, "error": None, "interrupts": []}

    file = Tty()
    watched = watch(parts(), file=file)
    watched.run()
    assert len(watched.view.nodes) == 300
    assert file.getvalue().count("node 299") > 1


@pytest.mark.parametrize("is_async", [False, True])
def test_a_started_run_is_watched_by_one_more_reader(capsys: pytest.CaptureFixture[str], is_async: bool) -> None:
    made = graph(name="joker")

    async def main() -> Any:
        run = await made.astart({"messages": "?"}, record=["tasks", "messages"])
        await run.awatch().run()
        return run

    if is_async:
        run = asyncio.run(main())
    else:
        run = made.start({"messages": "?"}, record=["tasks", "messages"])
        run.watch().run()
    assert run.status == "done"
    assert capsys.readouterr().out.startswith("say: [started]\nsay: Cats sleep.\nsay: [done]")


def test_a_started_run_that_is_left_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    gate = Gate()
    model = ScriptedModel(["one two"], gate=gate)
    builder = StateGraph(MessagesState).add_node("say", lambda state: {"messages": model.invoke(state["messages"])})
    with gate:
        run = builder.add_edge(START, "say").compile().start({"messages": "?"}, record=["tasks"], subgraphs=False)
        with run.watch() as watched:
            next(watched)
        assert run.status == "running"
    assert run.result()["messages"][-1].content == "one two"
    assert capsys.readouterr().out.splitlines()[-1].startswith("[goes on] after")


def test_a_stream_of_langgraph_is_shown_alike() -> None:
    """Its chunks have the same form; the modes that were asked for are seen by the chunks."""
    peer = pytest.importorskip("langgraph.graph")
    model = ScriptedModel(["Cats sleep."], cycle=True)

    def say(state: Any) -> Any:
        return {"messages": model.invoke(state["messages"])}

    made = peer.StateGraph(peer.MessagesState).add_node("say", say).add_edge(peer.START, "say").compile()
    file = io.StringIO()
    watch(made.stream({"messages": "?"}, stream_mode=["tasks", "messages", "values"]), file=file).run()
    lines = file.getvalue().splitlines()
    assert lines[:2] == ["say: [started]", "say: Cats sleep."]
    assert lines[-3:-1] == ["  messages: human: ?", "    ai: Cats sleep."]


def test_streams_and_readers_say_what_they_are() -> None:
    stream = graph().stream({"messages": "?"}, stream_mode=["values", "messages"])
    assert repr(stream) == "<GraphStream: pending, messages, values; watch(stream) of streamgraph.watching shows it>"
    list(stream)
    assert repr(stream) == "<GraphStream: done, messages, values>"
    run = graph().start({"messages": "?"})
    assert repr(run.stream("updates")) == "<RunReader: after 1-0, updates>"
    run.join()


def test_what_is_no_stream_is_refused() -> None:
    with pytest.raises(TypeError, match="watch\\(\\) takes a stream"):
        watch(1)  # type: ignore[call-overload]


def test_signs_that_a_file_cannot_take() -> None:
    out = io.BytesIO()
    file = io.TextIOWrapper(out, "latin-1", write_through=True)
    watch([("custom", "猫 é")], file=file).run()
    assert out.getvalue().startswith("the graph: custom ? é".encode("latin-1"))


def test_ten_thousand_tokens_are_not_quadratic() -> None:
    """Counted, not timed: twice as many tokens make twice as many calls."""

    def calls(count: int) -> int:
        stream = [("messages", ({"type": "AIMessageChunk", "content": "word ", "id": "1"}, {}))] * count
        made = 0

        def count_call(frame: Any, event: str, argument: Any) -> None:
            nonlocal made
            made += 1

        watched = watch(stream, file=io.StringIO())
        sys.setprofile(count_call)
        try:
            watched.run()
        finally:
            sys.setprofile(None)
        assert watched.view.texts[0].length == 5 * count
        return made

    few, many = calls(1_000), calls(10_000)
    assert many < 10.5 * few
