"""The picture in a terminal: it fits, tells what happens, and shows everything at the end."""

from __future__ import annotations

import io
from contextlib import nullcontext
from typing import Any, List

import pytest

from streamgraph.watching import Read, ViewFold

pytest.importorskip("rich")
from rich.console import Console

from streamgraph.watching._rich import Screen


def started(name: str, id_: str, ns: Any = ()) -> Read:
    return Read(ns, "tasks", {"id": id_, "name": name, "input": {}, "triggers": ()})


def ended(name: str, id_: str, ns: Any = (), error: Any = None) -> Read:
    return Read(ns, "tasks", {"id": id_, "name": name, "result": {}, "error": error, "interrupts": []})


def token(text: str, node: str, **more: Any) -> Read:
    message = {"type": "AIMessageChunk", "content": text, "id": node, **more}
    return Read((), "messages", (message, {"langgraph_node": node, "langgraph_checkpoint_ns": f"{node}:1"}))


class Shown:
    """A fold with a screen beside it, of a fixed size and time."""

    def __init__(self, *reads: Read, width: int = 60, height: int = 20) -> None:
        self.fold = ViewFold()
        self.console = Console(file=io.StringIO(), width=width, height=height, record=True, force_terminal=True)
        self.screen = Screen(self.console, self.fold.view, lambda: 9.0, nullcontext(), graph="joker")
        for read in reads:
            self.fold.take(read, 1.0)

    def frame(self) -> List[str]:
        self.console.print(self.screen.frame())
        return [line.rstrip() for line in self.console.export_text().splitlines()]

    def report(self) -> List[str]:
        self.console.print(self.screen.report())
        return [line.rstrip() for line in self.console.export_text().splitlines()]


def test_a_frame_and_the_report() -> None:
    shown = Shown(
        started("sub", "1"), started("ask", "2", ("sub:1",)), ended("ask", "2", ("sub:1",)), started("say", "3"),
        token("Why did\nthe [red]pelican[/red]", "say"), ended("say", "3", error=ValueError("no")),
        started("other", "4"), token("growing", "other"), Read((), "values", {"topic": "ice"}),
    )  # fmt: skip
    frame = shown.frame()
    assert frame[0] == "● joker  running  8.0 s"
    assert frame[1].endswith(" sub  8.0 s")
    assert frame[1].strip()[0] in "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
    assert frame[2:5] == ["    ✓ ask  0.0 s", "  ✗ say  0.0 s  ValueError: no", frame[4]]
    assert frame[4].endswith(" other  8.0 s")
    assert frame[5:] == ["other", "  growing"]  # what has ended is in the report

    shown.fold.end("failed", 9.0, ValueError("no"))
    report = shown.report()
    assert report[0] == "✗ joker  failed  8.0 s"
    assert report[1] == "  ■ sub  8.0 s"
    assert report[5:] == [
        "say", "  Why did", "  the [red]pelican[/red]", "other", "  growing", "state", "  topic  ice", "ValueError: no",
    ]  # fmt: skip


@pytest.mark.parametrize("height", [5, 12, 40])
@pytest.mark.parametrize("width", [20, 80])
def test_a_frame_fits_the_terminal(width: int, height: int) -> None:
    """Many nodes, many texts at once, long lines and wide signs."""
    reads = [started(f"node-{number}", str(number)) for number in range(30)]
    reads += [token("猫猫🐈 wide\n" * 40 + "x" * 500, f"node-{number}") for number in range(10)]
    frame = Shown(*reads, width=width, height=height).frame()
    assert len(frame) < height
    assert any("nodes more" in line for line in frame) == (height < 40)
    assert any(line.strip().startswith("x") for line in frame)


def test_retracted_text_is_struck_out() -> None:
    shown = Shown(token("wrong", "say"), Read((), "messages", ({"type": "remove", "content": "", "id": "say"}, {})))
    shown.console.print(shown.screen.report())
    assert "\x1b[2;9mwrong" in shown.console.file.getvalue()  # type: ignore[attr-defined]
    assert "say  retracted" in shown.console.export_text()


def test_a_question_and_a_gap_are_in_the_frame() -> None:
    shown = Shown(Read((), "updates", {"__interrupt__": [{"id": "q", "value": "May I?"}]}), Read((), "gap", None))
    assert shown.frame() == ["? joker  waits for an answer  8.0 s  1 chunks are missing", "? May I?"]


def test_a_frame_costs_no_more_for_a_long_text() -> None:
    """Its cost depends on the screen: what is before the end of a text is not touched."""
    shown = Shown(*[token("word ", "say") for _ in range(10_000)], height=10)
    text = shown.fold.view.texts[0]
    before = list(text._pieces)
    shown.frame()
    assert text._pieces == before  # nothing was joined
    assert len(before) == 10_000
