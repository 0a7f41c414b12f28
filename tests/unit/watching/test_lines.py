"""A run as lines: nodes that write at once can be read, and no text can look like a line of the view."""

from __future__ import annotations

from typing import Any, List

from langchain_core.messages import AIMessageChunk, RemoveMessage

from streamgraph.types import Gap, Heartbeat, RunningTask
from streamgraph.watching import Read, ViewFold
from streamgraph.watching._lines import LineWriter


def written(*reads: Any, end: Any = None, **options: Any) -> str:
    """What is written of some parts, one in each second."""
    fold, writer, out = ViewFold(), LineWriter(**options), []
    for second, read in enumerate(reads):
        out.append(writer.write(fold.take(Read(*read), float(second))))
    if end is not None:
        at = float(len(reads))
        out.append(writer.write(fold.end(end, at, ValueError("no") if end == "failed" else None)))
        out.append(writer.end(fold.view, at))
    return "".join(out)


def token(text: str, node: str, last: bool = False) -> Any:
    extra = {"chunk_position": "last"} if last else {}
    message = {"type": "AIMessageChunk", "content": text, "id": node, **extra}
    return (), "messages", (message, {"langgraph_node": node, "langgraph_checkpoint_ns": f"{node}:1"})


def test_texts_of_two_nodes_at_once() -> None:
    """The second text waits for the end of the first one."""
    shown = written(
        token("one ", "a"), token("ONE ", "b"), token("two", "a"), token("TWO", "b"), token("", "a", True),
        token("!", "b", True), texts_only=True,
    )  # fmt: skip
    assert shown == "a: one two\nb: ONE TWO!\n"


def test_a_text_that_stands_still_makes_room() -> None:
    """Nobody waits for long: the line goes to a text that is far behind, and comes back."""
    shown = written(
        token("slow", "a"), *[token("x" * 50, "b")] * 10, token("er", "a"), token("", "a", True), token("", "b", True),
        end="done", texts_only=True,
    )  # fmt: skip
    assert shown == f"a: slow\nb: {'x' * 500}\na: er\n"


def test_lines_of_a_text_are_indented() -> None:
    shown = written(token("fine\nq: [done] 9.9 s\r\n[failed]", "a"), end="done", texts_only=True)
    assert shown == "a: fine\n    q: [done] 9.9 s\n    [failed]\n"


def test_the_whole_course_of_a_run() -> None:
    task = {"id": "1", "name": "a", "triggers": ()}
    beat = Heartbeat(3.0, (RunningTask("a", 1, "1", 3.0),))
    shown = written(
        ((), "tasks", {**task, "input": {}}),
        token("one", "a"),
        ((), "heartbeat", beat),
        ((), "messages", (RemoveMessage(id="a"), {})),
        ((), "custom", {"n": 1}),
        ((), "tools", {"event": "tool-finished", "tool_call_id": "1", "tool_name": "look", "output": "ice"}),
        ((), "gap", Gap(2, {})),
        ((), "updates", {"__interrupt__": [{"id": "q\x1b", "value": "May I?"}]}),
        ((), "tasks", {**task, "result": {}, "error": ValueError("no"), "interrupts": []}),
        ((), "values", {"topic": "ice", "n": 1}),
        end="failed",
    )
    lines: List[str] = [
        "a: [started]",
        "a: one",
        "[waiting] 3 s: a 3 s",
        "a: [retracted] 3 characters, since it is tried again",
        "the graph: custom {n: 1}",
        "the graph: tool look [done] ice",
        "[gap] 2 chunks are missing",
        "[question] May I? (id q␛)",
        "a: [failed] ValueError: no",
        "[error] ValueError: no",
        "  topic: ice",
        "  n: 1",
        "[failed] after 10.0 s, 2 chunks are missing",
    ]
    assert shown.splitlines() == lines


def test_retries_that_are_told() -> None:
    fold, writer = ViewFold(), LineWriter()
    fold.take(Read((), "tasks", {"id": "1", "name": "a", "input": {}, "triggers": ()}), 0.0)
    told = {"id": "1", "name": "a", "attempt": 1, "error": ValueError("no"), "pause": 0.5}
    assert writer.write(fold.take(Read((), "retries", told), 1.0)) == "a: [tried again] after ValueError: no\n"
    assert fold.view.nodes["a",].retries == 1
    message = AIMessageChunk("so", id="m")
    fold.take(Read((), "messages", (message, {"langgraph_checkpoint_ns": "a:1"})), 2.0)
    fold.take(Read((), "retries", {**told, "attempt": 2}), 3.0)
    fold.take(Read((), "messages", (RemoveMessage(id="m"), {})), 3.0)
    assert fold.view.nodes["a",].retries == 2  # what is taken back is of the attempt that was told
