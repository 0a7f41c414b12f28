"""`streamgraph run` in a real pseudo-terminal: what a person sees, types and presses."""

from __future__ import annotations

from pathlib import Path
from typing import List

import pytest

from scenarios.terminal.screens import PROGRAM, Terminal, command

pytestmark = pytest.mark.slow
pytest.importorskip("pyte")
pytest.importorskip("rich")


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "watched_program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return str(path)


def has(*texts: str) -> object:
    return lambda lines: all(any(text in line for line in lines) for text in texts)


def test_a_run_with_a_retry_a_nested_graph_and_a_question(program: str) -> None:
    terminal = Terminal(*command(f"{program}:graph", "--input", "hello"))
    lines = terminal.until(has("May I go on?", "2. no", "answer>"))  # type: ignore[arg-type]
    terminal.type("maybe\n")
    terminal.until(has("Choose one of yes, no."))  # type: ignore[arg-type]
    terminal.type("2\n")
    assert terminal.end() == 0
    lines = terminal.lines()
    after = lines[next(place for place, line in enumerate(lines) if line.startswith("✓")) :]
    assert after[0].split()[2] == "done"
    assert [line.split()[:2] for line in after[1:4]] == [["✓", "sub"], ["✓", "think"], ["✓", "ask"]]
    assert "tried again" in after[2]
    texts: List[str] = [line.strip() for line in after[4:]]
    assert texts[:4] == ["sub / think  retracted", "Wrong words.", "sub / think", "Cats 猫 ␛]0;owned␇sleep."]
    assert texts[-1] == "ai: You said no."
    assert b"\x1b]0;owned" not in terminal.written
    assert not terminal.screen.cursor.hidden
    assert b"\x1b[2;9m" in terminal.written  # retracted text is struck out


def test_ctrl_c_cancels(program: str) -> None:
    terminal = Terminal(*command(f"{program}:endless", "--input", "x"), rows=12)
    terminal.until(has("talk", "word"))  # type: ignore[arg-type]
    terminal.type("\x03")
    assert terminal.end() == 130
    assert b"cancelled" in terminal.written  # the head of the report, which long texts may have moved off the screen
    assert not terminal.screen.cursor.hidden


def test_ctrl_c_twice_kills(program: str) -> None:
    """The node sleeps for a minute, and cannot be cancelled."""
    terminal = Terminal(*command(f"{program}:standing", "--input", "x"))
    terminal.until(lambda lines: Path(f"{program}.stands").exists() and has("stand")(lines))  # type: ignore[operator]
    terminal.type("\x03")
    terminal.until(has("Press Ctrl-C again to kill it."))  # type: ignore[arg-type]
    terminal.type("\x03")
    assert terminal.end() == 130
    assert not terminal.screen.cursor.hidden


def test_ctrl_c_at_a_question_cancels(program: str) -> None:
    terminal = Terminal(*command(f"{program}:graph", "--input", "x"))
    terminal.until(has("answer>"))  # type: ignore[arg-type]
    terminal.type("\x03")
    assert terminal.end() == 130


def test_a_question_that_is_left_is_asked_again(program: str, tmp_path: Path) -> None:
    """Ctrl-D leaves it open; another process asks the same question, and what was done is not done again."""
    pytest.importorskip("langgraph.checkpoint.sqlite")
    saved = ("--checkpointer", f"sqlite:{tmp_path / 'threads.db'}", "--thread", "t")
    terminal = Terminal(*command(f"{program}:graph", "--input", "hello", *saved), columns=200)
    terminal.until(has("answer>"))  # type: ignore[arg-type]
    terminal.type("\x04")
    assert terminal.end() == 3
    assert any("It waits for an answer. Go on with: streamgraph run" in line for line in terminal.lines())

    terminal = Terminal(*command(f"{program}:graph", *saved))
    terminal.until(has("May I go on?", "answer>"))  # type: ignore[arg-type]
    assert not any("Cats" in line for line in terminal.lines())
    terminal.type("yes\n")
    assert terminal.end() == 0
    assert any("You said yes." in line for line in terminal.lines())


def test_a_breakpoint_is_left_with_a_key(program: str) -> None:
    terminal = Terminal(*command(f"{program}:stops", "--input", "x", "--checkpointer", "memory"))
    terminal.until(has("Paused before second. Go on? [Y/n]"))  # type: ignore[arg-type]
    terminal.type("\n")
    assert terminal.end() == 0
    assert any("ai: two" in line for line in terminal.lines())
