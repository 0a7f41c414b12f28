"""A JSON document read while it is still coming."""

from __future__ import annotations

import re
from json import JSONDecodeError
from typing import Any, List

from langchain_core.utils.json import parse_partial_json
from pydantic_core import from_json

MISSING: Any = object()
"""There is nothing to read yet."""

# Up to this length every piece is read at once. Beyond it the text has to grow by a fraction first, so that reading it
# again and again takes a time in proportion to its length and not to the square of it.
_SMALL = 4096
_GROWTH = 16

_MARKS = re.compile(r'["\\{}\[\]]')
_UNFINISHED_NUMBER = re.compile(r"[-+.0-9eE]+$")


class PartialJson:
    """The text of one JSON object or array, piece by piece, and what it says so far.

    What comes before the first bracket, such as the opening of a Markdown code block, is left out.

    Attributes:
        complete: The bracket that was opened first has been closed.
        in_text: The text so far ends inside a string.
    """

    __slots__ = ("_depth", "_escaped", "_length", "_pieces", "_read", "_value", "complete", "in_text")

    def __init__(self) -> None:
        self._pieces: List[str] = []
        self._length = self._read = self._depth = 0
        self._escaped = False
        self._value = MISSING
        self.complete = self.in_text = False

    def add(self, text: str) -> None:
        """Take in the next piece."""
        if not self._pieces:
            opening = next((mark.start() for mark in _MARKS.finditer(text) if mark.group() in "{["), None)
            if opening is None:
                return
            text = text[opening:]
        if self.complete or not text:
            return
        end = self._scan(text)
        self._pieces.append(text[:end])
        self._length += end

    @property
    def value(self) -> Any:
        """What the text says so far, or `MISSING`: a number that may go on, a key without a value are not in it."""
        grown = self._length - self._read
        if grown and (self.complete or grown * _GROWTH >= self._length - _SMALL):
            self._read = self._length
            text = "".join(self._pieces)
            self._pieces = [text]
            self._value = _parsed(text if self.in_text else _UNFINISHED_NUMBER.sub("", text))
        return self._value

    def _scan(self, text: str) -> int:
        """Follow strings and brackets; return where the document ends in `text`, or its length."""
        position = 1 if self._escaped else 0
        self._escaped = False
        mark = _MARKS.search(text, position)
        while mark is not None:
            position, character = mark.end(), mark.group()
            if character == '"':
                self.in_text = not self.in_text
            elif self.in_text:
                if character == "\\":
                    self._escaped = position == len(text)
                    position += 1
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                if self._depth <= 0:
                    self.complete = True
                    return position
            mark = _MARKS.search(text, position)
        return len(text)


def _parsed(text: str) -> Any:
    try:
        return from_json(text, allow_partial="trailing-strings")
    except ValueError:
        # langchain-core's parser is slower by far, and takes what models write that is not quite JSON.
        try:
            return parse_partial_json(text)
        except JSONDecodeError:
            return MISSING
