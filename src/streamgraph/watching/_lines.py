"""A run as plain lines, for files, pipes and terminals without Rich: text is only ever appended."""

from __future__ import annotations

from typing import Dict, List, Optional

from streamgraph.types import Gap, Heartbeat
from streamgraph.watching._fold import Events
from streamgraph.watching._model import Event, NodePath, QuestionView, RunView, TextView, ToolView
from streamgraph.watching._safe import safe_line, safe_text
from streamgraph.watching._values import question_text, state_rows, value_text

_LAG = 400
"""How many characters of other texts wait for the one that is being written, before it has to make room."""


class LineWriter:
    """Makes lines of what a fold has changed.

    One text at a time is written, token by token; those of nodes beside it wait until it is over, or until they are too
    far behind. So two nodes that write at once can be read.

    Args:
        texts_only: Write texts, and nothing of what starts and ends; for streams whose only mode is `messages`.
    """

    def __init__(self, *, texts_only: bool = False) -> None:
        self._texts_only = texts_only
        self._current: Optional[TextView] = None
        self._waiting: Dict[int, List[str]] = {}
        self._texts: Dict[int, TextView] = {}
        self._lag = 0
        self._out: List[str] = []

    def write(self, events: Events) -> str:
        """Return what is to be appended for these changes; it may end in the middle of a line."""
        for event in events:
            text = event.text
            if event.kind == "text" and text is not None:
                self._token(text, str(event.value))
            elif event.kind == "ended" and text is not None:
                self._end_of(text)
            else:
                said = _said(event, self._texts_only)
                if said:
                    self._line(said)
        return self._taken()

    def end(self, view: RunView, at: float, *, with_state: bool = True) -> str:
        """Return what is to be appended when the run is over.

        Args:
            view: The view.
            at: The time of the view's clock.
            with_state: Append the state as well.
        """
        while self._waiting:
            self._next_text()
        self._close_line()
        if with_state and view.has_state:
            for key, value in state_rows(view.state):
                self._out.append(f"  {key + ':' if key else ' '} {value}\n")
        seconds = view.elapsed(at)
        word = {"interrupted": "waiting", "left": "goes on"}.get(view.status, view.status)
        missing = f", {view.missing} chunks are missing" if view.missing else ""
        if not self._texts_only:
            self._out.append(f"[{word}] after {seconds:.1f} s{missing}\n")
        return self._taken()

    def pause(self) -> str:
        """Return what ends the line that is being written, if one is."""
        self._close_line()
        return self._taken()

    def _token(self, text: TextView, added: str) -> None:
        if self._current is None or self._current is text:
            self._put(text, added)
            return
        self._waiting.setdefault(id(text), []).append(added)
        self._texts[id(text)] = text
        self._lag += len(added)
        if self._lag > _LAG:
            self._next_text()

    def _end_of(self, text: TextView) -> None:
        if self._current is text:
            self._close_line()
            self._next_text()
        # One that waits is written as a whole when its turn comes.

    def _next_text(self) -> None:
        """Write what waits of other texts, up to the first one that still grows."""
        self._close_line()
        for key in list(self._waiting):
            text, pieces = self._texts.pop(key), self._waiting.pop(key)
            said = "".join(pieces)
            self._lag -= len(said)
            self._put(text, said)
            if not text.over:
                return
            self._close_line()

    def _put(self, text: TextView, added: str) -> None:
        if self._current is None:
            self._current = text
            self._out.append(f"{_label(text)}: ")
        # Lines after the first one are indented, so that no text can look like a line of the view.
        self._out.append(added.replace("\n", "\n    "))

    def _close_line(self) -> None:
        if self._current is not None:
            self._out.append("\n")
            self._current = None

    def _line(self, said: str) -> None:
        self._close_line()
        self._out.append(f"{said}\n")

    def _taken(self) -> str:
        out = "".join(self._out)
        self._out.clear()
        return out


def name_of(path: NodePath) -> str:
    """Return the name of a node as people read it, with those around it."""
    return " / ".join(path) if path else "the graph"


def again(times: int) -> str:
    """Return how often a node was tried again, in words."""
    return "tried again" if times == 1 else f"tried again {times} times"


def _label(text: TextView) -> str:
    tags = "".join(f" #{tag}" for tag in text.tags)
    role = "" if text.role in ("ai", "assistant") else f" ({text.role})"
    return f"{name_of(text.path)}{role}{tags}"


def _said(event: Event, texts_only: bool) -> str:
    """Return the line for a change, or nothing."""
    kind, where, value = event.kind, name_of(event.path), event.value
    if kind == "retracted" and event.text is not None:
        return f"{where}: [retracted] {event.text.length} characters, since it is tried again"
    if kind == "question" and isinstance(value, QuestionView):
        return f"[question] {question_text(value.value, _QUESTION)} (id {safe_line(value.id)})"
    if kind == "gap" and isinstance(value, Gap):
        return f"[gap] {value.dropped} chunks are missing"
    if kind == "error":
        return "[error] " + safe_text(str(value)).replace("\n", "\n    ")
    if texts_only or kind in ("state", "checkpoint", "heartbeat"):
        return _state(event) if kind == "heartbeat" else ""
    if kind == "tool" and isinstance(value, ToolView):
        return f"{where}: tool {value.name} [{value.status}] {value_text(value.value)}"
    if kind == "finished":
        return f"{where}: [done]" + (f" {value:.1f} s" if isinstance(value, float) else "")
    if kind == "failed":
        return f"{where}: [failed] {value_text(value)}"
    if kind == "retried":
        return f"{where}: [tried again] after {value_text(value)}"
    words = {"started": "[started]", "asking": "[asks]"}
    if kind in words:
        return f"{where}: {words[kind]}"
    labels = {
        "custom": "custom",
        "object": "object",
        "update": "update",
        "patch": "patch",
        "data": "data",
        "gap": "gap",
    }
    return f"{where}: {labels[kind]} {value_text(value)}" if kind in labels else ""


def _state(event: Event) -> str:
    beat = event.value
    if not isinstance(beat, Heartbeat):
        return ""
    running = ", ".join(f"{safe_line(task.node)} {task.elapsed:.0f} s" for task in beat.running)
    return f"[waiting] {beat.idle:.0f} s" + (f": {running}" if running else "")


_QUESTION = 2_000
_WITH_DATA = ("custom", "object", "update", "patch", "data", "gap")
