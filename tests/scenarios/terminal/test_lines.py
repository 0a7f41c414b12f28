"""`streamgraph run` where there is no terminal: plain lines, JSON lines, exit codes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scenarios.terminal.screens import PATIENCE, PROGRAM, command, environment
from streamgraph.serialization import loads
from streamgraph.testing import check_stream

pytestmark = pytest.mark.slow


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "watched_program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return str(path)


def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), input=given, capture_output=True, encoding="utf-8", env=environment(), timeout=PATIENCE
    )


def test_plain_lines_and_an_answer_from_the_standard_input(program: str) -> None:
    done = run(f"{program}:graph", "--input", "hello", given="yes\n")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[:3] == ["sub: [started]", "sub / think: [started]", "sub / think: Wrong words."]
    assert "sub / think: Cats 猫 ␛]0;owned␇sleep." in lines
    assert "    ai: You said yes." in lines
    assert "\x1b" not in done.stdout + done.stderr
    assert "1. yes" in done.stderr


def test_json_lines_are_read_back_as_the_parts(program: str) -> None:
    modes = ("--mode", "tasks,messages", "--mode", "values")
    done = run(f"{program}:graph", "--input", '{"messages": "hello"}', "--answer", "yes", "--json", *modes)
    assert done.returncode == 0, done.stderr
    parts = [loads(line) for line in done.stdout.splitlines()]
    assert {part["type"] for part in parts} == {"tasks", "messages", "values"}
    assert parts[-1]["data"]["messages"][-1].content == "You said yes."
    check_stream(parts)


def test_a_failed_run_and_a_question_without_an_answer(program: str) -> None:
    failed = run(f"{program}:failing", "--input", "x")
    assert failed.returncode == 1
    assert "[error] RuntimeError: broken ␛[2J" in failed.stdout
    left = run(f"{program}:graph", "--input", "x", "--mode", "messages", "--node", "think")
    assert left.returncode == 3
    assert "sub / think: Wrong words.\n" in left.stdout
    assert left.stderr.endswith("It waits for an answer.\n")
