"""Shows a run in the terminal, asks what it asks, and ends it when it is told to."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import IO, Any, Iterator, List, Optional

from streamgraph.serialization import PartEncoder
from streamgraph.terminal._prompt import NoAnswer, Prompt
from streamgraph.terminal._source import Source
from streamgraph.watching import QuestionView, Watcher, safe_line

DONE, FAILED, WAITS, CANCELLED = 0, 1, 3, 130
"""The exit codes; 2 is wrong usage."""

_PIPE_CLOSED = 141
"""As a program that the system has ended since nobody reads its output."""


_PATIENCE = 1.5
"""Seconds after Ctrl-C until the person is told why it takes so long."""


class Interrupts:
    """What Ctrl-C does: the first one cancels the run, the second one kills the process.

    After the first one that stays so to the end of the process, which waits for nodes that cannot be stopped.

    Args:
        source: The run.
        prompt: Asks the person; Ctrl-C ends a question as well.
    """

    def __init__(self, source: Source, prompt: Prompt) -> None:
        self._source = source
        self._prompt = prompt
        self._before: Any = None
        self.count = 0

    def __enter__(self) -> Interrupts:
        self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *error: object) -> None:
        if not self.count:
            signal.signal(signal.SIGINT, self._before)

    def _on_signal(self, number: int, frame: Optional[FrameType]) -> None:
        self.count += 1
        if self.count > 1:
            if sys.stdout.isatty():
                os.write(1, b"\x1b[?25h\n")  # the cursor, which a picture that changes hides
            os._exit(CANCELLED)
        self._source.cancel()
        told = threading.Timer(_PATIENCE, _tell_of_waiting)
        told.daemon = True
        told.start()
        if self._prompt.asking:
            raise KeyboardInterrupt


def _tell_of_waiting() -> None:
    sys.stderr.write("A node has not ended yet. Press Ctrl-C again to kill it.\n")
    sys.stderr.flush()


class Shower:
    """Shows a run.

    Args:
        source: The run.
        prompt: Asks the person.
        watcher: Shows the parts; `None` to write them as JSON lines.
        out: Where JSON lines are written.
    """

    def __init__(self, source: Source, prompt: Prompt, watcher: Optional[Watcher], out: IO[str]) -> None:
        self._source = source
        self._prompt = prompt
        self._watcher = watcher
        self._out = out
        self._encoder = PartEncoder(exact=True)
        self._asked: List[str] = []

    def run(self) -> int:
        """Show the run to its end; return the exit code."""
        source, prompt = self._source, self._prompt
        with Interrupts(source, prompt) as interrupts:
            try:
                code = self._until_the_end(interrupts)
            except BrokenPipeError:
                source.cancel()
                with suppress(OSError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that nothing complains at exit
                return _PIPE_CLOSED
        return code

    def _until_the_end(self, interrupts: Interrupts) -> int:
        source = self._source
        if self._watcher is not None:
            self._watcher.start()
        while True:
            for chunk in self._chunks():
                if chunk is None:  # nothing has happened for a while
                    if not interrupts.count and not self._ask(source.open_questions()):
                        source.cancel()
                        self._drain()
                        return self._end(WAITS)
                elif self._watcher is not None:
                    self._watcher.take(chunk)
                else:
                    self._out.write(self._encoder.encode(chunk).decode() + "\n")
                    self._out.flush()
            if source.ending == "interrupted" and not interrupts.count:
                if self._goes_on():
                    continue
                return self._end(CANCELLED if interrupts.count else WAITS)
            codes = {"done": DONE, "failed": FAILED, "interrupted": CANCELLED, "cancelled": CANCELLED}
            return self._end(codes[source.ending or "cancelled"])

    def _chunks(self) -> Iterator[Optional[object]]:
        """Yield the parts, and `None` in the place of heartbeats."""
        for chunk in self._source.chunks():
            yield None if isinstance(chunk, dict) and chunk.get("type") == "heartbeat" else chunk

    def _drain(self) -> None:
        for _ in self._source.chunks():
            pass

    def _goes_on(self) -> bool:
        """Return whether a run that has ended with questions, or at a breakpoint, goes on."""
        questions = self._source.open_questions()
        if questions:
            return self._ask(questions)
        due = self._source.due()
        if not due:
            return False
        try:
            agreed = self._paused(lambda: self._prompt.confirm(f"Paused before {', '.join(due)}. Go on?"))
        except (NoAnswer, KeyboardInterrupt):
            return False
        if agreed:
            self._source.go_on()
        return bool(agreed)

    def _ask(self, questions: List[QuestionView]) -> bool:
        """Ask what is open; return whether everything has an answer."""
        for question in questions:
            if self._watcher is not None:
                self._watcher.asked(question.id, question.value, question.response_schema)
            while True:
                try:
                    answer = self._paused(lambda asked=question: self._prompt.ask(asked))
                except NoAnswer:
                    return False
                except KeyboardInterrupt:
                    return True  # it is being cancelled
                try:
                    self._source.answer({question.id: answer})
                except Exception as error:  # the answer does not fit: the question stays open
                    self._prompt.say(safe_line(str(error)))
                    continue
                if self._watcher is not None:
                    self._watcher.answered(question.id)
                break
        return True

    def _paused(self, ask: Any) -> Any:
        if self._watcher is not None:
            self._watcher.pause()
        try:
            return ask()
        finally:
            if self._watcher is not None:
                self._watcher.start()

    def _end(self, code: int) -> int:
        source = self._source
        if self._watcher is not None:
            status = {DONE: "done", FAILED: "failed", WAITS: "interrupted"}.get(code, "cancelled")
            self._watcher.end(status, source.error if code == FAILED else None)  # type: ignore[arg-type]
        elif code == FAILED:
            sys.stderr.write(f"streamgraph: {safe_line(str(source.error))}\n")
        how = source.how_to_go_on()
        if code == WAITS:
            sys.stderr.write(f"It waits for an answer. Go on with: {how}\n" if how else "It waits for an answer.\n")
        return code


def terminal_of() -> IO[str]:
    """Open the terminal of this process, whatever its standard input is.

    Raises:
        OSError: It has none.
    """
    return open("CONIN$" if os.name == "nt" else "/dev/tty", encoding="utf-8", errors="replace")
