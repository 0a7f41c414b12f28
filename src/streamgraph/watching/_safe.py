"""Text of others, made harmless: what a model writes may not move a cursor, change a title or hide a letter.

A terminal obeys control characters, and a reader is fooled by characters that turn the direction of a line. Each of
them is shown as a visible sign instead. Line breaks stay, tabs become spaces.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Dict, List

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def _signs() -> Dict[int, str]:
    """Return what stands for each character that is not shown as it is."""
    signs = {code: chr(0x2400 + code) for code in range(0x20)}  # the pictures of control characters
    signs[0x7F] = "\N{SYMBOL FOR DELETE}"
    signs.update(dict.fromkeys(range(0x80, 0xA0), _REPLACEMENT))  # C1: some terminals take 0x9B for the start of a code
    # What turns the direction of a line, separates lines or paragraphs for some programs only, or tags invisibly.
    turning = (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C, 0x2028, 0x2029)
    signs.update(dict.fromkeys(turning, _REPLACEMENT))
    signs.update(dict.fromkeys(range(0xE0000, 0xE0080), _REPLACEMENT))
    signs.update(dict.fromkeys(range(0xD800, 0xE000), _REPLACEMENT))  # halves of pairs, which no encoding writes
    signs[0xFEFF] = _REPLACEMENT
    del signs[0x0A]
    signs[0x09] = "    "
    return signs


_SIGNS = _signs()

# One search tells whether there is anything to do, which is what most texts need.
_SUSPECT = re.compile("[" + "".join(f"\\U{code:08x}" for code in sorted(_SIGNS)) + "]")


def safe_text(text: str) -> str:
    r"""Return a text whose only control character is `\n`.

    Args:
        text: Any text, such as the token of a model.

    Returns:
        The text with a visible sign in the place of each control character, such as `␛` for escape, and of each
        character that turns the direction of a line.
    """
    if _SUSPECT.search(text) is None:
        return text
    return text.replace("\r\n", "\n").translate(_SIGNS)


def safe_line(text: str) -> str:
    """Return a text that fits in one line: line breaks in it are visible signs as well; see `safe_text`."""
    return safe_text(text).replace("\n", "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}")


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes: East Asian signs take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(_width_of_character(character) for character in text)


def clipped(text: str, columns: int) -> str:
    """Return a text that takes at most so many columns, with `…` where it was cut.

    Args:
        text: A text without line breaks.
        columns: The columns, at least one.
    """
    if len(text) * 2 <= columns or width_of(text) <= columns:
        return text
    used, kept = 1, []
    for character in text:
        used += _width_of_character(character)
        if used > columns:
            break
        kept.append(character)
    return "".join(kept) + "…"


def folded(text: str, columns: int) -> List[str]:
    """Return a text in rows that take at most so many columns each, cut after spaces where there are any.

    Args:
        text: A text without line breaks.
        columns: The columns, at least two.
    """
    if len(text) * 2 <= columns or width_of(text) <= columns:
        return [text]
    rows, start, used = [], 0, 0
    for place, character in enumerate(text):
        width = _width_of_character(character)
        while used + width > columns:
            space = text.rfind(" ", start, place) + 1
            cut = space if space > start else place
            rows.append(text[start:cut])
            start, used = cut, width_of(text[cut:place])
        used += width
    return [*rows, text[start:]]


def _width_of_character(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
