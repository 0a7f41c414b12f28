"""What a model writes cannot control a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgraph.watching._safe import clipped, folded, safe_line, safe_text, width_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines", "two\nlines"),
        ("dos\r\nlines", "dos\nlines"),
        ("\x1b[2J\x1b]0;title\x07", "␛[2J␛]0;title␇"),
        ("over\rwritten\b", "over␍written␈"),
        ("\x9b31m", "�31m"),
        ("a\tb", "a    b"),
        ("\u202egnp.exe\u2066", "�gnp.exe�"),
        ("half \ud83d of a pair", "half � of a pair"),
        ("猫 🐈 é", "猫 🐈 é"),
    ],
)
def test_signs(text: str, shown: str) -> None:
    assert safe_text(text) == shown


@given(st.text(alphabet=st.characters(), max_size=60))
def test_nothing_that_controls_is_left(text: str) -> None:
    shown = safe_text(text)
    assert all(unicodedata.category(sign) != "Cc" or sign == "\n" for sign in shown)
    assert safe_text(shown) == shown
    shown.encode()
    assert "\n" not in safe_line(text)


@given(st.text(alphabet="ab 猫é\u0301🐈", max_size=60), st.integers(2, 20))
def test_rows_fit_and_lose_nothing(text: str, columns: int) -> None:
    rows = folded(text, columns)
    assert "".join(rows) == text
    assert all(width_of(row) <= columns for row in rows)
    assert width_of(clipped(text, columns)) <= columns


def test_rows_are_cut_after_spaces() -> None:
    assert folded("one two three", 8) == ["one two ", "three"]
    assert folded("a longwordindeed", 6) == ["a ", "longwo", "rdinde", "ed"]


def test_what_fits_is_not_clipped() -> None:
    assert clipped("猫猫", 4) == "猫猫"
    assert clipped("猫猫", 3) == "猫…"
