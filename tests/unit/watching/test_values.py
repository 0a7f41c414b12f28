"""Values as short text: bounded, and without what could control a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from streamgraph.watching._values import error_text, question_text, state_rows, value_text


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@dataclass
class Place:
    city: str
    people: int


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a text", "a text"),
        ("two\nlines", "two↵lines"),
        (None, "null"),
        (True, "true"),
        (0, "0"),
        ([], "[]"),
        ({"a": [1, {"b": ("x", 2.5)}]}, '{a: [1, {b: ["x", 2.5]}]}'),
        ({"a": {"b": {"c": {"d": {"e": 1}}}}}, "{a: {b: {c: {d: {…}}}}}"),
        (HumanMessage("hi"), "human: hi"),
        ({"type": "ai", "content": [{"type": "text", "text": "yes"}]}, "ai: yes"),
        (AIMessage("", tool_calls=[{"name": "look", "args": {}, "id": "1"}]), "ai: look(…)"),
        (Broken(), "<Broken, whose repr raises RuntimeError>"),
        ("\x1b[2J", "␛[2J"),
        ({"\x1b": "\x1b"}, '{␛: "␛"}'),
    ],
)
def test_short_texts(value: Any, text: str) -> None:
    assert value_text(value) == text


def test_what_is_long_is_cut() -> None:
    assert value_text("x" * 1_000, 10) == "x" * 10 + "… (1,000 characters)"
    assert value_text(list(range(100))).endswith("… 88 more]")


def test_a_large_value_costs_no_more_than_what_is_shown() -> None:
    asked = 0

    class Counted(dict):  # type: ignore[type-arg]
        def items(self) -> Iterator[Any]:  # type: ignore[override]
            nonlocal asked
            for pair in super().items():
                asked += 1
                yield pair

    value_text(Counted(zip(range(100_000), range(100_000))))
    assert asked <= 20


def test_rows_of_a_state() -> None:
    assert state_rows({"topic": "ice", "n": 1}) == [("topic", "ice"), ("n", "1")]
    assert state_rows(Place("Rome", 3)) == [("city", "Rome"), ("people", "3")]
    assert state_rows("bare") == [("", "bare")]
    rows = state_rows({"messages": [HumanMessage(str(number)) for number in range(15)]})
    assert rows[0] == ("messages", "(3 messages before these)")
    assert rows[1:] == [("", f"human: {number}") for number in range(3, 15)]


def test_questions() -> None:
    assert question_text({"question": "Publish?", "answers": ["yes"]}) == "Publish?"
    assert question_text({"ok": True}) == "{ok: true}"


def test_errors() -> None:
    class Wordless(Exception):
        def __str__(self) -> str:
            raise ValueError("no")

    assert error_text(KeyError("x")) == "KeyError: 'x'"
    assert error_text(ValueError()) == "ValueError"
    assert error_text({"error": "ValueError", "message": "bad \x1b"}) == "ValueError: bad ␛"
    assert error_text(Wordless()) == "Wordless: (its text raises ValueError)"
    assert error_text("text") == "text"
