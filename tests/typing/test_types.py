"""Static types: mypy and pyright know what the programs here say, and find the errors that are marked, and no others.

It needs the extras `test` and `lint`, and is run by its name: `python -m pytest tests/typing`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, Set

import pytest

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
PROGRAMS = ("program_graph.py", "program_functional.py", "program_pregel.py")

Diagnostics = Dict[int, str]
"""What a checker says of a line: the messages, joined."""


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def mypy(program: Path, cache: Path, kind: str) -> Diagnostics:
    out = _run(
        *(sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary", "--hide-error-context"),
        *("--cache-dir", str(cache / "mypy"), str(program)),
    )
    found: Diagnostics = {}
    for line in out.splitlines():
        match = re.match(rf".*{program.name}:(\d+): {kind}: (.*)", line)
        if match:
            found[int(match[1])] = found.get(int(match[1]), "") + match[2] + "\n"
    return found


def pyright(program: Path, cache: Path, kind: str) -> Diagnostics:
    config = cache / f"{program.stem}.json"
    config.write_text(json.dumps({"typeCheckingMode": "standard", "include": [str(program)]}))
    command = (sys.executable, "-m", "basedpyright", "-p", str(config), "--pythonpath", sys.executable, "--outputjson")
    report = json.loads(_run(*command))
    assert report["summary"]["filesAnalyzed"] == 1
    found: Diagnostics = {}
    severity = {"note": "information"}.get(kind, kind)
    for item in report["generalDiagnostics"]:
        if item["severity"] == severity:
            number = item["range"]["start"]["line"] + 1
            found[number] = found.get(number, "") + item["message"] + "\n"
    return found


Checker = Callable[[Path, Path, str], Diagnostics]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkers")


def unknown(revealed: str) -> int:
    """Return how much of a type is not known: 0 for nothing, 1 for a part of it, 2 for all."""
    name = re.findall(r'"([^"]*)"', revealed)[-1]
    if name in ("Any", "Unknown"):
        return 2
    return 1 if re.search(r"\b(Any|Unknown)\b", name) else 0


def lines_with(program: Path, text: str) -> Set[int]:
    return {number for number, line in enumerate(program.read_text().splitlines(), 1) if text in line}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("check", (mypy, pyright), ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str, check: Checker, cache: Path) -> None:
    program = HERE / name
    found, marked = check(program, cache, "error"), lines_with(program, "# error")

    assert marked
    assert {line: found[line] for line in found.keys() - marked} == {}
    assert marked - found.keys() == set(), "No error was found in these lines."


@pytest.mark.timeout(300)
@pytest.mark.parametrize("check", (mypy, pyright), ids=lambda check: check.__name__)
def test_nothing_is_less_known_than_with_the_peer(check: Checker, cache: Path, tmp_path: Path) -> None:
    source = (HERE / "program_both.py").read_text()
    theirs, ours = tmp_path / "program_theirs.py", tmp_path / "program_ours.py"
    theirs.write_text(source)
    ours.write_text(source.replace("langgraph.", "streamgraph."))

    known_to_them, known_to_us = check(theirs, cache, "note"), check(ours, cache, "note")

    reveals = lines_with(ours, "reveal_type(")
    assert reveals
    assert reveals <= known_to_us.keys()
    less = {
        source.splitlines()[line - 1].strip(): (known_to_them[line], known_to_us[line])
        for line in reveals & known_to_them.keys()
        if unknown(known_to_us[line]) > unknown(known_to_them[line])
    }
    assert less == {}
    assert check(ours, cache, "error") == {}
