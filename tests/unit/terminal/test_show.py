"""How a run is shown, asked and ended, with a source that a test plays."""

from __future__ import annotations

import io
import os
import signal
import threading
from typing import Any, Dict, Iterator, List, Optional

import pytest

from streamgraph.serialization import loads
from streamgraph.terminal import _show
from streamgraph.terminal._prompt import Prompt
from streamgraph.terminal._show import Shower
from streamgraph.watching import QuestionView, Watcher, reader_of, terminal_display

BEAT: Any = {"type": "heartbeat", "ns": (), "data": None}


def custom(value: Any) -> Any:
    return {"type": "custom", "ns": (), "data": value}


class Played:
    """A source that plays a script: parts, and then an ending; each round of `chunks` plays the next one."""

    def __init__(self, *rounds: List[Any], questions: Any = (), due: Any = (), refuses: Any = ()) -> None:
        self.name = "played"
        self.ending: Any = None
        self.error: object = None
        self.answers: Dict[str, object] = {}
        self.cancelled = 0
        self._rounds = list(rounds)
        self._questions = list(questions)
        self._due = list(due)
        self._refuses = list(refuses)

    def chunks(self) -> Iterator[object]:
        *parts, self.ending = self._rounds.pop(0)
        yield from parts
        if isinstance(self.ending, Exception):
            self.ending, self.error = "failed", self.ending

    def open_questions(self) -> List[QuestionView]:
        return [asked for asked in self._questions if asked.id not in self.answers]

    def answer(self, answers: Dict[str, object]) -> bool:
        for value in answers.values():
            if value in self._refuses:
                raise ValueError(f"{value} does not fit")
        self.answers.update(answers)
        return True

    def due(self) -> List[str]:
        return self._due

    def go_on(self) -> None:
        self._due = []

    def cancel(self) -> None:
        self.cancelled += 1

    def how_to_go_on(self) -> str:
        return "streamgraph run again"


def shown(source: Played, lines: Optional[str] = "", as_json: bool = False) -> Any:
    """The exit code, what was written, and what was asked."""
    out, asked = io.StringIO(), io.StringIO()
    prompt = Prompt([], None if lines is None else lambda: io.StringIO(lines), asked)
    watcher = None if as_json else Watcher(reader_of(()), terminal_display(out))
    return Shower(source, prompt, watcher, out).run(), out.getvalue(), asked.getvalue()


Q = QuestionView("q", "May I?", {"enum": ["yes", "no"]})


def test_endings(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(Played([custom(1), "done"]))[:1] == (0,)
    code, out, _ = shown(Played([custom(1), ValueError("no")]))
    assert (code, "[error] ValueError: no" in out, "[failed] after" in out) == (1, True, True)
    code, out, _ = shown(Played([custom(1), "cancelled"]))
    assert (code, "[cancelled] after" in out) == (130, True)
    code, out, _ = shown(Played([custom(1), ValueError("no \x1b")]), as_json=True)
    assert (code, loads(out)["data"]) == (1, 1)
    assert capsys.readouterr().err == "streamgraph: no ␛\n"


def test_a_question_is_asked_where_nothing_happens_and_again_if_the_answer_does_not_fit() -> None:
    source = Played([custom(1), BEAT, custom(2), BEAT, "done"], questions=[Q], refuses=["no"])
    code, out, asked = shown(source, "no\nyes\n")
    assert (code, source.answers) == (0, {"q": "yes"})
    assert "[question] May I? (id q)" in out
    assert "no does not fit" in asked
    assert out.index("custom 1") < out.index("[question]") < out.index("custom 2")


@pytest.mark.parametrize("lines", ["", None])
def test_a_question_that_nobody_answers_is_left(capsys: pytest.CaptureFixture[str], lines: Optional[str]) -> None:
    source = Played([custom(1), BEAT, "done"], [custom(2), "cancelled"], questions=[Q])
    code, out, _ = shown(source, lines)
    assert (code, source.cancelled) == (3, 1)
    assert "[waiting] after" in out
    assert capsys.readouterr().err == "It waits for an answer. Go on with: streamgraph run again\n"


def test_a_run_that_has_ended_with_questions_goes_on() -> None:
    source = Played([custom(1), "interrupted"], [custom(2), "done"], questions=[Q])
    code, out, _ = shown(source, "1\n")
    assert (code, source.answers) == (0, {"q": "yes"})
    assert "custom 2" in out


@pytest.mark.parametrize(("lines", "code"), [("\n", 0), ("n\n", 3), ("", 3)])
def test_a_breakpoint(lines: str, code: int) -> None:
    found, _, asked = shown(Played([custom(1), "interrupted"], ["done"], due=["pay", "mail"]), lines)
    assert (found, "Paused before pay, mail. Go on? [Y/n]" in asked) == (code, True)


def test_an_interrupted_run_without_anything_due() -> None:
    assert shown(Played(["interrupted"]))[0] == 3


def test_nobody_reads_any_more() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    source = Played([custom(1), "done"])
    kept = os.dup(1)
    try:
        assert Shower(source, Prompt([], None, io.StringIO()), None, Closed()).run() == 141
    finally:
        os.dup2(kept, 1)
        os.close(kept)
    assert source.cancelled == 1


class Pressed(Played):
    """Somebody presses Ctrl-C while it runs, or while a question is open."""

    def chunks(self) -> Iterator[object]:
        yield custom(1)
        os.kill(os.getpid(), signal.SIGINT)
        yield BEAT
        self.ending = "cancelled"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The person is told at once, and the handler of signals is put back."""
    monkeypatch.setattr(_show, "_PATIENCE", 0.01)
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("quick")
def test_ctrl_c_cancels_and_says_how_to_kill(capfd: pytest.CaptureFixture[str]) -> None:
    source = Pressed(questions=[Q])
    code, out, asked = shown(source, "yes\n")
    assert (code, source.cancelled, asked) == (130, 1, "")
    assert "[cancelled]" in out
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer) and thread.function is _show._tell_of_waiting:
            thread.join()
    assert "Press Ctrl-C again to kill it." in capfd.readouterr().err


@pytest.mark.usefixtures("quick")
def test_ctrl_c_twice_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def kill(code: int) -> None:
        assert code == 130
        raise Killed

    monkeypatch.setattr(_show.os, "_exit", kill)
    source = Pressed()
    with pytest.raises(Killed), _show.Interrupts(source, Prompt([], None, io.StringIO())) as interrupts:
        interrupts._on_signal(signal.SIGINT, None)
        assert source.cancelled == 1
        interrupts._on_signal(signal.SIGINT, None)


@pytest.mark.usefixtures("quick")
def test_ctrl_c_at_a_question() -> None:
    class Pressing(io.StringIO):
        def readline(self, size: Optional[int] = -1) -> str:  # type: ignore[override]
            os.kill(os.getpid(), signal.SIGINT)
            return ""

    source = Played([custom(1), BEAT, "cancelled"], questions=[Q])
    out = io.StringIO()
    watcher = Watcher(reader_of(()), terminal_display(out))
    assert Shower(source, Prompt([], Pressing, io.StringIO()), watcher, out).run() == 130
    assert source.cancelled == 1
