"""Incremental parser for an unfinished JSON document."""

from __future__ import annotations

import json
import re
from json import JSONDecodeError
from typing import Any, List

from langchain_core.utils.json import parse_partial_json
from pydantic_core import from_json

MISSING: Any = object()
"""Marks a value that is not available yet."""

# Up to this length the text is parsed after every piece. Beyond it the text must first grow by 1/_GROWTH, so that the
# total parsing time is linear in its length and not quadratic.
_SMALL = 2048
_GROWTH = 16

# Characters that do not change the parser's state, outside of strings and in them. A cut escape is not matched.
_BETWEEN = re.compile(r'[^"{}\[\],:]*')
_IN_TEXT = re.compile(r'[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*', re.DOTALL)
_UNFINISHED_NUMBER = re.compile(r"[-+.0-9eE]+$")
# A cut escape sequence, or the first half of a surrogate pair without the second.
_CUT_ESCAPE = re.compile(r"\\u(?:[dD][89abAB][0-9a-fA-F]{2}(?:\\u.{0,3})?|.{0,3})\Z", re.DOTALL)
_LONGEST_CUT = len(r"\ud83d\ude0")


class PartialJson:
    """Accumulates the text of one JSON object or array and parses it while it is incomplete.

    Text before the first bracket, such as the opening of a Markdown code block, is ignored. Raw line breaks inside
    strings, which models write and JSON forbids, are accepted.

    Attributes:
        complete: True if the first bracket has been closed.
        open_text: True if the last parsed text ends inside a string that is a value.
    """

    def __init__(self) -> None:
        self._pieces: List[str] = []
        self._length = self._read = 0
        self._open: List[str] = []
        self._in_text = self._in_key = self._to_key = False
        self._cut = ""
        self._value = MISSING
        self.complete = self.open_text = False

    def add(self, text: str) -> None:
        """Append a piece of text."""
        text, self._cut = self._cut + text, ""
        position = 0
        if not self._pieces:
            position = min((place for place in (text.find("{"), text.find("[")) if place >= 0), default=len(text))
        while position < len(text) and not self.complete:
            plain = (_IN_TEXT if self._in_text else _BETWEEN).match(text, position)
            assert plain is not None  # it may be empty
            piece, position = plain.group(), plain.end()
            if position < len(text):
                piece += self._mark(text[position])
                position += 1
            self._pieces.append(piece)
            self._length += len(piece)

    @property
    def value(self) -> Any:
        """The value so far, or `MISSING`; without numbers that may continue and keys without a value."""
        grown = self._length - self._read
        if grown and (self.complete or grown * _GROWTH >= self._length - _SMALL):
            self._read = self._length
            self.open_text = self._in_text and not self._in_key
            text = "".join(self._pieces)
            self._pieces = [text]
            self._value = _parsed(text if self._in_text else _UNFINISHED_NUMBER.sub("", text), self.open_text)
        return self._value

    def _mark(self, character: str) -> str:
        """Update the parser's state for a character; return the text to append for it."""
        if self._in_text:
            if character == "\\":
                self._cut = character
                return ""
            self._in_text = character != '"'
            return json.dumps(character)[1:-1] if character < " " else character
        if character == '"':
            self._in_text, self._in_key = True, self._to_key
        elif character in ("{", "["):
            self._open.append(character)
            self._to_key = character == "{"
        elif character in ("}", "]"):
            self._open.pop()
            self._to_key = False
            self.complete = not self._open
        else:
            self._to_key = character == "," and self._open[-1] == "{"
        return character


def _without_cut_escape(text: str) -> str:
    cut = _CUT_ESCAPE.search(text, max(0, len(text) - _LONGEST_CUT))
    if cut is None:
        return text
    before = text[: cut.start()]
    # After an odd number of backslashes, the match starts with an escaped backslash and is plain text.
    return text if (len(before) - len(before.rstrip("\\"))) % 2 else before


def _parsed(text: str, open_text: bool) -> Any:
    closed = text
    if open_text:  # pydantic 2.7 cannot parse an unterminated string
        closed = (_without_cut_escape(text) if "\\u" in text[-_LONGEST_CUT:] else text) + '"'
    try:
        return from_json(closed, allow_partial=True)
    except ValueError:
        # langchain-core's parser is much slower, but accepts the nearly valid JSON that models write.
        try:
            return parse_partial_json(text)
        except JSONDecodeError:
            return MISSING
