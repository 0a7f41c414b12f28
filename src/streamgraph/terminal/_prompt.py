"""Asking the person at the terminal."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import IO, Callable, List, Mapping, Optional

from streamgraph.terminal._answers import OFFERS, Form, WrongAnswer, forms_of
from streamgraph.watching import QuestionView, safe_line, safe_text

_LONGEST = 8_000


class NoAnswer(Exception):  # noqa: N818  (it is no error)
    """Nobody answers: the standard input has ended."""


class Prompt:
    """Asks questions, one line for each answer.

    Args:
        given: Answers that were given beforehand, which are taken first.
        source: Opens what lines are read from; `None` if nobody is there to be asked.
        out: Where the questions are written.

    Attributes:
        asking: A person is being asked now.
    """

    def __init__(self, given: List[str], source: Optional[Callable[[], IO[str]]], out: IO[str]) -> None:
        self._given = list(given)
        self._source = source
        self._opened: Optional[IO[str]] = None
        self._out = out
        self.asking = False

    def ask(self, question: QuestionView) -> object:
        """Return the answer to a question.

        Raises:
            NoAnswer: There is none.
            KeyboardInterrupt: The person has pressed Ctrl-C instead.
        """
        forms = forms_of(question)
        try:
            form = next(forms)
            while True:
                form = forms.send(self._one(form))
        except StopIteration as end:
            return end.value

    def confirm(self, what: str) -> bool:
        """Return whether the person agrees; an empty line does."""
        self._write(f"{what} [Y/n] ")
        return self._line().strip().lower() in ("", "y", "yes")

    def say(self, text: str) -> None:
        """Write a line."""
        self._write(f"{text}\n")

    def _one(self, form: Form) -> object:
        self._write(f"\n? {_shown(form.title)}\n")
        for number, choice in enumerate(form.choices, 1):
            self._write(f"  {number}. {safe_line(choice.label)}\n")
        while True:
            hint = f" ({safe_line(form.hint)})" if form.hint else ""
            self._write(f"answer{hint}> ")
            line = self._line()
            try:
                return form.read(line)
            except WrongAnswer as error:
                self._write(f"{safe_line(str(error))}\n")

    def _line(self) -> str:
        if self._given:
            line = self._given.pop(0)
            self._write(f"{safe_line(line)}\n")
            return line
        if self._source is None:
            raise NoAnswer
        if self._opened is None:
            self._opened = self._source()
        self.asking = True
        try:
            line = self._opened.readline()
        finally:
            self.asking = False
        if not line:
            self._write("\n")
            raise NoAnswer
        return line

    def _write(self, text: str) -> None:
        encoding = getattr(self._out, "encoding", None) or "utf-8"
        self._out.write(text.encode(encoding, "replace").decode(encoding))
        self._out.flush()


def _shown(title: object) -> str:
    """Return a question as text; what is no text is shown as JSON, in several lines, below the `question` in it."""
    if isinstance(title, Mapping) and isinstance(title.get("question"), str):
        rest = {key: value for key, value in title.items() if key != "question" and key not in OFFERS}
        asked = _shown(title["question"])
        return f"{asked}\n  {_shown(rest)}" if rest else asked
    if isinstance(title, str):
        return safe_text(title[:_LONGEST]).replace("\n", "\n  ")
    shown = repr(title)
    with suppress(TypeError, ValueError, RecursionError):
        shown = json.dumps(title, indent=2, ensure_ascii=False, default=repr)
    return safe_text(shown[:_LONGEST]).replace("\n", "\n  ")
