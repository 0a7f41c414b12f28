"""Where a view is shown: in a terminal with Rich, as plain lines, or in a notebook."""

from __future__ import annotations

import importlib.util
import os
import sys
from threading import RLock
from time import monotonic
from typing import IO, Callable, Iterable, Optional

from typing_extensions import Protocol

from streamgraph.watching._chunks import Read
from streamgraph.watching._fold import Events, ViewFold
from streamgraph.watching._lines import LineWriter
from streamgraph.watching._model import NodePath, RunView, RunViewStatus

Clock = Callable[[], float]


class Display(Protocol):
    """Shows a view."""

    def start(self) -> None:
        """Begin, or go on after a pause."""

    def changed(self, events: Events) -> None:
        """Show what has changed in the view."""

    def pause(self) -> None:
        """Leave the screen to somebody else."""

    def end(self) -> None:
        """Show what stays."""


class LineDisplay:
    """Shows a view as plain lines in a file.

    Args:
        file: The file.
        view: The view.
        clock: Returns the time of the view's clock.
        texts_only: Write texts, and nothing of what starts and ends.
        with_state: Write the state at the end.
    """

    def __init__(
        self, file: IO[str], view: RunView, clock: Clock, *, texts_only: bool = False, with_state: bool = True
    ) -> None:
        self._file = file
        self._view = view
        self._clock = clock
        self._with_state = with_state
        self._writer = LineWriter(texts_only=texts_only)

    def start(self) -> None:
        """Begin; there is nothing to do."""

    def changed(self, events: Events) -> None:
        """Append what has changed."""
        self._append(self._writer.write(events))

    def pause(self) -> None:
        """End the line that is being written."""
        self._append(self._writer.pause())

    def end(self) -> None:
        """Append what is left."""
        self._append(self._writer.end(self._view, self._clock(), with_state=self._with_state))

    def _append(self, text: str) -> None:
        if text:
            self._file.write(writable(text, self._file))
            self._file.flush()


class Watcher:
    """Reads the chunks of a stream into a view, and has it shown.

    Args:
        read: Reads a chunk.
        make: Makes the display, given the view, its clock, and the lock that is held while the view changes.
        nodes: The paths of nodes that are shown from the beginning.
        clock: Returns the time in seconds; it must not go back.

    Attributes:
        view: The view.
    """

    def __init__(
        self,
        read: Callable[[object], Read],
        make: Callable[[RunView, Clock, RLock], Display],
        *,
        nodes: Iterable[NodePath] = (),
        clock: Clock = monotonic,
    ) -> None:
        self._read = read
        self._clock = clock
        self._fold = ViewFold(nodes)
        self._lock = RLock()
        self._begun = self._shown = self._over = False
        self.view = self._fold.view
        self._display = make(self.view, clock, self._lock)

    def start(self) -> None:
        """Begin to show the view; go on after a pause."""
        if not self._shown and not self._over:
            self._begun = self._shown = True
            self._display.start()

    def take(self, chunk: object) -> Events:
        """Show a chunk; return what it has changed in the view."""
        self.start()
        return self._change(lambda: self._fold.take(self._read(chunk), self._clock()))

    def asked(self, id: str, value: object, schema: object = None) -> None:  # noqa: A002
        """Show a question."""
        self._change(lambda: self._fold.asked(id, value, schema))

    def answered(self, id: str) -> None:  # noqa: A002
        """Show a question no longer."""
        with self._lock:
            self._fold.answered(id)

    def pause(self) -> None:
        """Leave the screen to somebody else; `start` or the next chunk takes it back."""
        if self._shown:
            self._shown = False
            self._display.pause()

    def end(self, status: RunViewStatus, error: object = None) -> None:
        """Show the end of the run, once, if anything of it was shown."""
        if self._over or not self._begun:
            self._over = True
            return
        self._change(lambda: self._fold.end(status, self._clock(), error))
        self._over = True
        self._display.end()

    def _change(self, change: Callable[[], Events]) -> Events:
        with self._lock:
            events = change()
            if events:
                self._display.changed(events)
        return events


def writable(text: str, file: IO[str]) -> str:
    """Return a text with `?` in the place of signs that a file cannot take in its encoding."""
    encoding = getattr(file, "encoding", None)
    if not encoding or encoding.lower().replace("-", "") == "utf8":
        return text
    return text.encode(encoding, "replace").decode(encoding)


def is_screen(file: IO[str]) -> bool:
    """Return whether a file is a terminal in which lines can be written anew, and which knows all signs."""
    encoding = (getattr(file, "encoding", None) or "").lower().replace("-", "")
    return file.isatty() and encoding == "utf8" and os.environ.get("TERM") != "dumb"


def terminal_display(
    file: Optional[IO[str]] = None, *, graph: str = "", texts_only: bool = False, with_state: bool = True
) -> Callable[[RunView, Clock, RLock], Display]:
    """Return what makes the display for a terminal or another file.

    Args:
        file: The file; the standard output by default.
        graph: The name of the graph.
        texts_only: As plain lines, write texts, and nothing of what starts and ends.
        with_state: Show the state at the end.
    """
    out = sys.stdout if file is None else file

    def make(view: RunView, clock: Clock, lock: RLock) -> Display:
        if not is_screen(out) or importlib.util.find_spec("rich") is None:
            return LineDisplay(out, view, clock, texts_only=texts_only, with_state=with_state)
        from streamgraph.watching._rich import screen_on

        return screen_on(out, view, clock, lock, graph=graph, with_state=with_state)

    return make
