"""A JSON document read while it is still coming."""

from __future__ import annotations

import json
import re
from json import JSONDecodeError
from typing import Any, List

from langchain_core.utils.json import parse_partial_json
from pydantic_core import from_json

MISSING: Any = object()
"""There is nothing to read yet."""

# Up to this length every piece is read at once. Beyond it the text has to grow by a fraction first, so that reading it
# again and again takes a time in proportion to its length and not to the square of it.
_SMALL = 2048
_GROWTH = 16

_MARKS = re.compile(r'["{}\[\],:]')
_MARKS_IN_TEXT = re.compile(r'["\\\x00-\x1f]')
_UNFINISHED_NUMBER = re.compile(r"[-+.0-9eE]+$")


class PartialJson:
    """The text of one JSON object or array, piece by piece, and what it says so far.

    What comes before the first bracket, such as the opening of a Markdown code block, is left out. Line breaks inside
    strings, which models write and JSON forbids, are taken as they are meant.

    Attributes:
        complete: The bracket that was opened first has been closed.
        open_text: What was read last ends inside a string that is a value.
    """

    __slots__ = (
        "_escaped",
        "_in_key",
        "_in_text",
        "_length",
        "_open",
        "_pieces",
        "_read",
        "_to_key",
        "_value",
        "complete",
        "open_text",
    )

    def __init__(self) -> None:
        self._pieces: List[str] = []
        self._length = self._read = 0
        self._open: List[str] = []
        self._in_text = self._in_key = self._escaped = self._to_key = False
        self._value = MISSING
        self.complete = self.open_text = False

    def add(self, text: str) -> None:
        """Take in the next piece."""
        position = 0
        if not self._pieces:
            position = min((place for place in (text.find("{"), text.find("[")) if place >= 0), default=len(text))
        while position < len(text) and not self.complete:
            position = self._in_string(text, position) if self._in_text else self._between(text, position)

    @property
    def value(self) -> Any:
        """What the text says so far, or `MISSING`: a number that may go on, a key without a value are not in it."""
        grown = self._length - self._read
        if grown and (self.complete or grown * _GROWTH >= self._length - _SMALL):
            self._read = self._length
            self.open_text = self._in_text and not self._in_key
            text = "".join(self._pieces)
            self._pieces = [text]
            self._value = _parsed(text if self._in_text else _UNFINISHED_NUMBER.sub("", text))
        return self._value

    def _keep(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)

    def _in_string(self, text: str, position: int) -> int:
        """Take in what belongs to a string, up to its end or something special; return where it goes on."""
        if self._escaped:
            self._escaped = False
            self._keep(text[position])
            return position + 1
        mark = _MARKS_IN_TEXT.search(text, position)
        if mark is None:
            self._keep(text[position:])
            return len(text)
        self._keep(text[position : mark.start()])
        character = mark.group()
        self._keep(character if character in '"\\' else json.dumps(character)[1:-1])
        self._in_text = character != '"'
        self._escaped = character == "\\"
        return mark.end()

    def _between(self, text: str, position: int) -> int:
        """Take in what is outside of strings, up to the next mark; return where it goes on."""
        mark = _MARKS.search(text, position)
        end = len(text) if mark is None else mark.end()
        self._keep(text[position:end])
        character = "" if mark is None else mark.group()
        if character == '"':
            self._in_text, self._in_key = True, self._to_key
        elif character in ("{", "["):
            self._open.append(character)
            self._to_key = character == "{"
        elif character in ("}", "]"):
            self._open.pop()
            self._to_key = False
            self.complete = not self._open
        elif character in (",", ":"):
            self._to_key = character == "," and self._open[-1] == "{"
        return end


def _parsed(text: str) -> Any:
    try:
        return from_json(text, allow_partial="trailing-strings")
    except ValueError:
        # langchain-core's parser is slower by far, and takes what models write that is not quite JSON.
        try:
            return parse_partial_json(text)
        except JSONDecodeError:
            return MISSING
